"""Order of the metrics of one eval: that of their rows, see `metrics`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from csae_bench.comparison.metrics import place_of

_NUMBERS = re.compile(r"([0-9]+(?:\.[0-9]+)?)")


@lru_cache(maxsize=4096)
def rank(metric: str) -> tuple[int, tuple[Any, ...], str]:
    """Return a key that sorts metrics of one eval as the table does: the main ones first.

    The key is the place of a metric's row, then its name with numbers by size: top_2 comes before
    top_10. A metric that no row matches comes last.
    """
    parts = _NUMBERS.split(metric)
    by_size = tuple(_size(part) if i % 2 else part for i, part in enumerate(parts))
    return place_of(metric.partition("@")[0]), by_size, metric


def _size(number: str) -> tuple[int, str, str]:
    """Return a key that sorts the digits of a number by its size."""
    whole, _, fraction = number.partition(".")
    whole = whole.lstrip("0")
    # by length, not int(): Python refuses one of more than 4300 digits
    return len(whole), whole, fraction
