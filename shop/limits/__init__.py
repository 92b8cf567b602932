"""How much one buyer may have without paying, and the notes of who placed which order."""
