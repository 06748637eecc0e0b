"""csae_bench/comparison/verdicts.py."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from csae_bench.comparison.metrics import MetricSpec
from csae_bench.comparison.model import Comparison, Family, Verdict
from csae_bench.comparison.verdicts import Draft, conclude
from csae_bench.evals.metric_rows import Direction

SPREAD = (0.0, 0.001, -0.001, 0.002, -0.002)


def _draft(
    change: float,
    *,
    n: int = 5,
    gates: bool = True,
    spread: Sequence[float] = SPREAD,
    direction: Direction = Direction.HIGHER,
    start: float = 0.5,
    target: float | None = None,
    margin: float | None = None,
    noise_floor: float | None = None,
    sd: float | None = None,
) -> Draft:
    spec = MetricSpec(
        name="core.ce_loss_score",
        title="CE loss score",
        direction=direction,
        target=target,
        margin=margin,
        noise_floor=noise_floor,
        sd_between_seeds=sd,
    )
    return Draft(
        spec=spec,
        candidate=Family("release", "new"),
        baseline=Family("release", "old"),
        gates=gates,
        baseline_values=(start,) * n,
        candidate_values=tuple(start + change + noise for noise in spread[:n]),
    )


def _one(draft: Draft) -> Comparison:
    return conclude([draft], 0.05)[0]


@pytest.mark.parametrize(
    ("direction", "change", "verdict"),
    [
        (Direction.HIGHER, 0.05, Verdict.BETTER),
        (Direction.HIGHER, -0.05, Verdict.WORSE),
        (Direction.LOWER, 0.05, Verdict.WORSE),
        (Direction.LOWER, -0.05, Verdict.BETTER),
    ],
)
def test_the_direction_decides_which_change_is_a_gain(
    direction: Direction, change: float, verdict: Verdict
) -> None:
    assert _one(_draft(change, direction=direction)).verdict is verdict


@pytest.mark.parametrize(
    ("start", "change", "verdict"),
    [(0.7, 0.1, Verdict.BETTER), (0.7, -0.1, Verdict.WORSE), (1.2, 0.1, Verdict.WORSE)],
)
def test_a_metric_with_a_target_is_judged_by_its_distance(
    start: float, change: float, verdict: Verdict
) -> None:
    comparison = _one(_draft(change, start=start, direction=Direction.TARGET, target=1.0))
    assert comparison.verdict is verdict
    assert comparison.candidate_mean == pytest.approx(start + change)
    assert comparison.difference == pytest.approx(abs(start + change - 1) - abs(start - 1))


def test_a_metric_that_describes_has_an_interval_and_no_verdict() -> None:
    comparison = _one(_draft(0.05, direction=Direction.NONE))
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.interval is not None
    assert comparison.p_holm is None


def test_within_the_margin_is_equivalent_even_where_the_interval_leaves_out_zero() -> None:
    comparison = _one(_draft(0.004, margin=0.01))
    assert comparison.verdict is Verdict.EQUIVALENT
    assert comparison.interval is not None
    assert comparison.interval.low > 0


def test_the_same_in_every_pair_is_equivalent_without_a_margin() -> None:
    assert _one(_draft(0.0, spread=(0.0,) * 5)).verdict is Verdict.EQUIVALENT


def test_one_seed_is_inconclusive_where_nothing_is_known_of_the_spread() -> None:
    comparison = _one(_draft(0.4, n=1))
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "run more seeds" in comparison.reasons[0]


@pytest.mark.parametrize(
    ("change", "verdict"), [(-0.06, Verdict.WORSE), (-0.04, Verdict.INCONCLUSIVE)]
)
def test_one_seed_has_a_verdict_where_the_known_noise_floor_is_exceeded(
    change: float, verdict: Verdict
) -> None:
    assert _one(_draft(change, n=1, noise_floor=0.05)).verdict is verdict


@pytest.mark.parametrize(
    ("change", "verdict"), [(-0.06, Verdict.WORSE), (-0.02, Verdict.INCONCLUSIVE)]
)
def test_one_seed_has_a_verdict_where_the_known_sd_between_seeds_allows_it(
    change: float, verdict: Verdict
) -> None:
    # 1.96 * sqrt(2) * 0.015 = 0.042
    assert _one(_draft(change, n=1, sd=0.015)).verdict is verdict


def test_one_seed_must_exceed_the_noise_floor_as_well_as_the_spread() -> None:
    assert _one(_draft(-0.06, n=1, sd=0.01, noise_floor=0.1)).verdict is Verdict.INCONCLUSIVE


def test_holm_is_over_the_metrics_that_gate_alone() -> None:
    wide = (0.0, 0.02, -0.02, 0.03, -0.03)
    alone = _one(_draft(0.04, spread=wide))
    assert alone.verdict is Verdict.BETTER
    informing = [_draft(0.001, spread=wide, gates=False)] * 20
    gating = [_draft(0.001, spread=wide)] * 20
    assert conclude([_draft(0.04, spread=wide), *informing], 0.05)[0] == alone
    corrected = conclude([_draft(0.04, spread=wide), *gating], 0.05)[0]
    assert corrected.verdict is Verdict.INCONCLUSIVE
    assert corrected.p_holm == pytest.approx(min(21 * (alone.p or 0), 1))


def test_from_ten_pairs_on_an_objection_leaves_it_undecided() -> None:
    # the sign-flip test needs only symmetry; one huge difference makes t small and it large
    rising = tuple(0.1 + 0.001 * i for i in range(9))
    clear = _one(_draft(0.0, n=10, spread=(*rising, 0.1)))
    assert clear.verdict is Verdict.BETTER
    assert clear.permutation_p == pytest.approx(2 / 2**10)


def test_what_was_refused_keeps_its_verdict_and_reasons() -> None:
    draft = Draft(
        spec=MetricSpec(name="mig.mig", title="MIG"),
        candidate=Family("release", "new"),
        baseline=Family("release", "old"),
        gates=False,
        refused=Verdict.MISSING,
        notes=("The candidate has no such SAE.",),
    )
    comparison = _one(draft)
    assert (comparison.verdict, comparison.reasons) == (Verdict.MISSING, draft.notes)
    assert comparison.difference is None
