"""Result sets whose truth is known, made in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from csae_bench.comparison.model import Condition, Family, Reading, ResultSet, RunReading

RELEASE = "tiny-gemma2-it_layer_2_sae"

Values = Mapping[str, Sequence[float | None]]
"""Metric -> its value for each seed."""


def readings(
    name: str,
    values: Values,
    *,
    seeds: Sequence[int | None] | None = None,
    release: str = RELEASE,
    curve: str = "",
    conditions: Mapping[str, Condition] | None = None,
    invalid: tuple[str, ...] = (),
) -> list[Reading]:
    """One family's results, one reading an eval and seed."""
    n = max(len(of_metric) for of_metric in values.values())
    collected: list[Reading] = []
    for eval_name in dict.fromkeys(metric.split(".")[0] for metric in values):
        for i, seed in enumerate(range(n) if seeds is None else seeds):
            sae_id = name if seed in (0, None) else f"{name}_seed{seed}"
            of_eval = {m: v[i] for m, v in values.items() if m.split(".")[0] == eval_name}
            collected.append(
                Reading(
                    path=Path(eval_name, f"{release}_{sae_id}_eval_results.json"),
                    eval_name=eval_name,
                    family=Family(release, name),
                    sae_id=sae_id,
                    seed=seed,
                    values=of_eval,
                    reasons={m: "no latent is active" for m, v in of_eval.items() if v is None},
                    conditions={"model": "tiny-gemma2-it"} if conditions is None else conditions,
                    invalid=invalid,
                    curve=curve or name,
                )
            )
    return collected


def run(name: str, status: str, *, seed: int = 0, **cells: str) -> RunReading:
    """A run record of that status, with these cells."""
    sae_id = name if seed == 0 else f"{name}_seed{seed}"
    return RunReading(
        path=Path("runs", f"{RELEASE}_{sae_id}.json"),
        family=Family(RELEASE, name),
        sae_id=sae_id,
        seed=seed,
        status=status,
        problems=() if status == "ok" else (f"it is {status}",),
        cells=cells,
    )


def results(*families: list[Reading], runs: Sequence[RunReading] = ()) -> ResultSet:
    """A folder that holds these."""
    return ResultSet(
        root=Path("results"),
        readings=tuple(reading for family in families for reading in family),
        runs=tuple(runs),
    )
