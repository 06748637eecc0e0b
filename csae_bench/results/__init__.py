"""Results on disk: their layout, their checks, and reading them back."""
