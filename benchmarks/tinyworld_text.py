"""Text of tinyworld: words made in a second, of which a run of SAEs must not have to wait."""

from __future__ import annotations

import time
from itertools import islice

FIGURES = ("tinyworld_words_per_second",)
N_TEXTS = 10_000


def main() -> None:
    """Print the figure; a word has 1.3 tokens."""
    from csae_bench.tinyworld import documents

    started = time.perf_counter()
    n_words = sum(len(text.split()) for text in islice(documents("sae", N_TEXTS), N_TEXTS))
    rate = n_words / (time.perf_counter() - started)
    print(f"BENCH tinyworld_words_per_second {rate:.0f} words/s")
