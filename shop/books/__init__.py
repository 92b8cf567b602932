"""The books: what can never be true of them, and what others have written down beside them."""
