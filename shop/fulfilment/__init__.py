"""Handing over the goods: deliveries, licence keys, downloads, and the words of mails."""
