"""Metrics of SAE-Bench's tpp and scr, and of the values that correct them.

Importing this imports neither torch nor sae_bench.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from csae_bench.evals.metric_rows import CORRECTED, Direction, Metric

N = Literal[2, 5, 10, 20, 50, 100, 500]
"""The numbers of ablated latents that SAE-Bench has fields for."""

NS: tuple[int, ...] = get_args(N)

UNRELIABLE = (
    "Informs and does not gate: it does not separate good SAEs from bad ones reliably "
    "(arXiv:2605.18229)."
)
TPP_PARTS = ("total_metric", "intended_diff_only", "unintended_diff_only")
SCR_PARTS = ("scr_metric", "scr_dir1", "scr_dir2")

_SHARE: dict[str, Any] = {"low": -1.0, "high": 1.0}
_RATIO: dict[str, Any] = {"low": None, "high": None}
_TPP = {
    "total_metric": (
        "TPP",
        "Accuracy that a class's own probe loses when its latents are ablated, less what the "
        "other classes' probes lose; ablating the same latents for each class scores 0.",
        Direction.HIGHER,
    ),
    "intended_diff_only": (
        "TPP, the class's own probe",
        "Accuracy that a class's own probe loses when its latents are ablated.",
        Direction.NONE,
    ),
    "unintended_diff_only": (
        "TPP, the other probes",
        "Accuracy that the other classes' probes lose, on average.",
        Direction.NONE,
    ),
}
_SCR = {
    "scr_metric": (
        "SCR",
        "Share of the accuracy that a spurious correlation costs a probe which comes back when the "
        "latents of the other label are ablated, in the direction in which it costs more.",
        Direction.HIGHER,
    ),
    "scr_dir1": (
        "SCR, direction 1",
        "The same when the second label's latents are ablated and the first label is judged.",
        Direction.NONE,
    ),
    "scr_dir2": (
        "SCR, direction 2",
        "The same when the first label's latents are ablated and the second label is judged.",
        Direction.NONE,
    ),
}
_RIGHT_TPP = (
    " On the same test texts before and after, and for every SAE; the probes' epoch is chosen on "
    "texts kept from training."
)
_RIGHT_SCR = (
    " All that came back over all that was lost, over all pairs, on the same test texts for every "
    "SAE; null where next to nothing was lost, or where the directions tie."
)


def tpp_name(part: str, n: int) -> str:
    """Return the name of a part of TPP, as SAE-Bench has it."""
    return f"tpp_threshold_{n}_{part}"


def scr_name(part: str, n: int) -> str:
    """Return the name of a part of SCR, as SAE-Bench has it."""
    return f"{part}_threshold_{n}"


def _of(
    name: str, n: int, told: tuple[str, str, Direction], more: str, category: str,
    limits: dict[str, Any], *, is_main: bool, has_null: bool = False,
) -> dict[str, Metric]:  # fmt: skip
    """Return the rows of a value: SAE-Bench's, the corrected one, and what accompanies it."""
    title, text, direction = f"{told[0]}, top {n}", told[1], told[2]
    beside = {} if is_main else {"is_supporting": True}
    shared: dict[str, Any] = {"direction": direction, "gates": False, **limits, **beside}
    note = {"note": UNRELIABLE} if is_main else {}
    rows = {
        name: Metric(
            title=title, description=f"{text} {n} latents.", category=category,
            is_sae_bench=True, comparable_from=None, **note, **shared,
        ),
        f"corrected.{name}": Metric(
            title=f"{title}, corrected", description=f"{text} {n} latents.{more}",
            category=CORRECTED, short=f"n = {n}", **note, **shared,
        ),
    }  # fmt: skip
    accompanying = {"low": "The low end of the 95% interval", "high": "The high end of it"}
    texts = {end: f"{what}, from resampling test texts." for end, what in accompanying.items()}
    if has_null:
        texts["null_mean"] = "Mean over draws of as many random latents that are active."
    for suffix, description in texts.items():
        rows[f"corrected.{name}_{suffix}"] = Metric(
            title=f"{title}, corrected, {suffix.replace('_', ' ')}", description=description,
            direction=Direction.NONE, category=CORRECTED, is_supporting=True, **limits,
        )  # fmt: skip
    return rows


def _tpp_rows() -> dict[str, Metric]:
    rows: dict[str, Metric] = {}
    for part in TPP_PARTS:
        for n in NS:
            rows |= _of(
                tpp_name(part, n), n, _TPP[part], _RIGHT_TPP, "tpp_metrics", _SHARE,
                is_main=part == "total_metric",
            )  # fmt: skip
    return rows


def _scr_rows() -> dict[str, Metric]:
    rows: dict[str, Metric] = {}
    for part in SCR_PARTS:
        is_main = part == "scr_metric"
        for n in NS:
            rows |= _of(
                scr_name(part, n), n, _SCR[part], _RIGHT_SCR, "scr_metrics", _RATIO,
                is_main=is_main, has_null=is_main,
            )  # fmt: skip
    return rows


TPP_METRICS = _tpp_rows()
SCR_METRICS = _scr_rows()
