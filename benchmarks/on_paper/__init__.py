"""Cost of many SAEs on many GPUs, computed from what was measured on one, and replayed."""
