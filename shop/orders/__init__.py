"""Orders: what was bought, at which price, and where each stands. An order is a thing, not a page."""
