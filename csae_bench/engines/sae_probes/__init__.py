"""The eval of sae-probes: its datasets, and what a result has of them."""
