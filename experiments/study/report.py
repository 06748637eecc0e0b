"""docs/study.md and its figure out of the lines of finished runs.

Every number is computed from experiments/results; the words are those of study.md.j2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from csae_bench.comparison.statistics import PairedTest, holm, paired_test
from experiments.pages import write_page
from experiments.study.measures import BOUNDS, MEASURES, SEARCHED, SLICED, VALUE_MIG, Measure
from experiments.study.runs import lines, settings
from experiments.study.studies import ARM, PRIMARY, SEARCH, SHUFFLED, STUDIES, TWIN, Study

ALPHA = 0.05


SEARCH_TWINS = {"long": "long_no_terms", "block": "block_no_terms"}
"""Twins of candidates that have another than the comparison's."""


class Difference(NamedTuple):
    """A mean of paired differences."""

    test: PairedTest

    def __str__(self) -> str:
        text = f"{self.test.mean:+.3f}"
        if self.test.interval is not None:
            text += f" [{self.test.interval.low:+.3f}, {self.test.interval.high:+.3f}]"
        return text


class Row(NamedTuple):
    """A measure of every arm, and its differences to the twins."""

    title: str
    means: list[float]
    differences: list[Difference]


class Test(NamedTuple):
    """A test of the primary measure."""

    against: str
    difference: Difference
    p: float
    p_holm: float


class Bound(NamedTuple):
    """What the protocol asks of a mean of paired differences to the twin, and what it is."""

    title: str
    least: float
    most: float | None
    mean: float

    @property
    def is_kept(self) -> bool:
        """Whether the mean is as asked."""
        return self.mean >= self.least and (self.most is None or self.mean <= self.most)


class Primary(NamedTuple):
    """Result of the comparison, of the seeds of which every arm is finished."""

    n_seeds: int
    rows: list[Row]
    tests: list[Test]
    bounds: list[Bound]
    factors: list[Row]

    @property
    def is_better(self) -> bool:
        """Whether both tests say that the arm is better, and every bound is kept."""
        significant = all(
            test.p_holm < ALPHA and test.difference.test.mean > 0 for test in self.tests
        )
        return significant and all(bound.is_kept for bound in self.bounds)


class Slice(NamedTuple):
    """A further study: means of its arms, and differences of the first to the others."""

    n_seeds: int
    arms: list[str]
    rows: list[Row]
    factors: list[Row]


class Candidate(NamedTuple):
    """A candidate of the search."""

    name: str
    n_seeds: int
    cells: list[Difference]


class Search(NamedTuple):
    """Candidates, in the order of their value MIG."""

    seeds: list[int]
    rows: list[Candidate]


Lines = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Lines by arm and seed."""


def write(to: Path) -> None:
    """Write the page and its figure."""
    of_primary, of_search = _lines(PRIMARY.lines), _lines(SEARCH.lines)
    arms = {arm: settings(path) for arm, path in PRIMARY.arms.items()}
    training = arms[ARM]["training"]
    result = primary_result(of_primary) if of_primary else None
    write_page(
        Path(__file__).with_name("study.md.j2"),
        to,
        arms=arms,
        steps=training["n_tokens"] // training["batch_size"],
        n_seeds=len(PRIMARY.seeds),
        primary=result,
        search=search_result(of_search) if of_search else None,
        **{name: _slice(STUDIES[name]) for name in ("held_out", "smollm2")},
    )
    if result is not None:
        draw(of_primary, to.with_suffix(".svg"))


def primary_result(of_arms: Lines) -> Primary:
    """Compare the arms on the seeds of which all are finished."""
    arms = list(PRIMARY.arms)
    seeds = _common_seeds(of_arms, arms)
    tests = [_paired(of_arms, ARM, twin, seeds, VALUE_MIG).test for twin in (TWIN, SHUFFLED)]
    p_values = [1.0 if test.p is None else test.p for test in tests]
    return Primary(
        n_seeds=len(seeds),
        rows=[_row(of_arms, arms, seeds, measure) for measure in MEASURES],
        tests=[
            Test(against, Difference(test), p, p_holm)
            for against, test, p, p_holm in zip(
                (TWIN, SHUFFLED), tests, p_values, holm(p_values), strict=True
            )
        ],
        bounds=[
            Bound(measure.title, least, most, _paired(of_arms, ARM, TWIN, seeds, measure).test.mean)
            for measure, least, most in BOUNDS
        ],
        factors=[_row(of_arms, arms, seeds, measure) for measure in _by_factor(of_arms)],
    )


def slice_result(study: Study, of_arms: Lines) -> Slice:
    """Compare the first arm of a study with its others, on the seeds of which all are finished."""
    arms = list(study.arms)
    seeds = _common_seeds(of_arms, arms)
    return Slice(
        n_seeds=len(seeds),
        arms=arms,
        rows=[_row(of_arms, arms, seeds, measure) for measure in SLICED],
        factors=[_row(of_arms, arms, seeds, measure) for measure in _by_factor(of_arms)],
    )


def search_result(of_arms: Lines) -> Search:
    """Compare each candidate with its twin on the seeds that both have."""
    rows: list[Candidate] = []
    for name, of_seeds in of_arms.items():
        twin = SEARCH_TWINS.get(name, TWIN)
        seeds = [seed for seed in sorted(of_seeds) if seed in of_arms.get(twin, {})]
        if name not in (TWIN, *SEARCH_TWINS.values()) and seeds:
            cells = [_paired(of_arms, name, twin, seeds, measure) for measure in SEARCHED]
            rows.append(Candidate(name, len(seeds), cells))
    rows.sort(key=lambda row: -row.cells[0].test.mean)
    return Search(sorted({seed for of_seeds in of_arms.values() for seed in of_seeds}), rows)


def draw(of_arms: Lines, to: Path) -> None:
    """Draw value MIG by seed, a line for each seed from arm to arm."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    order = (TWIN, SHUFFLED, ARM)
    seeds = _common_seeds(of_arms, order)
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for seed in seeds:
        values = [_value(of_arms[arm][seed], VALUE_MIG.place) for arm in order]
        axes.plot(order, values, color="0.7", linewidth=1, marker="o", markersize=3)
    means = [_values(of_arms, arm, seeds, VALUE_MIG.place).mean() for arm in order]
    axes.plot(order, means, color="C0", linewidth=2.5, marker="o")
    axes.set_ylabel("value MIG, last token")
    axes.set_ylim(0)
    axes.set_title(f"{len(seeds)} seeds; blue: mean", fontsize=10)
    with rc_context({"svg.hashsalt": "study"}):
        figure.savefig(to, metadata={"Date": None})
    click.echo(f"wrote {to}")


def _slice(study: Study) -> Slice | None:
    of_arms = _lines(study.lines)
    result = slice_result(study, of_arms) if set(study.arms) <= set(of_arms) else None
    return result if result and result.n_seeds else None


def _lines(path: Path) -> dict[str, dict[int, dict[str, Any]]]:
    by_arm: dict[str, dict[int, dict[str, Any]]] = {}
    for line in lines(path):
        by_arm.setdefault(line["arm"], {})[line["seed"]] = line
    return by_arm


def _common_seeds(of_arms: Lines, arms: Sequence[str]) -> list[int]:
    return sorted(set.intersection(*(set(of_arms.get(arm, {})) for arm in arms)))


def _by_factor(of_arms: Lines) -> Iterator[Measure]:
    some = next(line for of_seeds in of_arms.values() for line in of_seeds.values())
    for factor in some["controls"]["value_mig_by_factor"]:
        yield Measure(factor, f"controls/value_mig_by_factor/{factor}")


def _row(of_arms: Lines, arms: Sequence[str], seeds: Sequence[int], measure: Measure) -> Row:
    arm, *twins = arms
    places = [measure.place, *[measure.twin_place or measure.place] * len(twins)]
    means = [
        float(_values(of_arms, one, seeds, place).mean())
        for one, place in zip(arms, places, strict=True)
    ]
    differences = [_paired(of_arms, arm, twin, seeds, measure) for twin in twins]
    return Row(measure.title, means, differences)


def _paired(
    of_arms: Lines, arm: str, twin: str, seeds: Sequence[int], measure: Measure
) -> Difference:
    of_arm = _values(of_arms, arm, seeds, measure.place)
    of_twin = _values(of_arms, twin, seeds, measure.twin_place or measure.place)
    differences = of_arm / of_twin - 1 if measure.is_relative else of_arm - of_twin
    return Difference(paired_test(differences, alpha=ALPHA))


def _values(
    of_arms: Lines, arm: str, seeds: Sequence[int], place: str
) -> Float[NDArray[np.float64], " n_seeds"]:
    return np.array([_value(of_arms[arm][seed], place) for seed in seeds], dtype=np.float64)


def _value(line: Mapping[str, Any], place: str) -> float:
    value: Any = line
    for key in place.split("/"):
        value = value[key]
    return float("nan") if value is None else value
