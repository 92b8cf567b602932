"""What `dev.py bench` measures; `python -m benchmarks` prints the table."""
