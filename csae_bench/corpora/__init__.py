"""Text to read activations on: corpora that have a name, files, a dataset on the hub.

Plain text is a stream of rows with a `text` (`open_corpus`); the named corpora are the rows of
`NAMED_CORPORA`. Groups of texts that say the same are `Paraphrases`; which there are is the matter
of `csae_bench.paraphrases`. Nothing is written to disk or to Hugging Face's cache but counts and
hashes. Looking at a corpus (`corpus_status`, `corpus_fingerprint`) imports neither torch nor
datasets.
"""

from csae_bench.corpora.named import NAMED_CORPORA, SAE_PROBES, TINYWORLD, CorpusSplit, NamedCorpus
from csae_bench.corpora.paraphrases import CollectedParaphrases, Paraphrases
from csae_bench.corpora.sae_probes_sources import PROBING_DATASETS
from csae_bench.corpora.text import (
    SUFFIXES,
    corpus_fingerprint,
    corpus_status,
    is_folder,
    open_corpus,
)

__all__ = [
    "NAMED_CORPORA",
    "PROBING_DATASETS",
    "SAE_PROBES",
    "SUFFIXES",
    "TINYWORLD",
    "CollectedParaphrases",
    "CorpusSplit",
    "NamedCorpus",
    "Paraphrases",
    "corpus_fingerprint",
    "corpus_status",
    "is_folder",
    "open_corpus",
]
