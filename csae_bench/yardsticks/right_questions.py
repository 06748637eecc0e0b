"""Finds the questions that the bundled model answers right, which the package ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from csae_bench import models
from csae_bench.engines.unlearning.data import TINYWORLD_SCALE
from csae_bench.engines.unlearning.known_questions import AskedModel, to_json
from csae_bench.engines.unlearning.sources import TINYWORLD, open_data

MODEL = "tiny-gemma2-it"


def find_right_questions() -> str:
    """Return the text of the shipped file, by asking the model all questions.

    Raises:
        EvalError: of a subject no question is answered right.
    """
    from csae_bench.config.baselines import IdentitySae
    from csae_bench.saes.baselines import BuildInputs, build
    from csae_bench.upstream.unlearning import UnlearningSettings, run_unlearning

    model, info = models.load(MODEL), models.describe(MODEL)
    hook_name = info.default_hook_name

    def nothing(*_: int) -> None:
        raise AssertionError("an SAE that passes activations through needs nothing")

    sae = build(
        BuildInputs(
            settings=IdentitySae(),
            seed=0,
            d_in=info.d_model,
            rows=nothing,  # pyright: ignore[reportArgumentType]
            other_sae=nothing,  # pyright: ignore[reportArgumentType]
            device="cpu",
            metadata={"model_name": info.name, "hook_name": hook_name, "prepend_bos": True},
            path=Path("identity.yaml"),
        )
    )
    data = open_data(TINYWORLD, forget_corpus=None)
    settings = UnlearningSettings(
        model_name=info.name,
        model_fingerprint=models.weights_fingerprint(MODEL),
        hook_name=hook_name,
        retain_thresholds=(0.01,),
        n_features_list=(1,),
        multipliers=(1,),
        dataset_size=8,
        seq_len=TINYWORLD_SCALE.seq_len,
        batch_size=TINYWORLD_SCALE.llm_batch_size,
        asks_all=True,
    )
    questions = run_unlearning(sae, model, data, settings).sweep.questions
    asked = AskedModel(settings.model_fingerprint, str(model.cfg.dtype), data.questions_digest)
    return to_json(asked, {name: np.asarray(rows).tolist() for name, rows in questions.items()})
