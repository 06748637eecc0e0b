"""First-letter absorption of four SAEs on SmolLM2: SAE-Bench's own run against the harness.

The quick preset's words and settings, on SAEs of 4096 random latents at the default hook. Both
sides train the model's probes once and judge the four SAEs in turn; neither finds anything kept.
The first SAE has the same values on both sides, or there is no figure. N_WORDS_PER_LETTER in the
environment makes it smaller.

Needs `make setup-smollm2`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.core_many_saes import random_sae
from benchmarks.timing import seconds

FIGURES = ("absorption_4_saes_speedup",)
NEEDS_SMOLLM2 = True
N_SAES, D_SAE = 4, 4096


def main() -> None:
    """Print the figure; the seconds of both sides go to stderr."""
    from csae_bench.cli.terminal import prepare_process

    prepare_process()  # as the command line does, before torch is imported
    from csae_bench import models
    from csae_bench.activations.shared import SharedPasses
    from csae_bench.evals import preset_settings
    from csae_bench.models import smollm2
    from csae_bench.upstream.absorption import chosen_words, run_absorption
    from csae_bench.upstream.absorption_reference import reference_absorption
    from csae_bench.upstream.absorption_settings import AbsorptionSettings, absorption_config

    model, info = models.load(smollm2.MODEL_NAME), models.describe(smollm2.MODEL_NAME)
    quick = preset_settings("quick")["absorption_first_letter"]
    n_words = int(os.environ.get("N_WORDS_PER_LETTER") or quick["words_per_letter"])
    if n_words < quick.pop("words_per_letter"):
        quick["min_feats_for_eval"] = 2  # of few words the model's probes learn few letters
    settings = AbsorptionSettings(
        config=absorption_config(model, model_name=info.name, **quick),
        model_fingerprint=models.weights_fingerprint(info.name),
        hook_name=info.default_hook_name,
        words_per_letter=n_words,
        device="cpu",
    )
    saes = [random_sae(i, info.default_hook_name, info.d_model, D_SAE) for i in range(N_SAES)]
    words = chosen_words(model, settings)
    ours: list[Any] = []
    theirs: list[dict[str, Any]] = []

    def harness() -> None:
        shared = SharedPasses(n_users=N_SAES)
        ours.extend(run_absorption(sae, model, settings, shared=shared) for sae in saes)

    def sae_bench() -> None:
        with tempfile.TemporaryDirectory() as folder:
            theirs.extend(reference_absorption(saes, model, words, settings.config, Path(folder)))

    fast, slow = seconds(harness), seconds(sae_bench)
    print(f"harness {fast:.0f} s, SAE-Bench {slow:.0f} s", file=sys.stderr)
    # SAE-Bench starts its later SAEs where the first one has left the generators
    if len(theirs) != N_SAES or ours[0].letters.details() != theirs[0]["eval_result_details"]:
        raise SystemExit("error: the two sides judge otherwise; there is nothing to compare.")
    print(f"BENCH absorption_4_saes_speedup {slow / fast:.2f} ratio")
