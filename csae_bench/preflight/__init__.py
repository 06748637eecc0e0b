"""Preflight: finds what would fail, before it costs anything.

Each check looks at one thing and says ok, a problem, or that it cannot be checked here. Nothing is
loaded: sizes come from configs, fingerprints from files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from csae_bench.preflight import costs, data, evals, machine, objective, training
from csae_bench.preflight.check import Check, Findings, problems
from csae_bench.preflight.evals import eval_settings
from csae_bench.runs.resolving import ResolvedSae

__all__ = ["Check", "eval_settings", "preflight", "problems"]


_OF_TRAINING = ("steps", "objective", "curriculum", "pairs", "gpus")


def preflight(
    sae: ResolvedSae, *, results: Path, device: str | None = None, preset: str | None = None
) -> list[Check]:
    """Run all checks of an SAE, in the order in which the run would need what they check.

    Args:
        results: the folder that the run would write to.
        device: what `--device` asked for, if anything; a GPU that only the configuration names
            and this machine lacks is `unknown`, one that the flag asks for is a problem.
        preset: what `--preset` asked for, if anything.
    """
    checks: list[tuple[str, Callable[[], Findings]]] = [
        ("steps", lambda: training.steps(sae.config)),
        ("settings", lambda: training.settings(sae)),
        ("objective", lambda: objective.objective(sae)),
        ("curriculum", lambda: objective.curriculum(sae)),
        ("model", lambda: data.model(sae)),
        ("data", lambda: data.data(sae)),
        ("pairs", lambda: objective.pairs(sae)),
        ("evals", lambda: evals.evals(sae)),
        ("costs", lambda: costs.costs(sae, preset)),
        ("weights", lambda: data.weights(sae, results)),
        ("device", lambda: machine.device(sae, asked=device)),
        ("memory", lambda: machine.memory(sae)),
        ("gpus", lambda: machine.gpus(sae)),
        ("results", lambda: machine.results(sae, results)),
    ]
    if not sae.config.is_trained:
        checks = [check for check in checks if check[0] not in _OF_TRAINING]
    return [Check(name, *finding) for name, find in checks for finding in find()]
