"""docs/evals.md: a page for each eval, and what the controls score on it."""
