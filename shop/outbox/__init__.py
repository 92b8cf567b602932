"""Mails that wait to be sent: what they are, queueing them, and sending them at least once."""
