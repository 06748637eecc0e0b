"""Anchors and positives: pairs of rows of the activations, as an endless stream of batches.

A `PairSource` decides which two rows make a pair, one class for each kind of pairs; `PairStream`
shuffles what the sources give and serves it as batches whose rows 2i and 2i + 1 are the anchor and
its partner in pair i. `SharedStream` serves the same batches to several trainings.
"""

from csae_bench.activations.reading import activations_at
from csae_bench.pairs.minimal_pairs import MinimalPairs
from csae_bench.pairs.paraphrase_pairs import ParaphrasePairs
from csae_bench.pairs.sequence_pairs import SameSequencePairs, same_sequence
from csae_bench.pairs.shared_stream import PairBatches, SharedStream
from csae_bench.pairs.source import Pairs, PairSource
from csae_bench.pairs.stream import PairStream
from csae_bench.pairs.text_pairs import TextPairs

__all__ = [
    "MinimalPairs",
    "PairBatches",
    "PairSource",
    "PairStream",
    "Pairs",
    "ParaphrasePairs",
    "SameSequencePairs",
    "SharedStream",
    "TextPairs",
    "activations_at",
    "same_sequence",
]
