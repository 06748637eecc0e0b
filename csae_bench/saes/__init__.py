"""Sparse autoencoders: the contrastive architectures, their losses, baselines, loading, export.

Importing this imports neither torch nor sae_lens.
"""

from __future__ import annotations


def register() -> None:
    """Make the contrastive architectures known to sae_lens; a second call does nothing.

    Examples:
        >>> import csae_bench
        >>> csae_bench.register()
        >>> from sae_lens.registry import get_sae_class
        >>> get_sae_class("contrastive_topk")[0].__name__
        'ContrastiveTopKSAE'
    """
    from csae_bench.saes import contrastive

    contrastive.register()
