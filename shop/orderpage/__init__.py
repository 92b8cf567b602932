"""The buyer's page of an order: where it stands, paying it, its mails, and finding it again."""
