"""The requests that the options of run, train and doctor stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from csae_bench.runs.request import RunRequest


def requests_of(
    *,
    sources: tuple[str, ...],
    evals: tuple[str, ...] | None,
    preset: str | None,
    eval_seeds: int | None,
    sets: tuple[str, ...],
    sweep: Path | None,
    **flags: Any,
) -> list[RunRequest]:
    """Return a request for each SAE, and for each combination of the sweep.

    Raises:
        UsageError: a pattern matches nothing, or no preset has this name.
        ConfigError: the sweep is no grid.
    """
    from csae_bench.runs.request import RunRequest
    from csae_bench.runs.sources import expanded
    from csae_bench.runs.sweep import read_sweep

    if evals == ("all",):
        from csae_bench.evals import discover

        evals = tuple(discover())
    combinations: list[tuple[str, ...]] = [()]
    if sweep is not None:
        given = [text.partition("=")[0] for text in sets]
        given += [key for key in ("seed", "model", "device") if flags.get(key) is not None]
        given += [] if evals is None else ["evals"]
        combinations = read_sweep(sweep, given=given)
    repeated = _of_preset(preset)
    if eval_seeds is not None:
        repeated["eval_seeds"] = eval_seeds
    return [
        RunRequest(
            source=source,
            evals=evals,
            sets=(*sets, *combination),
            progress=False,
            **repeated,
            **flags,
        )
        for source in expanded(sources)
        for combination in combinations
    ]


def _of_preset(preset: str | None) -> dict[str, Any]:
    """Return the fields of a request that a preset decides."""
    if preset is None:
        return {}
    from csae_bench.evals import preset_settings
    from csae_bench.evals.presets import EVAL_SEEDS

    settings = preset_settings(preset)
    return {"preset": preset, "preset_settings": settings, "eval_seeds": EVAL_SEEDS[preset]}
