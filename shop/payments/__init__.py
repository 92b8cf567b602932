"""Payments: asking CryptoCloud for invoices, and finding out whether the money is there."""
