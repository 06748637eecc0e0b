"""Metrics of SAE-Bench's sparse_probing, and of the values that correct them.

Importing this imports neither torch nor sae_bench.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from csae_bench.evals.metric_rows import CORRECTED, Direction, Metric

K = Literal[1, 2, 5, 10, 20, 50, 100]
"""The numbers of latents that SAE-Bench has fields for."""

KS: tuple[int, ...] = get_args(K)

_NOT_OF_SAE = "Describes the language model, not the SAE."
_CHOSEN_ON_TEST = "The probe's epoch is the one that is best on the test texts, so it flatters."
_RIGHT = (
    "On the same texts for every SAE, whatever was judged before; the epoch of a dense probe is "
    "chosen on texts kept from training."
)


def _accuracy(of: str) -> str:
    return f"Share of test texts that {of} classifies correctly; 0.5 is chance. Mean over classes."


def _raw(title: str, of: str, category: str, **more: Any) -> Metric:
    return Metric(
        title=title,
        description=_accuracy(of),
        category=category,
        is_sae_bench=True,
        comparable_from=None,
        **more,
    )


def _right(title: str, of: str, **more: Any) -> Metric:
    return Metric(
        title=f"{title}, corrected",
        description=f"{_accuracy(of)} {_RIGHT}",
        category=CORRECTED,
        **more,
    )


def _end(title: str, end: str) -> Metric:
    return Metric(
        title=f"{title}, {end} end",
        description=f"The {end} end of the 95% interval, from resampling test texts.",
        direction=Direction.NONE,
        category=CORRECTED,
        is_supporting=True,
    )


_OF_LLM: dict[str, Any] = {"direction": Direction.NONE, "rank": 1, "note": _NOT_OF_SAE}
_TITLES = {
    **{f"sae_top_{k}": (f"Sparse probing, top {k}", f"a probe on {k} latents") for k in KS},
    "sae": ("Probe on all latents", "a dense probe on all latents"),
    "llm": ("Probe on activations", "a dense probe on the model's activations"),
    **{
        f"llm_top_{k}": (f"Probe on activations, top {k}", f"a probe on {k} channels")
        for k in KS
    },
}  # fmt: skip
PROBES = tuple(_TITLES)
"""Names of the probes, of which each metric is one's `_test_accuracy`."""


def _rows() -> dict[str, Metric]:
    rows: dict[str, Metric] = {}
    for probe, (title, of) in _TITLES.items():
        name, side = f"{probe}_test_accuracy", probe.partition("_")[0]
        is_llm, is_dense = side == "llm", probe in ("sae", "llm")
        more: dict[str, Any] = _OF_LLM if is_llm else {"direction": Direction.HIGHER}
        note = {} if is_llm or not is_dense else {"note": _CHOSEN_ON_TEST}
        rows[name] = _raw(title, of, side, gates=not is_dense, **note, **more)
        short = "dense" if is_llm else f"k = {probe.rpartition('_')[2]}"
        rows[f"corrected.{name}"] = _right(
            title, of, short=short if probe != "sae" else "all latents", gates=False, **more
        )
        for end in ("low", "high"):
            rows[f"corrected.{name}_{end}"] = _end(rows[f"corrected.{name}"].title, end)
    return rows


METRICS = _rows()
