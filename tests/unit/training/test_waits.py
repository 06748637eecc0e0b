"""A training step waits for the device nowhere new; tests/gpu counts waits where there is a GPU."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import csae_bench

PACKAGE = Path(csae_bench.__file__).parent
PER_STEP = (
    *(
        f"saes/{name}.py"
        for name in (
            "active_codes",
            "heads",
            "l0_controller",
            "losses/latents",
            "losses/presence",
            "losses/samples",
            "losses/shifts",
            "losses/term",
            "mixing",
            "objective",
            "pair_ids",
            "profiles",
            "running_mean",
            "similarities",
            "statistics",
            "step",
            "views",
        )
    ),
    "training/finite.py",
    "training/loop.py",
    "training/objective_schedule.py",
)
"""Modules that run in every step on a GPU; `saes/sparse_batchtopk.py` does on a CPU alone."""

WAITING_METHODS = frozenset({"item", "tolist", "cpu", "numpy", "nonzero", "argwhere"})
"""Of a tensor on a GPU, these wait until the device has computed it."""

KNOWN = Counter(
    {
        # the number of things compared, which the log shows and a term of nothing is known by
        "saes/losses/samples.py _info_nce": 1,
        "saes/losses/samples.py triplet": 1,
        "saes/losses/latents.py columns": 1,
        "saes/losses/presence.py push_up": 2,
        "saes/losses/shifts.py sparse_shift": 1,
        "saes/losses/shifts.py swap": 1,
        # which latents and rows are chosen decides the shapes of what follows
        "saes/losses/latents.py cross_view": 1,
        "saes/objective.py _changed": 1,
        "saes/mixing.py mix": 1,
        "saes/similarities.py sample_latents": 1,
        "saes/active_codes.py ActiveCodes.split": 1,
        "saes/active_codes.py ActiveCodes.of_rows": 1,
        "saes/active_codes.py weighted_block": 1,
        "saes/active_codes.py places": 2,
        # values without a profile would be an index error on the device, which says nothing
        "saes/profiles.py ValueProfiles.update": 1,
        # on a CPU a fifth of the time of counting in the dense matrix
        "saes/statistics.py _parts": 1,
        "saes/views.py Views.firings": 1,
        # not in every step: at an error, where a line is logged, before the first step
        "training/finite.py check_finite": 2,
        "training/loop.py ContrastiveSAETrainer.last_loss": 1,
        "training/loop.py ContrastiveSAETrainer._write_log": 1,
        "training/loop.py ContrastiveSAETrainer._estimate_scaling": 1,
        # where gradients are measured; L0 that is held; and a term that does nothing is to stop
        # the training
        "training/objective_schedule.py _measurement": 1,
        "training/objective_schedule.py ObjectiveSchedule.learn": 1,
        "training/objective_schedule.py _Idle.see": 1,
    }
)
"""Waits that are there on purpose, by function."""


def waits(source: str) -> Counter[str]:
    """Calls that wait for a tensor, by the name of the function that they stand in."""
    counted: Counter[str] = Counter()

    def look(node: ast.AST, within: tuple[str, ...]) -> None:
        for child in ast.iter_child_nodes(node):
            inside = within
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inside = (*within, child.name)
            if isinstance(child, ast.Call) and _waits(child):
                counted[".".join(within)] += 1
            look(child, inside)

    look(ast.parse(source), ())
    return counted


def _waits(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in WAITING_METHODS
    converts = isinstance(call.func, ast.Name) and call.func.id in ("int", "float", "bool")
    return converts and any(_reduces(argument) for argument in call.args)


def _reduces(argument: ast.expr) -> bool:
    """Whether it may be a tensor that was just computed: `x.sum()`, `(a != b).any()`."""
    return isinstance(argument, ast.Call) and isinstance(argument.func, ast.Attribute)


@pytest.mark.parametrize("module", PER_STEP)
def test_step_waits_for_the_device_nowhere_else(module: str) -> None:
    source = (PACKAGE / module).read_text(encoding="utf-8")
    counted = Counter({f"{module} {function}": n for function, n in waits(source).items()})
    assert counted - KNOWN == Counter(), "keep it on the device, or say in KNOWN why it must wait"


@pytest.mark.parametrize(
    "line",
    ["x.sum().item()", "int(x.sum())", "bool((a != b).any())", "x.nonzero()", "x.cpu()"],
)
def test_wait_is_found(line: str) -> None:
    assert waits(f"class A:\n    def step(self, x, a, b):\n        return {line}\n") == {
        "A.step": 1
    }


def test_what_computes_no_tensor_is_no_wait() -> None:
    assert waits("def f(n, x):\n    return int(n), float(2 * n), x.sum()\n") == Counter()
