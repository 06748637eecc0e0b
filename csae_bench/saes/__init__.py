"""Sparse autoencoders: the contrastive architectures, their losses, baselines, loading, export.

Importing this imports neither torch nor sae_lens.
"""

from __future__ import annotations


def register() -> None:
    """Makes the contrastive architectures known to sae_lens; a second call does nothing."""
    from csae_bench.saes import contrastive

    contrastive.register()
