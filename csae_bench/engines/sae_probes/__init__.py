"""The eval of sae-probes: its datasets, and the fields of its results."""
