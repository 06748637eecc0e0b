"""What the evals are made of, one room for each or for a kind."""
