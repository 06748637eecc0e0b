"""Content of the browsable page of the probing eval.

Numbers that may be undefined are `ShownNumber`: None with the reason, which the page shows as a
dash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class ShownNumber(NamedTuple):
    """A number with its 95% interval if it has one, or the reason why there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    """Why `value` is None; empty where it is not."""


class ValueName(NamedTuple):
    """A value of a factor."""

    factor: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Headline:
    """One of the scores at the top of the page."""

    title: str
    description: str
    estimate: ShownNumber


@dataclass(frozen=True, kw_only=True)
class ProbeScores:
    """Scores of a probe on held-out templates, 0 to 1 each."""

    accuracy: ShownNumber
    balanced_accuracy: ShownNumber
    auroc: ShownNumber


@dataclass(frozen=True, kw_only=True)
class BestLatent:
    """A latent informative about a value."""

    index: int
    information: ShownNumber
    """Information on whether a prompt has the value, in units of the value's entropy, 0 to 1."""
    firing_rate: float
    """Share of the prompts in which its code is not 0."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Effect of intervening on a latent on the model's next-token predictions, in log-odds."""

    operation: str
    """Operation, such as `ablate` or `clamp`."""
    latent: int
    own: ShownNumber
    """Change of the log-odds of the value's own word."""
    others: ShownNumber
    """Mean absolute change of the other factors' words."""
    specificity: ShownNumber
    """How much more it moves its own word than others'; `specificity_description` says how."""
    control: ShownNumber
    """`own` for a matched random latent."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """Results for one value of a factor."""

    value: str
    n_prompts: int
    probes: Mapping[int, ProbeScores]
    """By k, the number of latents; in the order in which they are shown."""
    dense: ProbeScores | None
    """The probe on the model's activations, the ceiling; None where there is none."""
    best_latents: tuple[BestLatent, ...]
    """Best latents, the best first."""
    effects: tuple[Effect, ...]
    no_effect_reason: str = ""
    """Why `effects` is empty; empty where it is not."""


@dataclass(frozen=True, kw_only=True)
class ShownAbsorption:
    """Rate at which a parent's latent is silent where a child's fires."""

    parent: ValueName
    parent_latent: int | None
    child: ValueName
    child_latent: int | None
    rate: ShownNumber
    """Share of the prompts, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A factor and its values."""

    name: str
    description: str
    """A line next to its name; may be empty."""
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt that a latent is active in."""

    tokens: tuple[str, ...]
    """As the tokenizer cuts the text, spaces included."""
    activations: tuple[float, ...]
    """The latent's code at each token."""
    pooled: float
    """The prompt's one code, which the eval's numbers rest on."""


@dataclass(frozen=True, kw_only=True)
class Latent:
    """Results for one latent."""

    index: int
    firing_rate: float
    """Share of the prompts in which its code is not 0."""
    max_activation: float
    selectivity: ShownNumber
    entropy: ShownNumber
    assigned_values: tuple[ValueName, ...]
    """Values that it stands for; may be empty."""
    information: tuple[float | None, ...]
    """On each value, in the order of `ProbingPage.value_names`; None is left blank."""
    prompts: tuple[Prompt, ...]
    """The most active first."""


@dataclass(frozen=True, kw_only=True)
class ProbingPage:
    """Everything that the page shows.

    Raises:
        ValueError: lengths that must agree do not; a latent or a value occurs twice; or a
            value is named that no factor has.
    """

    title: str
    sae_id: str
    model: str
    """Empty where the SAE has none."""
    hook_name: str
    d_sae: int
    facts: Mapping[str, str]
    """Name -> text: data, split, pooling, numbers of prompts and templates, and the like."""
    headline: tuple[Headline, ...]
    factors: tuple[Factor, ...]
    latents: tuple[Latent, ...]
    """Latents that are shown: a few hundred, not all of `d_sae`."""
    absorption: tuple[ShownAbsorption, ...]
    no_absorption_reason: str = ""
    """Why `absorption` is empty; empty where it is not."""
    selectivity_description: str = ""
    """Definition of `Latent.selectivity` and its range, in a sentence."""
    entropy_description: str = ""
    """The same for `Latent.entropy`."""
    specificity_description: str = ""
    """The same for `Effect.specificity`."""
    effect_description: str = "Change of log-odds, with 95% intervals."
    """Definition of `Effect.own`, `others` and `control`, and the meaning of their sign."""
    warnings: tuple[str, ...] = ()
    """Warnings that a reader of the numbers must know, a sentence each."""

    def __post_init__(self) -> None:
        """Check the invariants that the page relies on."""
        _each_once("value", self.value_names)
        _each_once("latent", (latent.index for latent in self.latents))
        known = set(self.value_names)
        for entry in self.absorption:
            _known(known, (entry.parent, entry.child), "absorption")
        n_values = len(self.value_names)
        for latent in self.latents:
            if len(latent.information) != n_values:
                raise ValueError(
                    f"latent {latent.index} has information on {len(latent.information)} values; "
                    f"the page has {n_values}."
                )
            _known(known, latent.assigned_values, f"latent {latent.index}")
            for prompt in latent.prompts:
                if len(prompt.tokens) != len(prompt.activations):
                    raise ValueError(
                        f"A prompt of latent {latent.index} has {len(prompt.tokens)} tokens and "
                        f"{len(prompt.activations)} activations; there must be one for each token."
                    )

    @property
    def value_names(self) -> tuple[ValueName, ...]:
        """Every value of every factor, in order."""
        return tuple(
            ValueName(factor.name, value.value)
            for factor in self.factors
            for value in factor.values
        )


def _each_once(what: str, names: Iterable[object]) -> None:
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name} stands on the page twice.")
        seen.add(name)


def _known(known: set[ValueName], names: Iterable[ValueName], where: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where} names {name}, which is no value of the page's factors.")
