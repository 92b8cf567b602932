"""What is known about a buyer, and forgetting it: the address goes, the books stay."""
