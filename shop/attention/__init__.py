"""What waits for a person: one list, whatever it is about."""
