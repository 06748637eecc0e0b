"""SAE-Bench's sparse_probing: the metrics of its results, and what is said of them."""
