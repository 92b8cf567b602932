"""The catalogue as a file: reading one, and writing it."""
