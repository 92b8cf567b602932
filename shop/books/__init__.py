"""Checking the books: for contradictions in them, against the journal, and against the provider's list."""
