"""Does the contrastive objective help? Each term and the whole, on the embedded world.

`python -m benchmarks.objectives --seeds 0 1 2 --to FOLDER` trains every variant of one backbone
with paired seeds, on the same rows in the same order, and prints each measure's difference to the
twin without any term, with its 95% t interval over the seeds. What is trained already in FOLDER is
not trained again, so two processes with different seeds can share the work.

Measures, all on text that no training saw: the best latent's normalised mutual information with
each value of a factor on the grid of reserved frames (chosen on one half of the prompts, scored on
the other, mean-pooled codes, a zero bin and four quantile bins; mean over values, then factors);
the same of the best latent minus the best one that is no sibling; absorption on the topic tree, the
share of the positions with the best latent of a topic active at which its domain's is silent;
explained variance, cross-entropy score, L0, dead latents and pair separation.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from csae_bench.config import RunConfig
from csae_bench.loss_terms import LOSS_TERMS
from csae_bench.saes.curriculum import Curriculum

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

_MIXTURE = ["pairs.same_sequence.weight=0.5", "pairs.paraphrase.weight=0.5"]


def _terms(**weights: float) -> list[str]:
    """These terms on, after the first 7% of 800 steps and rising for 216; all others off."""
    return [
        "training.curriculum=[{name: reconstruction, until: 0.07, strength: 0},"
        " {name: contrast, until: 1}]",
        *(f"sae.losses.{name}.weight={weights.get(name, 0)}" for name in LOSS_TERMS),
        *(f"sae.losses.{name}.warm_up_steps=216" for name in weights),
    ]


class Variant(NamedTuple):
    """What is trained."""

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
    "custom_sae": Variant("mixture", _MIXTURE),
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
"""Of the batches' rows one half are pairs of positions of a text, one half paraphrases."""

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
    with _recorded(options.to / f"{rows}_seed{seed}", resolved.config, model):
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


@contextmanager
def _recorded(folder: Path, config: RunConfig, model: Any) -> Generator[None]:
    """Within it the batches of training are drawn once and then read from `folder`: the language
    model takes more time than the SAE, and twins see equal rows anyway."""
    if config.pairs.shuffled:
        yield
        return
    from csae_bench.training import train as training

    draw = training.pair_stream
    if not folder.is_dir():
        _record(draw(config, model), folder, Curriculum.of(config))
    training.pair_stream = lambda *_, **__: _Recording(folder)
    try:
        yield
    finally:
        training.pair_stream = draw


_BATCHES_AT_THE_END = 48
"""Drawn after the last step, for calibration and L0."""


def _record(stream: Any, folder: Path, curriculum: Curriculum) -> None:
    import numpy as np
    import torch

    unfinished = folder.with_suffix(f".{os.getpid()}")
    unfinished.mkdir(parents=True)
    n_batches = curriculum.n_steps + _BATCHES_AT_THE_END
    shape = (n_batches, stream.batch_size, stream.d_in)
    rows = np.lib.format.open_memmap(unfinished / "rows.npy", "w+", dtype=np.float32, shape=shape)
    ids: list[tuple[Any, dict[str, int]]] = []
    for number in range(n_batches):
        stage = curriculum.at(min(number, curriculum.n_steps - 1))
        stream.set_shares(curriculum.shares(stage))
        rows[number] = next(stream).numpy()
        ids.append((stream.pairs, stream.counts))
    rows.flush()
    torch.save(ids, unfinished / "ids.pt")
    unfinished.rename(folder)


class _Recording:
    """What training needs of a PairStream, from a recording."""

    epochs = 0

    def __init__(self, folder: Path) -> None:
        import numpy as np
        import torch

        self._rows = np.load(folder / "rows.npy", mmap_mode="r")
        self._ids = torch.load(folder / "ids.pt", weights_only=False)
        _, self.batch_size, self.d_in = self._rows.shape
        self._next = 0

    def __iter__(self) -> _Recording:
        return self

    def __next__(self) -> Any:
        import torch

        batch = torch.from_numpy(self._rows[self._next].copy())
        self.pairs, self.counts = self._ids[self._next]
        self._next += 1
        return batch

    def set_shares(self, shares: Any) -> None:
        """The shares are those of the recording."""

    def state_dict(self) -> dict[str, int]:
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._next = state["next"]


def _measure(resolved: Any, model: Any, folder: Path) -> dict[str, float]:
    import torch
    from sae_lens import SAE

    from csae_bench.training.data import held_out_stream, hook_name
    from csae_bench.vital_signs import vital_signs

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
    import torch

    from csae_bench.activations import special_token_ids
    from csae_bench.tinyworld import factor_grid

    grid = factor_grid("reserved")
    special = torch.tensor(special_token_ids(model.tokenizer))

    def codes_of_prompts() -> Iterator[torch.Tensor]:
        """Codes [n_positions, d_sae] of each prompt, special tokens left out."""
        for start in range(0, len(grid.prompts), 64):
            texts = [prompt.text for prompt in grid.prompts[start : start + 64]]
            tokens = model.to_tokens(texts, prepend_bos=True)
            with torch.no_grad():
                _, cache = model.run_with_cache(tokens, names_filter=hook)
                codes = sae.encode(cache[hook])
            usable = ~torch.isin(tokens, special)
            yield from (one[kept] for one, kept in zip(codes, usable, strict=True))

    codes = torch.stack([one.mean(0) for one in codes_of_prompts()])
    bins, labels, factor = _bins(codes), *_labels(grid)
    half = torch.randperm(len(codes), generator=torch.Generator().manual_seed(0))
    choose, score = half[: len(half) // 2], half[len(half) // 2 :]
    chosen_on, scored_on = (
        _normalised_information(bins[part], labels[part]) for part in (choose, score)
    )
    best = chosen_on.argmax(0)
    values = scored_on[best, torch.arange(len(best))]
    gap = values - _runner_up(scored_on, codes, labels, factor, best)

    def by_factor(of_values: torch.Tensor) -> float:
        return torch.stack([of_values[factor == i].mean() for i in factor.unique()]).mean().item()

    return {
        "best_information": by_factor(values),
        "value_mig": by_factor(gap),
        "absorption": _absorption(grid, codes_of_prompts(), best),
    }


def _bins(codes: Any) -> Any:
    """0 for silent, else 1 to 4 by the latent's own quantiles."""
    import torch

    active = codes > 0
    edges = torch.where(active, codes, torch.nan).nanquantile(
        torch.tensor([0.25, 0.5, 0.75]), dim=0
    )
    return torch.where(active, 1 + (codes[None] > edges[:, None]).sum(0), 0)


def _labels(grid: Any) -> tuple[Any, Any]:
    """One-vs-rest indicators [n_prompts, n_values], and the factor of each value."""
    import torch

    factors = torch.tensor(grid.factors)
    columns, of = [], []
    for i, names in enumerate(grid.value_names):
        for value in range(len(names)):
            columns.append(factors[:, i] == value)
            of.append(i)
    return torch.stack(columns, dim=1).float(), torch.tensor(of)


def _normalised_information(bins: Any, labels: Any) -> Any:
    """I(latent; value) / H(value), [d_sae, n_values]."""
    import torch

    n = len(bins)
    information = torch.zeros(bins.shape[1], labels.shape[1])
    p_value = torch.stack([1 - labels.mean(0), labels.mean(0)])
    for b in range(5):
        inside = (bins == b).float()
        p_bin = inside.mean(0)[:, None]
        with_value = inside.T @ labels / n
        for joint, p in ((with_value, p_value[1]), (p_bin - with_value, p_value[0])):
            information += torch.where(joint > 0, joint * (joint / (p_bin * p)).log(), 0.0)
    entropy = -(p_value * p_value.log()).sum(0)
    return information / entropy


def _runner_up(information: Any, codes: Any, labels: Any, factor: Any, best: Any) -> Any:
    """Of each value the best other latent that is not a sibling: best of the same factor, but
    strongest at another value of it."""
    import torch

    main_factor = factor[information.argmax(1)]
    runners = torch.zeros(len(best))
    for v, top in enumerate(best.tolist()):
        of_factor = (factor == factor[v]).nonzero().squeeze(1)
        counts = labels[:, of_factor].sum(0)
        means = codes.T @ labels[:, of_factor] / counts
        peak = means.argmax(1)
        sibling = (main_factor == factor[v]) & (peak != peak[top])
        competitors = information[:, v].clone()
        competitors[sibling] = -1
        competitors[top] = -1
        runners[v] = competitors.max()
    return runners.clamp_min(0)


def _absorption(grid: Any, codes: Any, best: Any) -> float:
    """Mean over topics: of the positions of its prompts at which the topic's latent fires, the
    share at which its domain's latent is silent. A topic whose latent is its domain's counts as 0.
    """
    names = list(grid.names)
    offsets = [sum(len(n) for n in grid.value_names[:i]) for i in range(len(names))]
    domain, topic = (offsets[names.index(name)] for name in ("domain", "topic"))
    column = names.index("topic")
    n_topics = len(grid.value_names[column])
    fires, silent = [0] * n_topics, [0] * n_topics
    for t, of_prompt in zip(grid.factors[:, column].tolist(), codes, strict=True):
        parent, child = best[domain + t // 3], best[topic + t]
        active = of_prompt[:, child] > 0
        fires[t] += int(active.sum())
        silent[t] += int((active & (of_prompt[:, parent] == 0)).sum())
    return sum(s / max(f, 1) for s, f in zip(silent, fires, strict=True)) / n_topics


def _print_table(options: argparse.Namespace) -> None:
    from scipy import stats

    found: dict[str, dict[int, dict[str, float]]] = {
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
        seeds = sorted(set(found[variant]) & set(found[twin]))
        if not seeds:
            continue
        cells: list[str] = []
        for measure in measures:
            mine = [found[variant][seed][measure] for seed in seeds]
            if variant == twin or measure in _PLAIN:
                cells.append(f"{sum(mine) / len(mine):.3f}")
                continue
            delta = [m - found[twin][seed][measure] for m, seed in zip(mine, seeds, strict=True)]
            mean = sum(delta) / len(delta)
            spread = stats.sem(delta) * stats.t.ppf(0.975, len(delta) - 1) if len(seeds) > 1 else 0
            cells.append(f"{mean:+.4f} ± {spread:.4f}")
        print(f"| {variant} | " + " | ".join(cells) + f" | {len(seeds)} |")


if __name__ == "__main__":
    main()
