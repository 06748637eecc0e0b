"""Seconds of the factor evals, extrapolated from two samples of prompts."""

from __future__ import annotations

import pytest

from benchmarks.on_gpu.factor_evals import extrapolated


def test_line_through_two_samples() -> None:
    assert extrapolated(100, 12.0, 300, 32.0, 1000) == pytest.approx(2 + 0.1 * 1000)


def test_time_that_does_not_grow_is_the_longer_one() -> None:
    assert extrapolated(100, 12.0, 300, 11.0, 1000) == 12


def test_start_below_zero_is_left_out() -> None:
    assert extrapolated(100, 5.0, 300, 30.0, 1000) == pytest.approx(100)
