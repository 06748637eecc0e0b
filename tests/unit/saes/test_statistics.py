"""Running statistics against slow debiased means."""

import math

import pytest
import torch
from torch import Tensor

from csae_bench.saes.statistics import DECAY, RunningStatistics
from csae_bench.saes.views import LatentStatistics

D_SAE = 12


def batches(n: int, n_pairs: int = 10) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(n, n_pairs, 1, D_SAE, generator=generator)
    own = torch.randn(n, n_pairs, 2, D_SAE, generator=generator)
    return list((common + own - 0.5).relu().view(n, 2 * n_pairs, D_SAE))


def weighted_mean(values: list[Tensor]) -> Tensor:
    """The last batch weighs most, each one before it DECAY times the next, all of them 1."""
    weights = [DECAY**age for age in reversed(range(len(values)))]
    total = sum((w * v.double() for w, v in zip(weights, values, strict=True)), torch.zeros(()))
    return total / sum(weights)


def statistics_slowly(batches: list[Tensor]) -> LatentStatistics:
    rates, both, means, seconds, thresholds = [], [], [], [], []
    for codes in batches:
        active = codes > 0
        rates.append(active.float().mean(0))
        both.append((active[0::2] & active[1::2]).float().mean(0))
        means.append(codes.mean(0))
        seconds.append(codes.square().mean(0))
        smallest = [min(v for v in row if v > 0) for row in codes.tolist() if max(row) > 0]
        if smallest:
            thresholds.append(torch.tensor(sum(smallest) / len(smallest)))
    mean = weighted_mean(means)
    return LatentStatistics(
        weighted_mean(rates),
        weighted_mean(both),
        mean,
        weighted_mean(seconds) - mean.square(),
        weighted_mean(thresholds),
    )


def assert_equal(result: LatentStatistics, expected: LatentStatistics) -> None:
    for name, one, other in zip(result._fields, result, expected, strict=True):
        # float32 sums of some hundred rows
        assert torch.allclose(one.double(), other.double(), rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize("n_batches", [1, 2, 25])
def test_the_statistics_are_debiased_running_means(n_batches: int) -> None:
    running = RunningStatistics(D_SAE, "cpu")
    for codes in batches(n_batches):
        running.update(codes)
    assert_equal(running.latest(), statistics_slowly(batches(n_batches)))


def test_a_batch_is_taken_in_by_the_call_itself() -> None:
    called, updated = RunningStatistics(D_SAE, "cpu"), RunningStatistics(D_SAE, "cpu")
    result = called(batches(1)[0])
    updated.update(batches(1)[0])
    assert_equal(result, updated.latest())


def test_the_first_batch_counts_in_full() -> None:
    codes = torch.tensor([[2.0, 0.0], [4.0, 1.0], [0.0, 0.0], [6.0, 0.0]])
    result = RunningStatistics(2, "cpu")(codes)
    assert result.rate.tolist() == pytest.approx([0.75, 0.25])
    assert result.both.tolist() == pytest.approx([0.5, 0.0])
    assert result.mean.tolist() == pytest.approx([3.0, 0.25])
    assert result.variance.tolist() == pytest.approx([5.0, 0.1875], rel=1e-5)
    assert float(result.threshold) == pytest.approx((2 + 1 + 6) / 3)


def test_nothing_is_known_before_the_first_batch() -> None:
    result = RunningStatistics(D_SAE, "cpu").latest()
    assert all(each.abs().sum() == 0 for each in result)
    assert result.invariance().abs().sum() == 0
    assert torch.equal(result.lift(), torch.ones(D_SAE))


def test_a_row_without_an_active_latent_does_not_count_for_the_threshold() -> None:
    codes = torch.tensor([[2.0, 3.0], [0.0, 0.0]])
    assert float(RunningStatistics(2, "cpu")(codes).threshold) == pytest.approx(2.0)


def test_a_batch_without_an_active_latent_leaves_the_threshold_as_it_was() -> None:
    running, silent = RunningStatistics(D_SAE, "cpu"), torch.zeros(20, D_SAE)
    first, second = batches(2)
    for codes in (silent, first, silent, second):
        running.update(codes)
    assert_equal(running.latest(), statistics_slowly([silent, first, silent, second]))


def test_a_constant_latent_has_no_negative_variance() -> None:
    result = RunningStatistics(1, "cpu")(torch.full((64, 1), 1234.567))
    assert (result.variance >= 0).all()


def test_the_statistics_are_buffers_and_are_restored_exactly() -> None:
    running, restored = RunningStatistics(D_SAE, "cpu"), RunningStatistics(D_SAE, "cpu")
    first, second, third = batches(3)
    running.update(first)
    running.update(second)
    restored.load_state_dict(running.state_dict())
    for each in (running, restored):
        each.update(third)
    assert not list(running.parameters())
    assert running.state_dict().keys() == dict(running.named_buffers()).keys()
    for one, other in zip(running.latest(), restored.latest(), strict=True):
        assert torch.equal(one, other)


def test_no_gradient_flows_into_the_statistics() -> None:
    codes = batches(1)[0].requires_grad_()
    assert not any(each.requires_grad for each in RunningStatistics(D_SAE, "cpu")(codes))


def test_the_statistics_are_float32_inside_autocast_and_of_bfloat16_codes() -> None:
    codes = batches(1)[0].bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = RunningStatistics(D_SAE, "cpu")(codes)
    outside = RunningStatistics(D_SAE, "cpu")(codes.float())
    assert all(each.dtype == torch.float32 for each in inside)
    assert_equal(inside, outside)


def known(rate: list[float], both: list[float]) -> LatentStatistics:
    zeros = torch.zeros(len(rate))
    return LatentStatistics(torch.tensor(rate), torch.tensor(both), zeros, zeros, torch.zeros(()))


def test_invariance_is_the_probability_of_firing_in_both_views_corrected_for_chance() -> None:
    #      always together, by chance, half way, less than by chance, never together
    rate, both = [0.2, 0.2, 0.2, 0.2, 0.2], [0.2, 0.04, 0.12, 0.01, 0.0]
    assert known(rate, both).invariance().tolist() == pytest.approx([1, 0, 0.5, 0, 0], abs=1e-6)


def test_a_latent_that_hardly_ever_fires_has_no_invariance() -> None:
    rate = [0.0, 5e-4, 1e-3, 1.1e-3]
    assert known(rate, rate).invariance().tolist() == pytest.approx([0, 0, 0, 1])


def test_a_latent_that_always_fires_has_a_finite_invariance() -> None:
    assert known([1.0], [1.0]).invariance().tolist() == [0.0]


def test_lift_is_how_much_likelier_a_latent_fires_where_it_fires_in_the_other_view() -> None:
    rate, both = [0.2, 0.2, 0.1, 0.1, 0.0], [0.2, 0.04, 0.1, 0.0, 0.0]
    assert known(rate, both).lift().tolist() == pytest.approx([5, 1, 10, 0, 1], rel=1e-5)


def test_lift_is_finite_for_the_rarest_latent() -> None:
    assert math.isfinite(known([1e-9], [1e-9]).lift().item())
