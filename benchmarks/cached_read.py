"""Reading activations from the cache on disk, against drawing them from the bundled model.

Both as a training does it, in one process: text of the tinyworld, windows of 128 tokens, 32 in a
pass. 300,000 rows are read five times, each time with the entry opened anew and all hashes checked;
before each time a tenth as many are drawn, and the time is that of ten times as many. A row is a
position of a window, usable or not. The page cache is warm: the files have just been written.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from csae_bench.activations.sources import ActivationSource

FIGURES = ("cached_read_ratio",)
N_ROWS = 300_000
N_TIMES = 5
N_DRAWN = N_ROWS // 10


def main() -> None:
    """Print the median of the times to read over that of the times to draw as many rows."""
    from csae_bench.cli.terminal import prepare_process

    prepare_process()  # as the command line does, before torch is imported
    from csae_bench import models
    from csae_bench.activations.cache.draws import activation_cache
    from csae_bench.config.loading import load_config
    from csae_bench.training.data import activation_source

    config = load_config("custom_sae").config
    model = models.load(config.model)
    source = activation_source(config, model)
    drawing: list[float] = []
    reading: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        with activation_cache(Path(folder), 1) as cache:
            _seconds(activation_source(config, model, cache=cache), N_ROWS)
        for _ in range(N_TIMES):
            drawing.append(_seconds(source, N_DRAWN) * N_ROWS / N_DRAWN)
            with activation_cache(Path(folder), 1) as cache:
                started = time.perf_counter()
                _seconds(activation_source(config, model, cache=cache), N_ROWS)
                reading.append(time.perf_counter() - started)
    draw, read = statistics.median(drawing), statistics.median(reading)
    print(f"{N_ROWS} rows: drawn in {draw:.2f} s, read in {read:.3f} s", file=sys.stderr)
    print(f"BENCH cached_read_ratio {read / draw:.4f} ratio")


def _seconds(source: ActivationSource, n_rows: int) -> float:
    """Return how long it takes to draw so many rows."""
    started, n_drawn = time.perf_counter(), 0
    while n_drawn < n_rows:
        n_drawn += source.next_sequences().ids.numel()
    return time.perf_counter() - started
