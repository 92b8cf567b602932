"""Handing over the goods: deliveries, licence keys, downloads, and the outbox of mails."""
