"""Settings of minimal pairs, and what opening and looking at them must agree on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from csae_bench.config.pairs import MinimalSettings
from csae_bench.errors import DataError
from csae_bench.minimal_pairs import minimal_pair_status, open_minimal_pairs


def minimal_settings(dataset: Path | str, **options: Any) -> MinimalSettings:
    return MinimalSettings.model_validate({"dataset": str(dataset), **options})


def assert_problem(dataset: Path | str, message: str, **options: Any) -> None:
    """Opening it is an error, which status reports in the same words."""
    settings = minimal_settings(dataset, **options)
    with pytest.raises(DataError) as error:
        open_minimal_pairs(settings, seed=0)
    assert message in str(error.value)
    assert minimal_pair_status(settings) == ("problem", str(error.value))
