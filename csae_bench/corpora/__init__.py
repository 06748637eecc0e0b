"""Text to read activations on: tinyworld's, files, a dataset on the hub.

Plain text is a stream of rows with a `text` (`open_corpus`); paraphrases are groups of texts that
say the same (`open_paraphrases`). Nothing is written to disk or to Hugging Face's cache. Looking
at either (`corpus_status`, `corpus_fingerprint`, `paraphrase_status`, `paraphrase_fingerprint`)
imports neither torch nor datasets.
"""

from csae_bench.corpora.paraphrases import (
    CollectedParaphrases,
    Paraphrases,
    TinyworldParaphrases,
    open_paraphrases,
    paraphrase_fingerprint,
    paraphrase_status,
)
from csae_bench.corpora.text import (
    SUFFIXES,
    TINYWORLD,
    CorpusSplit,
    corpus_fingerprint,
    corpus_status,
    is_folder,
    open_corpus,
)

__all__ = [
    "SUFFIXES",
    "TINYWORLD",
    "CollectedParaphrases",
    "CorpusSplit",
    "Paraphrases",
    "TinyworldParaphrases",
    "corpus_fingerprint",
    "corpus_status",
    "is_folder",
    "open_corpus",
    "open_paraphrases",
    "paraphrase_fingerprint",
    "paraphrase_status",
]
