"""Rows of metrics: all properties of a metric, defined once, by the eval that measures it.

    METRICS = {
        "score": Metric(
            title="Score", description="Share of ...", direction=Direction.HIGHER, margin=0.02
        ),
    }

`register_eval(..., metrics=METRICS)` makes of the rows the models that results are checked against,
their JSON schema, the line on the terminal, `csae-bench list metrics`, and what `compare` judges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

SCORES = "scores"
PARTS = "parts"
"""Category of the terms that a score is made of."""
CORRECTED = "corrected"
"""Category of right values of what SAE-Bench computes otherwise. They lie in
`eval_result_unstructured.corrected`; a row's name is `corrected.<metric>`."""

ANY_VERSION = "0"


class Direction(StrEnum):
    """Direction of change of a value that counts as a gain."""

    HIGHER = "higher"
    LOWER = "lower"
    TARGET = "target"
    """Nearer to `Metric.target`."""
    NONE = "none"
    """Neither: it describes."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric's row."""

    title: str
    """Title for people."""
    description: str
    """Description, with its paper, the meaning of 0 and 1, and what it hides."""
    direction: Direction
    gist: str = ""
    """The same in a few words, where there is room for no more."""
    short: str = ""
    """Title in the line that a run prints for its eval, which already has the eval's name."""

    category: str = SCORES
    """Place in a result: the category of `eval_result_metrics`, or `corrected`."""
    low: float | None = 0.0
    """Least value; None: no bound."""
    high: float | None = 1.0
    """Largest value; None: no bound."""
    is_sae_bench: bool = False
    """Whether SAE-Bench computes it: stored as it writes it, never null (-1 stands for NaN), and
    not held to the range."""
    schema_title: str = ""
    """Title in the JSON schema, if SAE-Bench has published another one."""
    is_displayed: bool = True
    """Whether SAE-Bench's pages show it by default."""

    target: float | None = None
    """The best value, where the direction is TARGET."""
    unit: str = ""
    """Empty for a share or a score without unit."""
    gates: bool = True
    """Whether a gate may fail on it without an explicit policy; one without a direction
    never does."""
    margin: float | None = 0.01
    """Half width of what counts as equivalent; None: nothing does."""
    sd_between_seeds: float | None = None
    """Standard deviation between three training seeds of custom_sae on the bundled model
    (tiny-gemma2-it), all else equal; None: unknown."""
    comparable_from: str | None = ANY_VERSION
    """The first sae-bench version whose values compare with those of later ones; `0`: all do, as
    where SAE-Bench does not measure it; None: the same version only."""
    note: str = ""
    """Note for a reader of a comparison, or why it does not gate; a sentence."""
    fault: str = ""
    """What SAE-Bench computes otherwise than the description says, in sentences; the row's twin
    under `corrected` does not have it."""
    rank: int = 0
    """Rank in views that do not show all metrics of an eval: lower ranks come first, and of equal
    ranks those that come first in the table."""
    is_supporting: bool = False
    """Whether it accompanies a score, as a count or a baseline does: compared only if a rule
    names it."""

    parts: tuple[tuple[str, str], ...] = ()
    """Other metrics of the eval that explain it, shown next to it: name and words for a reader."""

    has_null: bool = False
    """Accompanied by `x_null_mean`, `x_adjusted` and `x_p` (category `chance`)."""
    permuted: str = "the factors"
    """What is permuted among the samples for the null, in words."""
    has_interval: bool = False
    """Accompanied by `x_low` and `x_high` (category `intervals`)."""
    has_held_out: bool = False
    """Accompanied by `x_held_out` (category `held_out`)."""
    has_poolings: bool = False
    """Accompanied by `x_mean` and `x_max` (category `poolings`): the same score of codes pooled
    over a prompt's tokens, where the score itself is of one token's."""
    compared: tuple[Literal["held_out", "adjusted"], ...] = ()
    """Those of these that are compared as well; they never gate."""
    is_by_factor: bool = False
    """Whether each entry of the details has its own value of it, with all that accompanies it."""

    def __post_init__(self) -> None:
        problems = [text for text, is_wrong in self._faults() if is_wrong]
        if problems:
            raise ValueError(f"metric '{self.title}': {'; '.join(problems)}")

    @property
    def may_gate(self) -> bool:
        """Whether a gate may fail on it."""
        return self.gates and self.direction is not Direction.NONE

    def _faults(self) -> Iterator[tuple[str, bool]]:
        low, high = self.low, self.high
        yield "it needs a title", not self.title.strip()
        yield "it needs a description", not self.description.strip()
        yield (
            f"direction is {self.direction!r}; it must be a Direction",
            not isinstance(self.direction, Direction),  # pyright: ignore[reportUnnecessaryIsInstance]
        )
        yield (
            "target and Direction.TARGET go together",
            (self.target is not None) != (self.direction is Direction.TARGET),
        )
        yield (
            f"low is {low} and high is {high}",
            low is not None and high is not None and not low < high,
        )
        yield (
            f"margin is {self.margin}; it must be above 0",
            self.margin is not None and not self.margin > 0,
        )
        there = {"held_out": self.has_held_out, "adjusted": self.has_null}
        for name in self.compared:
            yield f"compared names {name}, which it does not have", not there.get(name, False)


@dataclass(frozen=True, kw_only=True)
class Category:
    """A category of `eval_result_metrics`, for its JSON schema."""

    title: str
    description: str
    is_displayed: bool = False
    """Whether SAE-Bench's pages show it by default."""
    model: str = ""
    """Name of its model in the schema; empty: made of the eval's and the category's."""
    about: str = ""
    """Description of that model."""


CATEGORIES: Mapping[str, Category] = {
    SCORES: Category(
        title="Scores",
        description="The plain values, as their papers define them.",
        is_displayed=True,
    ),
    PARTS: Category(
        title="Parts",
        description="What a score is made of.",
    ),
    "chance": Category(
        title="Chance",
        description="Permutation nulls: each value compared with its distribution under permuted "
        "factors.",
    ),
    "intervals": Category(
        title="Intervals",
        description="95% percentile intervals from resampling whole templates.",
    ),
    "poolings": Category(
        title="Poolings",
        description="The values of codes pooled over all tokens of a prompt.",
    ),
    "held_out": Category(
        title="Held out",
        description="The values of latents chosen on half of the templates, on the other half.",
    ),
}
"""Name -> category. One that no metric of an eval has is left out of its results."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """The form in which results file their metrics."""

    categories: Mapping[str, Category] = field(default_factory=lambda: CATEGORIES)
    """In the order in which results have them."""
    about: str = ""
    """Description of the model of all metrics in the schema."""


FORM = Form()
"""Scores, and what accompanies them."""
