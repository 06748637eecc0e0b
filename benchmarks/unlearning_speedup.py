"""The unlearning sweep: SAE-Bench's functions against the same with the engine's answers.

Sixteen settings on 520 questions of the bundled model at its default hook, with which questions
are asked, the baselines and where latents fire found before on both sides; the engine starts
without anything it has run. The SAE's 1024 latents are directions of activations, 18 active at a
time. Both sides answer every question alike, or there is no figure. Median of three, in turn.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata
from transformer_lens import HookedTransformer

from csae_bench import models, tinyworld
from csae_bench.engines.unlearning.cache import Cache
from csae_bench.engines.unlearning.data import TINYWORLD_SCALE, UnlearningData
from csae_bench.engines.unlearning.sources import open_data
from csae_bench.engines.unlearning.sweep import Sweep
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.unlearning import UnlearningSettings, sae_bench_config
from csae_bench.upstream.unlearning_isolation import sae_bench_sees
from csae_bench.upstream.unlearning_run import UnlearningRun

FIGURES = ("unlearning_speedup",)
N_RUNS = 3
D_SAE, K = 1024, 18
MODEL, HOOK = tinyworld.MODEL_NAME, tinyworld.DEFAULT_HOOK
SETTINGS = UnlearningSettings(
    model_name=MODEL,
    model_fingerprint="",
    hook_name=HOOK,
    retain_thresholds=(0.001, 0.01),
    n_features_list=(10, 20),
    multipliers=(25, 50, 100, 200),
    dataset_size=TINYWORLD_SCALE.dataset_size,
    seq_len=TINYWORLD_SCALE.seq_len,
    batch_size=TINYWORLD_SCALE.llm_batch_size,
)


def main() -> None:
    """Print the figure."""
    model = models.load(MODEL)
    data = open_data("tinyworld")
    with (
        tempfile.TemporaryDirectory() as folder,
        sae_bench_sees(model, data, seed=SETTINGS.random_seed),
    ):
        sae = formatted_copy(_sae(model, data), model, MODEL, HOOK)
        questions = Path(folder) / "found"
        first, reference = _found_before(model, sae, data, questions)
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for run, is_fast in product(range(N_RUNS), seconds):
            place = Path(folder) / f"{run}_{is_fast}"
            shutil.copytree(questions, place)
            bench = _bench(model, sae, place)
            bench.questions = first.questions
            start = time.perf_counter()
            with bench.fast_answers() if is_fast else nullcontext():
                _, sweep = bench.run_sweep()
            seconds[is_fast].append(time.perf_counter() - start)
            _check_equal(sweep, reference)
            name = "engine" if is_fast else "SAE-Bench"
            print(f"{name} {seconds[is_fast][-1]:.1f} s", file=sys.stderr)
    ratio = statistics.median(seconds[False]) / statistics.median(seconds[True])
    print(f"BENCH unlearning_speedup {ratio:.1f} ratio")


def _bench(model: HookedTransformer, sae: SAE[Any], folder: Path) -> UnlearningRun:
    return UnlearningRun(
        model=model,
        sae=sae,
        model_name=MODEL,
        config=sae_bench_config(model, SETTINGS),
        folder=folder,
        of_model=Cache(None),
        of_sae=Cache(None),
    )


def _found_before(
    model: HookedTransformer, sae: SAE[Any], data: UnlearningData, folder: Path
) -> tuple[UnlearningRun, Sweep]:
    """Fill the folder with everything that is not timed, and return the answers."""
    bench = _bench(model, sae, folder)
    with bench.fast_answers():
        bench.find_questions(data)
        bench.find_sparsities()
        _, sweep = bench.run_sweep()
    shutil.rmtree(folder / "sae" / "results" / "metrics")
    # SAE-Bench wants these files too before it believes that the questions are found
    splits, kinds = (
        ("all", "train", "test"),
        ("correct", "correct-iff-question", "correct-no-tricks"),
    )
    ids = folder / "data" / "question_ids"
    for path in list((ids / "all").iterdir()):
        for split, kind in product(splits, kinds):
            other = ids / split / path.name.replace("_correct.", f"_{kind}.")
            if not other.exists():
                other.parent.mkdir(exist_ok=True)
                shutil.copy(path, other)
    n_latents = sum(setting.n_features for setting in sweep.settings) / len(sweep.settings)
    wrong = 1 - np.concatenate([sweep.forget, sweep.retain], axis=1).mean()
    print(f"{n_latents:.0f} latents in a setting, {wrong:.0%} of answers wrong", file=sys.stderr)
    return bench, sweep


def _sae(model: HookedTransformer, data: UnlearningData) -> SAE[Any]:
    """Return latents that read an activation's difference from the mean, as trained ones might."""
    texts = [*data.forget_texts[:60], *data.retain_texts[:60]]
    tokens = model.to_tokens(texts, padding_side="right")
    tokenizer: Any = model.tokenizer
    _, cache = model.run_with_cache(tokens, names_filter=HOOK, stop_at_layer=3)
    acts = cache[HOOK][:, 1:][tokens[:, 1:] != tokenizer.pad_token_id]
    chosen = torch.randperm(len(acts), generator=torch.Generator().manual_seed(0))[:D_SAE]
    directions = torch.nn.functional.normalize(acts[chosen] - acts.mean(0), dim=1)
    metadata = SAEMetadata(model_name=MODEL, hook_name=HOOK, prepend_bos=True)
    sae = TopKSAE(TopKSAEConfig(d_in=model.cfg.d_model, d_sae=D_SAE, k=K, metadata=metadata))
    sae.W_dec.data = directions
    sae.W_enc.data = directions.T.clone()
    sae.b_dec.data = acts.mean(0)
    return sae


def _check_equal(sweep: Sweep, reference: Sweep) -> None:
    if sweep.settings != reference.settings or any(
        not np.array_equal(rights, reference.rights[name]) for name, rights in sweep.rights.items()
    ):
        raise SystemExit("error: the two sides answer differently; there is nothing to compare.")
