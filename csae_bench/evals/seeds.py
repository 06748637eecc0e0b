"""Seeds of evals."""

from __future__ import annotations

SEED_SETTINGS = ("random_seed", "seed")
"""Names under which an eval has its seed among its settings."""
