"""Groups of texts that say the same, by name and by path.

The named sets are the rows of `NAMED_PARAPHRASES`. Looking at them (`paraphrase_status`,
`paraphrase_fingerprint`) imports neither torch nor datasets.
"""

from csae_bench.paraphrases.named import (
    ENGLISH,
    NAMED_PARAPHRASES,
    NamedParaphrases,
    TinyworldParaphrases,
)
from csae_bench.paraphrases.opening import (
    open_paraphrases,
    paraphrase_fingerprint,
    paraphrase_status,
)

__all__ = [
    "ENGLISH",
    "NAMED_PARAPHRASES",
    "NamedParaphrases",
    "TinyworldParaphrases",
    "open_paraphrases",
    "paraphrase_fingerprint",
    "paraphrase_status",
]
