"""The pages of the site that are made of the code: evals, loss terms, commands, configuration."""
