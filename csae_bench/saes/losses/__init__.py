"""The contrastive loss terms: pure functions of the two views of a batch of pairs.

Each function exported here is a row of `LOSS_TERMS` in `csae_bench/config/loss_terms.py`, which
holds its settings. It gets the views, then its own settings by keyword, and gives one number to
minimise, 0 or above, together with how many things it compared. Everything is computed in float32
or better, outside autocast: in bfloat16 a sum of exponentials of cosines / 0.2 has an error as
large as the signal. NaN and infinity in what a term compares come out as NaN: training has to
notice them.

`rows`, `triplet` and `temporal` compare samples; `columns`, `barlow` and `cross_view` compare
latents by their pattern across the batch; `push_up` and `mixing` look at single latents of single
pairs; `sparse_shift` and `swap` at the change of the code between the two texts of a minimal pair.
"""

from csae_bench.saes.losses.latents import barlow, columns, cross_view
from csae_bench.saes.losses.presence import mixing, push_up
from csae_bench.saes.losses.samples import rows, temporal, triplet
from csae_bench.saes.losses.shifts import sparse_shift, swap
from csae_bench.saes.losses.term import TermValue

__all__ = [
    "TermValue",
    "barlow",
    "columns",
    "cross_view",
    "mixing",
    "push_up",
    "rows",
    "sparse_shift",
    "swap",
    "temporal",
    "triplet",
]
