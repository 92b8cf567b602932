"""For operators: the log, health, the journal, and when jobs last ran."""
