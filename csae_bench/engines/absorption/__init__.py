"""Words, rows and values of SAE-Bench's first-letter absorption eval; imports no SAE-Bench."""
