"""What is for sale: products, their prices and images, exchange rates and stock."""
