"""csae_bench/engines/autointerp/reporting.py."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np

from csae_bench.engines.autointerp import reporting
from csae_bench.engines.autointerp.fields import METRICS


@dataclass(frozen=True)
class Examples:
    is_active: tuple[bool, ...]
    fires: tuple[bool, ...]
    is_random: tuple[bool, ...]


@dataclass(frozen=True)
class Latent:
    latent: int
    predictions: tuple[int, ...]
    examples: Examples
    explanation: str = 'the word "a"'
    score: float = 0.5


@dataclass(frozen=True)
class Outcome:
    latents: tuple[Latent, ...] = ()
    n_drawn: int = 2
    n_without_examples: int = 0
    unparsed: tuple[str, ...] = field(default=())
    negative_share: float = 0.0


ACTIVE = (True, True, False, False)
RANDOM = (False, False, True, True)
SPARSE = Latent(3, (1, 2), Examples(ACTIVE, ACTIVE, RANDOM))
DENSER = Latent(7, (1, 2, 3, 9), Examples(ACTIVE, (True, True, True, False), RANDOM))


def corrected(outcome: Outcome, control: Outcome | None = None) -> reporting.Corrected:
    return reporting.corrected(
        outcome, control, control, n_resamples=1000, seed=0, rng=np.random.default_rng(0)
    )


def test_every_corrected_value_has_a_row_and_every_row_a_value() -> None:
    rows = {name.removeprefix("corrected.") for name in METRICS if name.startswith("corrected.")}
    assert set(corrected(Outcome((SPARSE, DENSER))).values) == rows


def test_wrong_labels_are_counted_and_left_out() -> None:
    values = corrected(Outcome((SPARSE, DENSER))).values
    assert values["autointerp_score"] == values["balanced_accuracy"] == 1.0
    assert values["wrong_label_share"] == 0.25
    entries = reporting.latents(Outcome((SPARSE, DENSER)))
    assert [entry["wrongly labelled"] for entry in entries] == [[], [3]]
    assert entries[1]["predictions"] == [1, 2, 3, 9]  # as the judge said; there is no ninth example
    json.dumps(entries, allow_nan=False)


def test_what_is_null_has_a_reason() -> None:
    none = corrected(Outcome((), n_drawn=0))
    assert {name for name, value in none.values.items() if value is None} == set(none.reasons)
    assert none.values["n_latents_scored"] == 0
    one = corrected(Outcome((SPARSE,)), Outcome((SPARSE,)))
    assert one.values["judge_known"] == 1.0
    assert one.reasons == {
        f"{name}_{end}": "there is one latent, nothing to resample"
        for name in ("balanced_accuracy", "autointerp_score")
        for end in ("low", "high")
    }


def test_a_reader_is_warned_of_what_the_score_leaves_out() -> None:
    outcome = Outcome((SPARSE,), 4, 2, ("Well, the first.",), 0.25)
    said = reporting.warnings(outcome, 50)
    assert [line.split(";")[0] for line in said] == [
        "1 answers of the judge could not be parsed, such as 'Well, the first.'",
        "4 latents are alive on this text",
        "2 of 4 latents fire too rarely to be judged",
        "25% of the latents' codes are negative, which SAE-Bench takes for silence",
    ]
    assert reporting.warnings(Outcome((SPARSE, DENSER)), 2) == []
