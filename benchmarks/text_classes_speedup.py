"""Four SAEs through sparse_probing and tpp: SAE-Bench's own sessions against ours, on SmolLM2.

Settings of `--preset quick` on three classes of AG News and on two of the English sentences.
SAE-Bench runs as it does over several SAEs: activations and probes of the first are kept on disk
for the others. Ours runs each eval's page, corrected values included. The SAEs are random
directions of 4096 latents on blocks.10.hook_resid_post, 32 of them active. One run of each side, of
minutes. The first SAE's values are equal on both sides, or there is no figure.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.core_many_saes import random_sae

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer

FIGURES = ("sparse_probing_4_saes_speedup", "tpp_4_saes_speedup")
NEEDS_SMOLLM2 = True
MODEL, HOOK_NAME = "smollm2-135m-instruct", "blocks.10.hook_resid_post"
N_SAES, D_SAE = 4, 4096
DATASETS = ("ag_news", "english:sentiment")
SIZES = {"sparse_probing": "probe_{}_set_size", "tpp": "{}_set_size"}
"""Names of the two settings that `--small` makes small."""


def main(arguments: list[str] | None = None) -> None:
    """Print the figures; `--small` tries the code on a few texts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a few texts, to try the code")
    is_small = parser.parse_args(arguments or []).small
    from csae_bench.cli.terminal import prepare_process

    prepare_process()  # as the command line does, before torch is imported
    import torch

    from csae_bench import models

    model = models.load(MODEL)
    d_in = int(model.cfg.d_model)
    saes = [random_sae(seed, HOOK_NAME, d_in, D_SAE) for seed in range(N_SAES)]
    with torch.no_grad():
        for eval_name in SIZES:
            _compare(eval_name, model, saes, is_small=is_small)


def _compare(
    eval_name: str, model: HookedTransformer, saes: list[SAE[Any]], *, is_small: bool
) -> None:
    from csae_bench.evals import get_eval

    spec = get_eval(eval_name)
    settings = {**spec.presets["quick"].settings, "dataset_names": list(DATASETS)}
    config = spec.config.model_validate(settings)
    tiny = config.model_copy(update=_tiny_sizes(eval_name))
    if is_small:
        config = tiny
    _ours(spec, tiny, model, saes[:1])  # imports are no part of either side
    ours, results = _timed(lambda: _ours(spec, config, model, saes))
    theirs, values = _timed(lambda: _theirs(results[0].eval_config, config, model, saes))
    of_first = {name: value for part in results[0].metrics.values() for name, value in part.items()}
    if any(of_first[name] != value for name, value in values.items()):
        raise SystemExit("error: the two sides measure otherwise; there is nothing to compare.")
    print(f"{eval_name}: SAE-Bench {theirs:.1f} s, ours {ours:.1f} s", file=sys.stderr)
    print(f"BENCH {eval_name}_4_saes_speedup {theirs / ours:.2f} ratio", flush=True)


def _tiny_sizes(eval_name: str) -> dict[str, int]:
    return {SIZES[eval_name].format(use): n for use, n in (("train", 40), ("test", 20))}


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _ours(spec: Any, config: Any, model: HookedTransformer, saes: list[SAE[Any]]) -> list[Any]:
    """Return the results of the SAEs, as a session of ours gets them."""
    import numpy as np

    from csae_bench.activations.shared import SharedPasses
    from csae_bench.evals import EvalContext

    shared = SharedPasses(n_users=len(saes))
    with tempfile.TemporaryDirectory() as folder:
        return [
            spec.run(
                EvalContext(
                    sae=sae,
                    sae_id="random",
                    model_name=MODEL,
                    hook_name=HOOK_NAME,
                    device="cpu",
                    artifacts=Path(folder),
                    rng=np.random.default_rng(0),
                    load_model=lambda _: model,
                    shared=shared,
                ),
                config,
            )
            for sae in saes
        ]


def _theirs(
    eval_config: Any, config: Any, model: HookedTransformer, saes: list[SAE[Any]]
) -> dict[str, float]:
    """Return the first SAE's values of SAE-Bench's own session."""
    from sae_bench.evals.scr_and_tpp import main as scr_and_tpp
    from sae_bench.evals.scr_and_tpp.eval_config import ScrAndTppEvalConfig
    from sae_bench.evals.sparse_probing import main as sparse_probing
    from sae_bench.evals.sparse_probing import probe_training
    from sae_bench.evals.sparse_probing.eval_config import SparseProbingEvalConfig
    from sae_bench.sae_bench_utils import activation_collection

    from csae_bench.engines.classes.drawing import Sizes, draw_classes
    from csae_bench.upstream.adapting import formatted_copy
    from csae_bench.upstream.class_data import texts_in_place
    from csae_bench.upstream.isolation import isolated, without_shape_checks

    is_tpp = "perform_scr" in eval_config
    run: Any = (scr_and_tpp if is_tpp else sparse_probing).run_eval_single_sae
    asked: Any = (ScrAndTppEvalConfig if is_tpp else SparseProbingEvalConfig)(**eval_config)
    names = ("train_set_size", "test_set_size")
    sizes = Sizes(*(eval_config[name if is_tpp else f"probe_{name}"] for name in names))
    texts = {n: draw_classes(n, sizes, config.random_seed) for n in asked.dataset_names}
    results: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        texts_in_place(texts),
        without_shape_checks(activation_collection, probe_training),
        isolated(),
    ):
        for sae in saes:
            own = formatted_copy(sae, model, MODEL, HOOK_NAME)
            results.append(run(asked, own, model, "cpu", folder, True)[0])
    return {name: value for name, value in results[0].items() if not isinstance(value, dict)}


if __name__ == "__main__":
    main(sys.argv[1:])
