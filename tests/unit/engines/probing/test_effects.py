"""Which prompts are intervened on, and which latents are controls."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.engines.probing.effects import matched_latent, spread_over_templates
from csae_bench.metrics.data import Codes


def test_prompts_are_taken_evenly_from_templates() -> None:
    templates = ["a"] * 50 + ["b"] * 3 + ["c"] * 50
    rows = spread_over_templates(templates, 13, np.random.default_rng(0))
    assert len(set(rows)) == 13
    assert [sum(templates[row] == name for row in rows) for name in "abc"] == [5, 3, 5]
    assert spread_over_templates(templates, 500, np.random.default_rng(0)) == list(range(103))


def test_a_control_fires_as_often_and_is_no_best_latent() -> None:
    rng = np.random.default_rng(0)
    rates = np.linspace(0.01, 1, 100)
    codes = Codes.of((rng.random((2000, 100)) < rates) * 1.0)
    for latent in (5, 50, 90):
        control = matched_latent(codes, latent, [latent + 1], rng)
        assert control is not None
        assert control not in (latent, latent + 1)
        assert codes.firing_rates[control] == pytest.approx(codes.firing_rates[latent], abs=0.12)
    assert matched_latent(codes.latents(np.arange(2)), 0, [1], rng) is None
