"""Parts of the evals, one package for each eval or kind of eval."""
