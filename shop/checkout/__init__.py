"""From the cart to the pay page: the cart, the checkout form, and placing the order."""
