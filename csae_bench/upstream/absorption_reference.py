"""SAE-Bench's own `run_eval` of absorption, on the same words, for parity tests and benchmarks.

Its folders, which lie in the installed package, are others here; nothing else is replaced.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from sae_bench.evals.absorption import common
from sae_bench.evals.absorption import main as absorption_main
from sae_bench.evals.absorption.eval_config import AbsorptionEvalConfig
from sae_lens import SAE
from transformer_lens import HookedTransformer

from csae_bench.upstream.absorption_isolation import sae_bench_draws
from csae_bench.upstream.reference import given_model


def reference_absorption(
    saes: Sequence[SAE[Any]],
    model: HookedTransformer,
    words: Sequence[str],
    config: AbsorptionEvalConfig,
    folder: Path,
    *,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Run `run_eval` and return its results, in the order of the SAEs, which are not changed.

    The model's probes are trained first, from the config's seed; then the eval starts from that
    seed. In one go, the first SAE would draw otherwise than the others.

    Args:
        folder: empty; becomes the current folder meanwhile, as SAE-Bench writes to it.
    """
    (layer,) = {int(str(sae.cfg.metadata.hook_name).split(".")[1]) for sae in saes}
    with sae_bench_draws(words, seed=config.random_seed):
        common.load_or_train_probe(
            model=model,
            layer=layer,
            probes_dir=folder / "probes",
            base_template=config.prompt_template,
            pos_idx=config.prompt_token_pos,
            device=device,
        )
    named = [(f"sae{i}", copy.deepcopy(sae)) for i, sae in enumerate(saes)]
    with (
        sae_bench_draws(words, seed=config.random_seed),
        given_model(config.model_name, model),
        _in_folder(folder),
        contextlib.chdir(folder),
    ):
        (folder / "results").mkdir()
        results = absorption_main.run_eval(config, named, device, os.fspath(folder / "results"))
    return list(cast(dict[str, dict[str, Any]], results).values())


@contextlib.contextmanager
def _in_folder(folder: Path) -> Any:
    from csae_bench.upstream.unlearning_isolation import replaced

    k_sparse = partial(
        absorption_main.run_k_sparse_probing_experiment,
        experiment_dir=folder / "k_sparse",
        probes_dir=folder / "probes",
    )
    absorbed = partial(
        absorption_main.run_feature_absortion_experiment,
        experiment_dir=folder / "absorption",
        sparse_probing_experiment_dir=folder / "k_sparse",
        probes_dir=folder / "probes",
    )
    with replaced(
        absorption_main,
        run_k_sparse_probing_experiment=k_sparse,
        run_feature_absortion_experiment=absorbed,
    ):
        yield
