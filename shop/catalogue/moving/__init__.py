"""Moving in: the files that other shop systems give out, read as products of ours."""
