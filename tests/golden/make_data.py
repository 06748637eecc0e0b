"""How the stored inputs were made: `python -m tests.golden.make_data`. Kept as a record.

Made again they need new golden numbers. The SAE in `data/sae` is the folder `inference` of

    csae-bench train --sae custom_sae_small --set sae.d_sae=192 --set sae.k=12 --set threads=1
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

DATA = Path(__file__).parent / "data"

N_SAMPLES, N_LATENTS = 400, 200
FACTORS: dict[str, tuple[str, ...]] = {
    "number": ("singular", "plural"),
    "tense": ("past", "present", "future"),
    "domain": ("science", "sport", "art"),
    "topic": ("stars", "rocks", "drugs", "tennis", "chess", "rowing", "music", "paint", "stage"),
    "voice": ("active",),
}
"""`topic` divides `domain`; `voice` has one value, so nothing is defined for it."""
N_TEMPLATES = 12


def write_codes(path: Path) -> None:
    """Write sparse codes that know some values well, some badly and some not at all."""
    rng = np.random.default_rng(0)
    number, tense, topic = (rng.integers(0, n, N_SAMPLES) for n in (2, 3, 9))
    factors = np.stack([number, tense, topic // 3, topic, np.zeros_like(topic)], axis=1)
    templates = rng.permutation(np.arange(N_SAMPLES) % N_TEMPLATES)
    values = [(k, value) for k, names in enumerate(FACTORS.values()) for value in range(len(names))]
    codes = np.zeros((N_SAMPLES, N_LATENTS))
    for latent in range(N_LATENTS - 8):
        rate = rng.uniform(0.005, 0.15)
        fires = rng.random(N_SAMPLES) < rate
        if latent < 60:  # for a value, with misses and false alarms; several for each
            k, value = values[latent % (len(values) - 1)]
            has_value = factors[:, k] == value
            fires = np.where(has_value, rng.random(N_SAMPLES) < rng.uniform(0.4, 1), fires)
        if latent == 60:  # always on
            fires[:] = True
        codes[:, latent] = fires * rng.gamma(4, 0.25, N_SAMPLES)
    codes[:, 190] = codes[:, 3] * 2  # a duplicate; 191 to 199 are dead
    codes[:, 191] = 0
    stored = sparse.csr_array(codes.astype(np.float32))
    mixing = rng.normal(size=(N_LATENTS, 12))
    acts = codes @ mixing + rng.normal(size=(N_SAMPLES, 12))
    features = np.stack([factors[:, k] == value for k, value in values[:8]], axis=1)
    np.savez_compressed(
        path,
        data=stored.data,
        indices=stored.indices.astype(np.int16),
        indptr=stored.indptr.astype(np.int32),
        factors=factors.astype(np.int8),
        templates=templates.astype(np.int8),
        acts=acts.astype(np.float32),
        features=(features * rng.gamma(4, 0.25, features.shape)).astype(np.float32),
    )


def write_prompts(path: Path, n: int = 288) -> None:
    """Write some prompts of tinyworld's reserved grid with their factors."""
    from csae_bench.factors import open_factors

    grid = open_factors("tinyworld", split="test")
    rows = np.sort(np.random.default_rng(1).permutation(grid.n)[:n])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "template", *grid.names])
        for row in rows:
            named = [grid.value_names[k][grid.factors[row, k]] for k in range(grid.n_factors)]
            writer.writerow([grid.prompts[row], grid.templates[row], *named])


def write_probes(folder: Path, n: int = 180) -> None:
    """Write two datasets for sae-probes, with as many prompts of either class."""
    import pandas

    from csae_bench.factors import open_factors

    folder.mkdir(exist_ok=True)
    grid = open_factors("tinyworld", split="train")
    rng = np.random.default_rng(2)
    for factor in ("tense", "sentiment"):
        column = grid.column(factor)
        chosen = [rng.permutation(np.flatnonzero(column == value))[: n // 2] for value in (0, 1)]
        names = grid.value_names[grid.names.index(factor)]
        rows = rng.permutation(np.concatenate(chosen))
        template = pandas.DataFrame(
            {
                "prompt": [grid.prompts[row] for row in rows],
                "target": [names[column[row]] for row in rows],
            }
        )
        template.to_csv(folder / f"{factor}.csv.zst", index=False, compression="zstd")


def write_questions(folder: Path, n_questions: int = 10, n_texts: int = 40) -> None:
    """Write a few of tinyworld's questions of each subject, and texts of both kinds."""
    from csae_bench.engines.unlearning.sources import open_data

    folder.mkdir(exist_ok=True)
    whole = open_data("tinyworld")
    for name, asked in whole.questions.items():
        rows = [
            {"question": one.question, "choices": list(one.choices), "answer": one.answer}
            for one in asked[:n_questions]
        ]
        _write_jsonl(folder / f"{name}.jsonl", rows)
    for name, texts in (
        ("bio-forget-corpus", whole.forget_texts),
        ("wikitext", whole.retain_texts),
    ):
        _write_jsonl(folder / f"{name}.jsonl", [{"text": text} for text in texts[:n_texts]])


def write_pairs(
    path: Path, n_same_sequence: int = 192, n_paraphrase: int = 64, n_minimal: int = 64
) -> None:
    """Write pairs of the bundled model's activations as training draws them, with their ids."""
    import torch
    from safetensors.torch import save_file

    from csae_bench import models
    from csae_bench.config.loading import load_config
    from csae_bench.training.data import pair_sources

    config = load_config("contrastive_full").config
    sources = pair_sources(config, models.load(config.model))
    stored: dict[str, Any] = {}
    counts = {"same_sequence": n_same_sequence, "paraphrase": n_paraphrase, "minimal": n_minimal}
    for kind, n in counts.items():
        drawn = [sources[kind].next_pairs()]
        while sum(len(pairs.rows) for pairs in drawn) < n:
            drawn.append(sources[kind].next_pairs())
        rows, sequence, group = (torch.cat(parts) for parts in list(zip(*drawn, strict=True))[:3])
        # spread over what forward passes give, so that ids differ
        chosen = np.linspace(0, len(rows) - 1, n).astype(int)
        stored[f"{kind}.rows"] = rows[chosen].float().contiguous()
        stored[f"{kind}.sequence"] = sequence[chosen].contiguous()
        stored[f"{kind}.group"] = group[chosen].contiguous()
    save_file(stored, path)


def _write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def read_codes(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays that `write_codes` wrote."""
    with np.load(path) as stored:
        return dict(stored)


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    write_codes(DATA / "codes.npz")
    write_prompts(DATA / "prompts.csv")
    write_probes(DATA / "probes")
    write_questions(DATA / "questions")
    write_pairs(DATA / "pairs.safetensors")
