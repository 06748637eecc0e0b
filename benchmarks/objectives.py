"""Does the contrastive objective help? Each term and the whole, on tinyworld.

`python -m benchmarks.objectives --seeds 0 1 2 --to FOLDER` trains every variant of one backbone
with paired seeds, on the same rows in the same order, and prints each measure's difference to the
twin without any term, with its 95% t interval over the seeds. What is trained already in FOLDER is
not trained again, so two processes with different seeds can share the work.

Measures, all on text that no training saw: on the tinyworld factor grid, `held_out_value_mig` and
its `best_information` (latents chosen on half of the templates, scored on the others); absorption
on the topic tree, the share of the positions with the best latent of a topic active at which its
domain's is silent; explained variance, cross-entropy score, L0, dead latents, pair separation.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.recorded_batches import recorded
from csae_bench.config.loss_terms import LOSS_TERMS

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

_MIXTURE = [
    "pairs.same_sequence.weight=0.5",
    "pairs.paraphrase.weight=0.5",
    "pairs.minimal.weight=0",
    "sae.losses.sparse_shift.weight=0",
]


def _terms(**weights: float) -> list[str]:
    """Return flags that switch these terms on after 7% of 800 steps, rising for 216; others off."""
    return [
        "training.curriculum=[{name: reconstruction, until: 0.07, strength: 0},"
        " {name: contrast, until: 1}]",
        *(f"sae.losses.{name}.weight={weights.get(name, 0)}" for name in LOSS_TERMS),
        *(f"sae.losses.{name}.warm_up_steps=216" for name in weights),
        "sae.losses.rows.temperature=0.2",
    ]


class Variant(NamedTuple):
    """A variant to train."""

    rows: str
    """Variants of the same rows are twins; the first of them is the one without terms."""
    sets: list[str]
    config: str = "custom_sae"


def _seeing_paraphrases(*names: str) -> list[str]:
    return [f"sae.losses.{name}.pairs=[paraphrase]" for name in names]


_AGREEMENT = _terms(cross_view=0.7, push_up=0.2)

VARIANTS: dict[str, Variant] = {
    "lambda 0": Variant("mixture", [*_MIXTURE, *_terms()]),
    "rows": Variant("mixture", [*_MIXTURE, *_terms(rows=0.2)]),
    "columns": Variant("mixture", [*_MIXTURE, *_terms(columns=0.2)]),
    "mixing": Variant("mixture", [*_MIXTURE, *_terms(mixing=0.2)]),
    "cross_view + push_up": Variant("mixture", [*_MIXTURE, *_AGREEMENT]),
    "the same, shuffled": Variant("mixture", [*_MIXTURE, *_AGREEMENT, "pairs.shuffled=true"]),
    "cross_view + push_up, paraphrases": Variant(
        "mixture",
        [*_MIXTURE, *_AGREEMENT, *_seeing_paraphrases("cross_view", "push_up")],
    ),
    "rows + mixing": Variant("mixture", [*_MIXTURE, *_terms(rows=0.2, mixing=0.2)]),
    # both kinds of pairs in every stage, so that its rows are those of the other variants
    "full": Variant(
        "mixture",
        [
            *_MIXTURE,
            "training.curriculum.1.pairs=[same_sequence, paraphrase]",
            "training.curriculum.1.strength={mixing: 0, cross_view: 0, push_up: 0}",
        ],
        "contrastive_full",
    ),
}
"""Half of a batch's rows are pairs of positions of one text, the other half paraphrases."""

_DIFFERENCES = ("best_information", "value_mig", "absorption", "ev", "ce_score", "separation")
_PLAIN = ("l0", "alive", "seconds")


def main() -> None:
    """Train what is missing, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--set", dest="sets", action="append", default=[], help="for all variants")
    parser.add_argument("--table", action="store_true", help="print the table of what is there")
    options = parser.parse_args()
    if not options.table:
        for seed in options.seeds:
            for variant in options.variants:
                _measured(options, variant, seed)
    _print_table(options)


def _file(options: argparse.Namespace, variant: str, seed: int) -> Path:
    return options.to / f"{variant.replace(' ', '_')}_seed{seed}.json"


def _measured(options: argparse.Namespace, variant: str, seed: int) -> dict[str, float]:
    path = _file(options, variant, seed)
    if path.exists():
        return json.loads(path.read_text())
    import torch

    torch.set_num_threads(1)
    from csae_bench import models
    from csae_bench.config.loading import load_config
    from csae_bench.training.train import train

    rows, sets, config = VARIANTS[variant]
    resolved = load_config(config, sets=[*sets, *options.sets], seed=seed)
    model = models.load(resolved.config.model)
    folder = options.to / "checkpoints" / path.stem
    with recorded(options.to / f"{rows}_seed{seed}", resolved.config, model):
        outcome = train(resolved, model, folder, progress=False)
    measures = {
        "separation": outcome.pair_separation or math.nan,
        "l0": outcome.l0_inference or math.nan,
        "seconds": outcome.wall_seconds,
        **_measure(resolved, model, folder),
    }
    path.write_text(json.dumps(measures))
    print(variant, seed, {k: round(v, 4) for k, v in measures.items()}, flush=True)
    return measures


def _measure(resolved: Any, model: Any, folder: Path) -> dict[str, float]:
    import torch
    from sae_lens import SAE

    from csae_bench.runs.vital_signs import vital_signs
    from csae_bench.training.data import held_out_stream, hook_name

    sae = SAE.load_from_disk(folder / "inference")
    hook = hook_name(resolved.config)
    signs = vital_signs(sae, config=resolved.config, model=model, hook_name=hook)
    assert signs.ce_loss_with_ablation is not None
    assert signs.ce_loss_with_sae is not None
    assert signs.ce_loss_without_sae is not None
    stream = held_out_stream(resolved.config, model)
    x = torch.cat([next(stream) for _ in range(8)])
    with torch.no_grad():
        codes = sae.encode(x)
        error = (x - sae.decode(codes)).square().sum()
    alive = codes.bool().any(0).float().mean().item()
    return {
        "ev": 1 - (error / (x - x.mean(0)).square().sum()).item(),
        "ce_score": (signs.ce_loss_with_ablation - signs.ce_loss_with_sae)
        / (signs.ce_loss_with_ablation - signs.ce_loss_without_sae),
        "alive": alive,
        **_on_factors(sae, model, hook),
    }


def _on_factors(sae: Any, model: Any, hook: str) -> dict[str, float]:
    from csae_bench.factors import open_factors
    from csae_bench.factors.encoding import codes_of_prompts
    from csae_bench.metrics.data import Codes
    from csae_bench.metrics.mig import value_mig
    from csae_bench.metrics.splits import held_out_value_mig, split_clusters

    dataset = open_factors("tinyworld")
    codes = Codes.of(codes_of_prompts(sae, model, dataset, hook).codes)
    held_out = held_out_value_mig(codes, dataset.table, split_clusters(dataset.templates))
    best_latents = value_mig(codes, dataset.table).best_latents
    assert held_out.value is not None
    of_factors = [value for value in held_out.best_information.values() if value is not None]
    return {
        "best_information": sum(of_factors) / len(of_factors),
        "value_mig": held_out.value,
        "absorption": _absorption(sae, model, hook, dataset, best_latents),
    }


def _absorption(
    sae: Any, model: Any, hook: str, dataset: Any, best: dict[str, dict[str, int | None]]
) -> float:
    """Average over topics: of the positions of its prompts at which the topic's latent fires, the
    share at which its domain's latent is silent. A topic whose latent is its domain's counts as 0.
    """
    import torch

    from csae_bench.activations.sources import special_token_ids

    special = torch.tensor(special_token_ids(model.tokenizer))
    topics, domains = (list(best[factor].values()) for factor in ("topic", "domain"))
    topic_of, domain_of = (dataset.column(factor) for factor in ("topic", "domain"))
    fires, silent = [0] * len(topics), [0] * len(topics)
    for start in range(0, len(dataset.prompts), 64):
        tokens = model.to_tokens(list(dataset.prompts[start : start + 64]), prepend_bos=True)
        with torch.no_grad():
            _, cache = model.run_with_cache(tokens, names_filter=hook)
            active = (sae.encode(cache[hook]) > 0) & ~torch.isin(tokens, special)[..., None]
        for row, of_prompt in enumerate(active, start):
            topic, domain = int(topic_of[row]), int(domain_of[row])
            child, parent = of_prompt[:, topics[topic]], of_prompt[:, domains[domain]]
            fires[topic] += int(child.sum())
            silent[topic] += int((child & ~parent).sum())
    return sum(s / max(f, 1) for s, f in zip(silent, fires, strict=True)) / len(topics)


def _print_table(options: argparse.Namespace) -> None:
    from scipy import stats

    scores: dict[str, dict[int, dict[str, float]]] = {
        variant: {
            seed: json.loads(_file(options, variant, seed).read_text())
            for seed in options.seeds
            if _file(options, variant, seed).exists()
        }
        for variant in VARIANTS
    }
    twins: dict[str, str] = {}
    for variant, (rows, _, _) in VARIANTS.items():
        twins.setdefault(rows, variant)
    measures = [*_DIFFERENCES, *_PLAIN]
    print("| variant | " + " | ".join(measures) + " | seeds |")
    print("|---" * (len(measures) + 2) + "|")
    for variant, (rows, _, _) in VARIANTS.items():
        twin = twins[rows]
        seeds = sorted(set(scores[variant]) & set(scores[twin]))
        if not seeds:
            continue
        cells: list[str] = []
        for measure in measures:
            mine = [scores[variant][seed][measure] for seed in seeds]
            if variant == twin or measure in _PLAIN:
                cells.append(f"{sum(mine) / len(mine):.3f}")
                continue
            delta = [m - scores[twin][seed][measure] for m, seed in zip(mine, seeds, strict=True)]
            mean = sum(delta) / len(delta)
            spread = stats.sem(delta) * stats.t.ppf(0.975, len(delta) - 1) if len(seeds) > 1 else 0
            cells.append(f"{mean:+.4f} ± {spread:.4f}")
        print(f"| {variant} | " + " | ".join(cells) + f" | {len(seeds)} |")


if __name__ == "__main__":
    main()
