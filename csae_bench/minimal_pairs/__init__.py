"""Pairs of texts that differ in one factor, by name and by path.

The named sets are the rows of `NAMED_MINIMAL_PAIRS`. Looking at them (`minimal_pair_status`,
`minimal_pair_fingerprint`) imports neither torch nor datasets.
"""

from csae_bench.corpora.minimal_pairs import MinimalPair, MinimalPairTexts
from csae_bench.minimal_pairs.named import NAMED_MINIMAL_PAIRS, NamedMinimalPairs
from csae_bench.minimal_pairs.opening import (
    minimal_pair_fingerprint,
    minimal_pair_status,
    open_minimal_pairs,
)

__all__ = [
    "NAMED_MINIMAL_PAIRS",
    "MinimalPair",
    "MinimalPairTexts",
    "NamedMinimalPairs",
    "minimal_pair_fingerprint",
    "minimal_pair_status",
    "open_minimal_pairs",
]
