"""How much one buyer may have without paying, and who placed what as far as that needs to know."""
