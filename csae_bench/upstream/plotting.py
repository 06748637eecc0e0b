"""Marks and colours of our SAEs in SAE-Bench's own plots.

    from sae_bench.sae_bench_utils.graphing_utils import plot_results
    from csae_bench.upstream.plotting import trainer_colors, trainer_markers

    plot_results(eval_files, core_files, "unlearning", "figures/unlearning",
                 trainer_markers=trainer_markers(), trainer_colors=trainer_colors())

Without them `plot_results` of sae-bench 0.6.0 raises KeyError for an architecture that its tables
lack: it gives new ones a mark in one of its two figures only. Give it paths that are relative to
the results folder: it tells evals apart by substrings of the whole path, so `scratch/core/...`
would be read as SCR.
"""

from __future__ import annotations

from csae_bench.config.baselines import BASELINES

OURS: dict[str, tuple[str, str]] = {
    "batchtopk": ("s", "purple"),
    "matryoshka_batchtopk": ("*", "brown"),
    "abstopk": ("^", "teal"),
    "matching_pursuit": ("P", "olive"),
    "contrastive": ("o", "deeppink"),
    "contrastive_topk": ("^", "deeppink"),
    "contrastive_batchtopk": ("s", "deeppink"),
    "contrastive_jumprelu": ("X", "deeppink"),
    "contrastive_matryoshka_batchtopk": ("*", "deeppink"),
    **{name: (row.mark, row.colour) for name, row in BASELINES.items()},
}
"""Architecture -> mark and colour. A contrastive one has the mark of its backbone."""


def trainer_markers() -> dict[str, str]:
    """Return SAE-Bench's marks and ours, by architecture."""
    from sae_bench.sae_bench_utils.graphing_utils import TRAINER_MARKERS

    return {**TRAINER_MARKERS, **{name: mark for name, (mark, _) in OURS.items()}}


def trainer_colors() -> dict[str, str]:
    """Return SAE-Bench's colours and ours, by architecture; the same architectures as the marks."""
    from sae_bench.sae_bench_utils.graphing_utils import TRAINER_COLORS

    return {**TRAINER_COLORS, **{name: colour for name, (_, colour) in OURS.items()}}
