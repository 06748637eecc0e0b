"""The controller on simulated SAEs whose L0 answers the penalty late, noisily or not at all."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csae_bench.config.weighting import HoldL0Settings
from csae_bench.saes.l0_controller import L0Controller

TARGET = 30.0
STEPS = 800


def controller(**settings: Any) -> L0Controller:
    return L0Controller(HoldL0Settings.model_validate({"target": TARGET, **settings}))


def simulate(
    *,
    off_by: float,
    elasticity: float = 0.6,
    lag: float = 50.0,
    noise: float = 0.02,
    drift: float = 0.0,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
) -> list[float]:
    """log(L0 / target) at each step, without the noise of the batch.

    At a factor of 1, L0 would be `off_by` times the target, and e^-drift of that with each step;
    it falls as factor^-elasticity and follows with the time constant `lag`, in steps.
    """
    held, rng = controller(**settings or {}), random.Random(seed)
    at_1 = level = math.log(off_by)
    levels: list[float] = []
    for step in range(STEPS):
        level += (at_1 - drift * step - elasticity * math.log(held.factor) - level) / lag
        held.update(TARGET * math.exp(level + rng.gauss(0, noise)))
        levels.append(level)
    return levels


PENALTY_OFF_BY_20 = 20**0.6


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("off_by", [PENALTY_OFF_BY_20, 1 / PENALTY_OFF_BY_20])
def test_l0_settles_within_300_steps_and_stays_within_2_percent(off_by: float, seed: int) -> None:
    levels = simulate(off_by=off_by, seed=seed)
    assert max(map(abs, levels[300:])) < 0.02


@pytest.mark.parametrize("off_by", [PENALTY_OFF_BY_20, 1 / PENALTY_OFF_BY_20, 20.0, 1 / 20])
def test_l0_does_not_oscillate(off_by: float) -> None:
    side = math.copysign(1.0, off_by - 1)
    levels = [side * level for level in simulate(off_by=off_by)]
    assert min(levels) > -0.03


@pytest.mark.parametrize("lag", [20.0, 50.0])
@pytest.mark.parametrize("elasticity", [0.4, 0.6, 1.0, 1.5])
def test_l0_is_held_at_the_end_whatever_the_sae_is_like(elasticity: float, lag: float) -> None:
    levels = simulate(off_by=5.0, elasticity=elasticity, lag=lag)
    assert max(map(abs, levels[-100:])) < 0.02


def test_a_longer_lag_holds_an_sae_that_follows_slowly() -> None:
    def overshoot(lag: int) -> float:
        return -min(simulate(off_by=5.0, elasticity=1.0, lag=100.0, settings={"lag": lag}))

    assert overshoot(100) < 0.03
    assert overshoot(30) > 0.2


def test_l0_is_held_while_the_sae_needs_less_and_less_penalty() -> None:
    # without the trend L0 ends at drift * lag / (gain * elasticity) = 4% below the target
    levels = simulate(off_by=5.0, drift=0.0005)
    assert max(map(abs, levels[-100:])) < 0.02


def test_a_batch_is_not_believed_on_its_own() -> None:
    levels = simulate(off_by=1.0, noise=0.1)
    assert max(map(abs, levels[-400:])) < 0.05


def test_the_factor_starts_at_1_and_moves_every_so_many_steps() -> None:
    held = controller(every=4)
    factors: list[float] = []
    for _ in range(9):
        held.update(2 * TARGET)
        factors.append(held.factor)
    assert factors[:3] == [1, 1, 1]
    assert len({*factors[3:7]}) == 1
    assert 1 < factors[3] < factors[7]


def test_the_factor_moves_by_gain_within_lag() -> None:
    held = controller(gain=0.7, lag=60)
    for _ in range(60):
        held.update(math.e * TARGET)
    assert math.log(held.factor) == pytest.approx(0.7)


@pytest.mark.parametrize("l0", [0.0, TARGET / 2])
def test_too_few_active_latents_weaken_the_penalty(l0: float) -> None:
    held = controller()
    for _ in range(100):
        held.update(l0)
    assert held.factor < 1


def test_a_dead_sae_recovers_at_once_when_latents_fire_again() -> None:
    held = controller()
    for _ in range(5000):
        held.update(0.0)
    lowest = held.factor
    assert lowest == pytest.approx(1e-3)
    for _ in range(100):
        held.update(2 * TARGET)
    assert held.factor > 5 * lowest  # nothing wound up while it stood at its bound


def test_an_l0_that_is_not_finite_is_left_out() -> None:
    clean, broken = controller(every=1), controller(every=1)
    for _ in range(50):
        clean.update(2 * TARGET)
    for _ in range(50):
        broken.update(2 * TARGET)
        for value in (math.nan, math.inf):
            broken.update(value)
    assert math.isfinite(broken.factor)
    assert broken.factor > 1


@given(l0s=st.lists(st.floats(), max_size=30), every=st.integers(1, 3))
def test_the_factor_stays_in_its_range_whatever_comes_in(l0s: list[float], every: int) -> None:
    held = controller(every=every, gain=50.0)
    for l0 in l0s:
        held.update(l0)
        assert 0.99e-3 < held.factor < 1.01e3
    json.dumps(held.state_dict(), allow_nan=False)


def test_a_restored_controller_continues_to_the_last_bit() -> None:
    rng = random.Random(0)
    l0s = [TARGET * math.exp(rng.gauss(0.5, 0.2)) for _ in range(60)]

    def factors(held: L0Controller, of: list[float]) -> list[float]:
        collected: list[float] = []
        for l0 in of:
            held.update(l0)
            collected.append(held.factor)
        return collected

    expected = factors(controller(), l0s)[33:]
    first, second = controller(), controller()
    factors(first, l0s[:33])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert factors(second, l0s[33:]) == expected
