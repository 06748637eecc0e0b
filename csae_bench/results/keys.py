"""Digests under which results are stored, and the difference between two sets of conditions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from csae_bench.config.loading import leaves


def digest(value: Mapping[str, Any]) -> str:
    """Return the sha256 of a JSON-able mapping in hex, independent of the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return dotted key -> (value in `before`, value in `after`) of every leaf that differs.

    A key that only one of the two has counts as None in the other.
    """
    old, new = dict(leaves(before)), dict(leaves(after))
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }
