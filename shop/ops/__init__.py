"""For operators: logs, health and the doctor."""
