"""The catalogue as visitors see it: lists, product pages, search, and what they say to machines."""
