"""The engine's answers are those of running the whole model under SAE-Bench's intervention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from sae_bench.evals.unlearning.utils.intervention import anthropic_clamp_resid_SAE_features
from sae_bench.evals.unlearning.utils.metrics import get_output_probs_abcd
from sae_lens import SAE, StandardSAE, StandardSAEConfig, TopKSAE, TopKSAEConfig
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench import tinyworld
from csae_bench.engines.unlearning.data import SUBJECTS
from csae_bench.engines.unlearning.engine import AnswerEngine, Clamp
from csae_bench.engines.unlearning.prompts import AskedPrompts
from csae_bench.errors import DataError
from csae_bench.tinyworld.questions import prompt
from csae_bench.upstream.unlearning_isolation import CHAT_MODEL, replaced
from tests.integration.engines.unlearning.conftest import HOOK

CLAMP = Clamp(latents=(0, 3, 5, 17, 40), multiplier=30)
# float32 sums in another order; probabilities are at most 1
ATOL = 2e-5


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    """Two questions of each subject, of different lengths."""
    return [
        f"<bos>{prompt(name, question)}"
        for name in SUBJECTS
        for question in tinyworld.questions(name)[:2]
    ]


def reference_probabilities(
    model: HookedTransformer, sae: SAE[Any], prompts: Sequence[str], clamp: Clamp, hook_name: str
) -> Tensor:
    """SAE-Bench's, all prompts in one batch."""
    intervene = partial(
        anthropic_clamp_resid_SAE_features,
        sae=sae,
        features_to_ablate=list(clamp.latents),
        multiplier=clamp.multiplier,
    )
    hook: Any = (hook_name, intervene)
    with replaced(model.cfg, model_name=CHAT_MODEL), model.hooks(fwd_hooks=[hook]):
        return get_output_probs_abcd(
            model, list(prompts), batch_size=len(prompts), n_batches=1, verbose=False
        )


class Saturating(TopKSAE):
    """Its decoder is not linear."""

    def decode(self, feature_acts: Tensor) -> Tensor:
        return 20 * torch.tanh(super().decode(feature_acts) / 20)


def make_sae(sae_class: type[TopKSAE] = TopKSAE) -> SAE[Any]:
    """Random directions, eight active at a time."""
    return with_random_weights(sae_class(TopKSAEConfig(d_in=128, d_sae=64, k=8)))


def with_random_weights(sae: SAE[Any]) -> SAE[Any]:
    generator = torch.Generator().manual_seed(2)
    sae.W_dec.data = torch.nn.functional.normalize(
        torch.randn(sae.W_dec.shape, generator=generator), dim=1
    )
    sae.W_enc.data = sae.W_dec.data.T.clone()
    return sae


SAES: dict[str, Callable[[], SAE[Any]]] = {
    "topk": make_sae,
    "saturating": lambda: make_sae(Saturating),
    "standard": lambda: with_random_weights(StandardSAE(StandardSAEConfig(d_in=128, d_sae=64))),
}


@pytest.mark.parametrize("name", SAES)
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_probabilities_are_sae_benchs(
    name: str, batch_size: int, model: HookedTransformer, prompts: list[str]
) -> None:
    sae = SAES[name]()
    engine = AnswerEngine(model, sae, HOOK, batch_size)
    theirs = reference_probabilities(model, sae, prompts, CLAMP, HOOK)
    ours = engine.probabilities(prompts, CLAMP)
    torch.testing.assert_close(ours, theirs, atol=ATOL, rtol=0)
    torch.testing.assert_close(engine.probabilities(prompts, CLAMP), ours, atol=0, rtol=0)


@pytest.mark.parametrize(
    "hook_name",
    [
        "blocks.0.hook_resid_pre",
        "blocks.3.hook_resid_pre",
        "blocks.3.hook_resid_post",
        "blocks.1.hook_resid_mid",
        "blocks.3.hook_resid_mid",
        "blocks.3.hook_mlp_out",
        "blocks.2.hook_attn_out",
    ],
)
def test_probabilities_are_sae_benchs_at_every_hook(
    hook_name: str, model: HookedTransformer, prompts: list[str]
) -> None:
    sae = make_sae()
    theirs = reference_probabilities(model, sae, prompts, CLAMP, hook_name)
    ours = AnswerEngine(model, sae, hook_name, 4).probabilities(prompts, CLAMP)
    torch.testing.assert_close(ours, theirs, atol=ATOL, rtol=0)


def test_a_clamp_changes_answers(model: HookedTransformer, prompts: list[str]) -> None:
    engine = AnswerEngine(model, make_sae(), HOOK, 4)
    clean = engine.probabilities(prompts)
    assert (engine.probabilities(prompts, CLAMP) - clean).abs().max() > 0.1


def test_without_clamp_probabilities_are_the_models_own(
    model: HookedTransformer, prompts: list[str]
) -> None:
    nothing = Clamp(latents=(), multiplier=1)
    theirs = reference_probabilities(model, make_sae(), prompts, nothing, HOOK)
    engine = AnswerEngine(model, make_sae(), HOOK, 4)
    torch.testing.assert_close(engine.probabilities(prompts), theirs, atol=ATOL, rtol=0)
    torch.testing.assert_close(engine.probabilities(prompts, nothing), theirs, atol=ATOL, rtol=0)


def test_probabilities_do_not_depend_on_what_fits_into_memory(
    model: HookedTransformer, prompts: list[str]
) -> None:
    plenty = AnswerEngine(model, make_sae(), HOOK, 3)
    nothing = AnswerEngine(model, make_sae(), HOOK, 3, asked=AskedPrompts(0))
    for clamp in (CLAMP, Clamp(latents=(1, 2), multiplier=100)):
        kept = plenty.probabilities(prompts, clamp)
        torch.testing.assert_close(nothing.probabilities(prompts, clamp), kept, atol=0, rtol=0)


def test_layers_before_the_hook_run_once_for_all_settings(
    model: HookedTransformer, prompts: list[str]
) -> None:
    n_tokens = {"blocks.0.hook_resid_pre": 0, "blocks.3.hook_resid_pre": 0}

    def count(acts: Tensor, hook: Any) -> None:
        n_tokens[hook.name] += acts.shape[0] * acts.shape[1]

    engine = AnswerEngine(model, make_sae(), HOOK, len(prompts))
    hooks: list[Any] = [(name, count) for name in n_tokens]
    with model.hooks(fwd_hooks=hooks):
        for multiplier in (25, 50, 100, 200):
            engine.probabilities(prompts, Clamp(latents=CLAMP.latents, multiplier=multiplier))
    lengths = [model.to_tokens(prompt, prepend_bos=False).shape[1] for prompt in prompts]
    assert n_tokens["blocks.0.hook_resid_pre"] == len(prompts) * max(lengths)
    # of the last layer the answer's position alone: four times, once more without intervention for
    # prompts in which no latent is active, and a trial of whether that is possible
    trial = max(lengths) + 1
    assert n_tokens["blocks.3.hook_resid_pre"] <= 5 * len(prompts) + trial


def test_in_half_precision_the_intervention_is_sae_benchs_operation_by_operation(
    prompts: list[str],
) -> None:
    from csae_bench import models

    model = models.load(tinyworld.MODEL_NAME, dtype="bfloat16")
    sae = make_sae().to(dtype=torch.bfloat16)
    theirs = reference_probabilities(model, sae, prompts, CLAMP, HOOK)
    ours = AnswerEngine(model, sae, HOOK, len(prompts)).probabilities(prompts, CLAMP)
    # the same operations; only the last layer's products have another shape, 8 bits of mantissa
    torch.testing.assert_close(ours, theirs.float(), atol=0.02, rtol=0)


def test_a_question_longer_than_the_context_is_an_error(
    model: HookedTransformer, prompts: list[str]
) -> None:
    engine = AnswerEngine(model, make_sae(), HOOK, 4)
    long = prompts[0].replace("\nA.", " honey" * 300 + "\nA.")
    with pytest.raises(DataError, match="takes at most 256"):
        engine.probabilities([prompts[0], long])


def test_a_question_with_a_bos_of_its_own_is_an_error(
    model: HookedTransformer, prompts: list[str]
) -> None:
    engine = AnswerEngine(model, make_sae(), HOOK, 4)
    with pytest.raises(DataError, match="must hold the beginning-of-sequence token once"):
        engine.probabilities([prompts[0], prompts[1].replace("\nA.", "<bos>\nA.")])
