"""Interventions on the bundled model, against transformer-lens and SAELens by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sae_lens import SAE, StandardSAE, StandardSAEConfig, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata

from csae_bench import models
from csae_bench.activations.interventions import (
    QUANTILE,
    Interventions,
    LatentSetting,
    continuation,
    log_odds,
)
from csae_bench.errors import DataError, ModelError
from csae_bench.factors import FactorDataset, Readout
from csae_bench.factors.token_codes import codes_at_tokens
from tests.integration.evals.planted import part_of_tinyworld

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

HOOK = "blocks.2.hook_resid_post"
ROWS = (0, 3, 4)


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


@pytest.fixture(scope="module")
def dataset() -> FactorDataset:
    return part_of_tinyworld("test", 6)


def _sae(d_in: int = 128, **config: Any) -> SAE[Any]:
    torch.manual_seed(0)
    return TopKSAE(TopKSAEConfig(d_in=d_in, d_sae=96, k=8, **config))


def _asked(
    model: HookedTransformer,
    dataset: FactorDataset,
    sae: SAE[Any] | None = None,
    hook_name: str = HOOK,
    latents: Sequence[int] = range(96),
    **options: Any,
) -> Interventions:
    # not `sae or`: SAELens warns of the length that this asks for
    return Interventions(
        _sae() if sae is None else sae, model, dataset, hook_name, ROWS, latents, **options
    )


def _prompt(model: HookedTransformer, dataset: FactorDataset, row: int, factor: str) -> Any:
    return model.to_tokens(f"{dataset.prompts[row]} {dataset.readouts[factor].stems[row]}")


def _words(model: HookedTransformer, dataset: FactorDataset, row: int, factor: str) -> list[int]:
    tokenizer: Any = model.tokenizer
    return [tokenizer.convert_tokens_to_ids(w) for w in dataset.readouts[factor].words[row]]


def _columns(dataset: FactorDataset, factor: str) -> slice:
    k = dataset.names.index(factor)
    return slice(*dataset.table.value_ptr[k : k + 2].tolist())


@pytest.mark.parametrize(
    "hook_name",
    [HOOK, "blocks.1.hook_resid_pre", "blocks.3.hook_mlp_out", "blocks.1.attn.hook_z"],
)
def test_going_on_from_the_models_own_activations_gives_its_own_logits(
    model: HookedTransformer, dataset: FactorDataset, hook_name: str
) -> None:
    tokens = _prompt(model, dataset, 0, "gender")
    with torch.no_grad():
        logits, cache = model.run_with_cache(tokens)
        last = torch.tensor([tokens.shape[1] - 1])
        result = continuation(model, hook_name)(tokens, cache[hook_name].flatten(2), last)
    torch.testing.assert_close(result, logits[:, -1], atol=1e-4, rtol=1e-4)


def test_the_clean_log_odds_are_the_models_and_name_the_right_word(
    model: HookedTransformer, dataset: FactorDataset
) -> None:
    asked = _asked(model, dataset)
    assert asked.n_sequences == len(ROWS) * len(dataset.readouts)
    for place, row in enumerate(ROWS):
        for factor in dataset.names:
            with torch.no_grad():
                logits = model(_prompt(model, dataset, row, factor))[0, -1]
            of_words = logits.log_softmax(-1)[_words(model, dataset, row, factor)].exp()
            expected = (of_words / (of_words.sum() - of_words)).log()
            result = asked.clean[place, _columns(dataset, factor)]
            # float32 probabilities of 1e-9 beside 1
            np.testing.assert_allclose(result, expected.numpy(), atol=0.05)
            assert result.argmax() == dataset.column(factor)[row]


@pytest.mark.parametrize("hook_name", [HOOK, "blocks.1.attn.hook_z"])
@pytest.mark.parametrize("code", [0.0, 7.5])
def test_a_set_code_is_decoded_onto_the_activations_and_the_error_is_kept(
    model: HookedTransformer, dataset: FactorDataset, hook_name: str, code: float
) -> None:
    joined = hook_name.endswith("hook_z")
    metadata = SAEMetadata(hook_name=hook_name)
    sae = _sae(256, reshape_activations="hook_z", metadata=metadata) if joined else _sae()
    asked = _asked(model, dataset, sae, hook_name, batch_size=5, pooling="mean")
    factor, row = "tense", ROWS[1]
    tokens = _prompt(model, dataset, row, factor)

    def edit(acts: torch.Tensor, hook: Any) -> torch.Tensor:
        codes = sae.encode(acts)
        edited = codes.clone()
        edited[:, 1:, latent] = code  # all but <bos>
        return acts + sae.decode(edited) - sae.decode(codes)

    with torch.no_grad():
        acts = model.run_with_cache(tokens)[1][hook_name]
        latent = int((sae.encode(acts)[0, 1:] > 0).sum(0).argmax())
        logits = model.run_with_hooks(tokens, fwd_hooks=[(hook_name, edit)])[0, -1]
    expected = log_odds(logits[_words(model, dataset, row, factor)].double())
    (result,) = asked.with_codes([row], [LatentSetting(latent, code)])
    np.testing.assert_allclose(result[0, _columns(dataset, factor)], expected, atol=1e-3)
    assert abs(result[0] - asked.clean[1]).max() > 1e-3


@pytest.mark.parametrize("power", [1, 3])
def test_a_decoder_that_is_not_linear_decodes_all_codes(
    model: HookedTransformer, dataset: FactorDataset, power: int
) -> None:
    sae = _sae()
    decode = sae.decode
    sae.decode = lambda codes: decode(codes**power)
    latents = [3, 5]
    asked = _asked(model, dataset, sae, latents=latents)
    tokens = _prompt(model, dataset, ROWS[1], "tense")
    stop = model.to_tokens(dataset.prompts[ROWS[1]]).shape[1] - 1
    for latent in latents:  # the second after the way was chosen

        def edit(acts: torch.Tensor, hook: Any, latent: int = latent) -> torch.Tensor:
            codes = sae.encode(acts)
            edited = codes.clone()
            edited[:, stop:, latent] = 2.0
            return acts + sae.decode(edited) - sae.decode(codes)

        with torch.no_grad():
            logits = model.run_with_hooks(tokens, fwd_hooks=[(HOOK, edit)])[0, -1]
        expected = log_odds(logits[_words(model, dataset, ROWS[1], "tense")].double())
        (result,) = asked.with_codes([ROWS[1]], [LatentSetting(latent, 2.0)])
        np.testing.assert_allclose(result[0, _columns(dataset, "tense")], expected, atol=1e-3)


def test_codes_are_set_from_the_pooled_token_on(
    model: HookedTransformer, dataset: FactorDataset
) -> None:
    factor, row, sae = "tense", ROWS[1], _sae()
    tokens = _prompt(model, dataset, row, factor)
    stop = model.to_tokens(dataset.prompts[row]).shape[1] - 1
    assert 0 < stop < tokens.shape[1] - 1

    def edit(acts: torch.Tensor, hook: Any) -> torch.Tensor:
        codes = sae.encode(acts)
        edited = codes.clone()
        edited[:, stop:, 3] = 7.5
        return acts + sae.decode(edited) - sae.decode(codes)

    with torch.no_grad():
        logits = model.run_with_hooks(tokens, fwd_hooks=[(HOOK, edit)])[0, -1]
    expected = log_odds(logits[_words(model, dataset, row, factor)].double())
    asked = _asked(model, dataset, sae, pooling="last")
    (answered,) = asked.with_codes([row], [LatentSetting(3, 7.5)])
    np.testing.assert_allclose(answered[0, _columns(dataset, factor)], expected, atol=1e-3)
    (everywhere,) = _asked(model, dataset, sae, pooling="mean").with_codes(
        [row], [LatentSetting(3, 7.5)]
    )
    assert abs(answered[0] - everywhere[0]).max() > 1e-2


def test_a_latent_that_is_silent_is_ablated_without_effect(
    model: HookedTransformer, dataset: FactorDataset
) -> None:
    sae = StandardSAE(StandardSAEConfig(d_in=128, d_sae=4))
    with torch.no_grad():
        sae.b_enc[2] = -1e6
    asked = _asked(model, dataset, sae, latents=(2, 1))
    result, other = asked.with_codes(ROWS, [LatentSetting(2, 0.0), LatentSetting(2, 5.0)])
    assert np.array_equal(result, asked.clean)
    assert not np.array_equal(other, asked.clean)
    assert asked.quantile(2) is None


def test_several_settings_do_not_touch_each_other(
    model: HookedTransformer, dataset: FactorDataset
) -> None:
    asked = _asked(model, dataset)
    settings = [LatentSetting(3, 4.0), LatentSetting(5, 0.0), LatentSetting(7, 9.0)]
    together = asked.with_codes(ROWS, settings)
    for setting, each in zip(settings, together, strict=True):
        np.testing.assert_array_equal(asked.with_codes(ROWS, [setting])[0], each)


def test_a_latent_is_clamped_to_the_quantile_of_its_codes_where_it_is_active(
    model: HookedTransformer, dataset: FactorDataset
) -> None:
    sae = _sae()
    asked = _asked(model, dataset, sae, latents=(11, 5), pooling="mean")
    active: list[float] = []
    for row in ROWS:
        for factor in dataset.readouts:
            tokens = _prompt(model, dataset, row, factor)
            with torch.no_grad():
                codes = sae.encode(model.run_with_cache(tokens)[1][HOOK][0, 1:])[:, 11]
            active += codes[codes > 0].tolist()
    assert asked.latents == (11, 5)
    assert asked.quantile(11) == pytest.approx(np.quantile(active, QUANTILE), rel=1e-4)


def test_factors_without_a_readout_are_not_asked(
    model: HookedTransformer, dataset: FactorDataset
) -> None:
    only = replace(dataset, readouts={"tense": dataset.readouts["tense"]})
    asked = _asked(model, only)
    assert asked.n_sequences == len(ROWS)
    is_asked = np.zeros(asked.clean.shape[1], bool)
    is_asked[_columns(dataset, "tense")] = True
    assert np.array_equal(~np.isnan(asked.clean).any(0), is_asked)


def test_faults_are_sentences(model: HookedTransformer, dataset: FactorDataset) -> None:
    told = dataset.readouts["gender"]
    for word in (" she said", " zyxt"):
        odd = Readout(stems=told.stems, words=((" he", word),) * dataset.n)
        with pytest.raises(DataError, match=f"the later word '{word}' is .*must be one"):
            _asked(model, replace(dataset, readouts={"gender": odd}))
    long = Readout(stems=("very " * 300,) * dataset.n, words=told.words)
    with pytest.raises(DataError, match=r"prompt 0 with the stem of 'gender' has 3\d\d tokens"):
        _asked(model, replace(dataset, readouts={"gender": long}))
    with pytest.raises(ModelError, match=r"Did you mean 'blocks\.2\.hook_resid_post'"):
        _asked(model, dataset, hook_name="blocks.2.hook_resid_pots")


def test_log_odds_of_two_words_are_their_difference() -> None:
    result = log_odds(torch.tensor([[3.0, 1.0], [800.0, -800.0]]))
    assert result.tolist() == [[2, -2], [1600, -1600]]
    even = log_odds(torch.zeros(3))
    assert even.tolist() == pytest.approx([-np.log(2)] * 3)


def test_codes_at_tokens_are_those_of_the_text_without_bos(
    model: HookedTransformer, dataset: FactorDataset
) -> None:
    sae = _sae()
    by_prompt = codes_at_tokens(sae, model, dataset, HOOK, [4, 1], [9, 2], batch_size_prompts=1)
    assert set(by_prompt) == {4, 1}
    for row, one in by_prompt.items():
        assert "".join(one.tokens) == dataset.prompts[row]
        with torch.no_grad():
            acts = model.run_with_cache(model.to_tokens(dataset.prompts[row]))[1][HOOK]
            expected = sae.encode(acts)[0, 1:, [9, 2]]
        np.testing.assert_allclose(one.codes, expected.numpy(), atol=1e-4)
    assert codes_at_tokens(sae, model, dataset, HOOK, [], [1]) == {}
