"""From the cart to the pay page and back: cart, checkout form, order page."""
