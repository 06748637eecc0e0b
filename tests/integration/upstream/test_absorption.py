"""SAE-Bench's first-letter absorption on a model that spells: its own numbers, and its traps."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sae_bench.evals.absorption import common
from sae_lens import SAE
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.absorption.results import corrected, sae_bench_means
from csae_bench.errors import ConfigError, EvalError, SaeError
from csae_bench.evals import EvalContext, EvalResult, get_eval
from csae_bench.upstream.absorption import AbsorptionOutcome, run_absorption
from csae_bench.upstream.absorption_probes import LetterProbes
from csae_bench.upstream.absorption_reference import reference_absorption
from csae_bench.upstream.absorption_settings import AbsorptionSettings, absorption_config
from csae_bench.upstream.validation import validate_as_sae_bench
from tests import spelling_model as spelling

ABSORBED = {"bzac": "b", "bzad": "b", "kzac": "k"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> HookedTransformer:
    return spelling.spelling_model(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def sae(model: HookedTransformer) -> SAE[Any]:
    return spelling.spelling_sae(model)


@pytest.fixture(scope="module")
def settings(model: HookedTransformer) -> AbsorptionSettings:
    config = absorption_config(
        model,
        model_name="speller",
        prompt_template=spelling.TEMPLATE,
        prompt_token_pos=spelling.POSITION,
        max_k_value=2,
        k_sparse_probe_num_epochs=20,
        k_sparse_probe_batch_size=64,
        llm_batch_size=64,
    )
    return AbsorptionSettings(
        config=config,
        model_fingerprint="speller",
        hook_name=spelling.HOOK_NAME,
        words_per_letter=None,
        device="cpu",
    )


@pytest.fixture(scope="module")
def kept() -> SharedPasses:
    """Probes of the model, for all tests."""
    return SharedPasses(n_users=2)


@pytest.fixture(scope="module")
def outcome(
    sae: SAE[Any], model: HookedTransformer, settings: AbsorptionSettings, kept: SharedPasses
) -> AbsorptionOutcome:
    return run_absorption(sae, model, settings, shared=kept)


def with_config(settings: AbsorptionSettings, **changes: Any) -> AbsorptionSettings:
    return replace(settings, config=replace(settings.config, **changes))


def all_words(model: HookedTransformer) -> list[str]:
    from sae_bench.evals.absorption.vocab import get_alpha_tokens

    tokenizer: Any = model.tokenizer
    return sorted(set(get_alpha_tokens(tokenizer)))


@pytest.mark.parametrize("precalc", [False, True])
def test_numbers_are_those_of_sae_benchs_own_eval(
    precalc: bool,
    model: HookedTransformer,
    settings: AbsorptionSettings,
    kept: SharedPasses,
    tmp_path: Path,
) -> None:
    asked = with_config(settings, precalc_k_sparse_probe_sae_acts=precalc)
    absorbing = spelling.spelling_sae(model, absorbed=ABSORBED)
    ours = run_absorption(absorbing, model, asked, shared=kept)
    (theirs,) = reference_absorption(
        [absorbing], model, all_words(model), replace(asked.config), tmp_path
    )
    assert ours.data["n_words"] == len(all_words(model))
    assert sae_bench_means(ours.letters) == theirs["eval_result_metrics"]["mean"]
    assert ours.letters.details() == theirs["eval_result_details"]
    assert ours.eval_config == theirs["eval_config"]


def test_an_sae_with_a_latent_for_each_letter_absorbs_nothing(outcome: AbsorptionOutcome) -> None:
    values, reasons = corrected(outcome.corrected, undefined=None, n_resamples=1000, seed=0)
    assert outcome.corrected is outcome.letters
    assert values["n_letters"] == 26
    assert values["mean_full_absorption_score"] == 0
    assert values["mean_num_split_features"] == 1
    assert values["mean_split_f1"] == pytest.approx(1.0, abs=0.05)
    assert reasons == {}
    assert [letter.split_feats for letter in outcome.letters.letters] == [(i,) for i in range(26)]


def test_absorbed_words_are_counted(
    model: HookedTransformer, settings: AbsorptionSettings, kept: SharedPasses
) -> None:
    tested = kept_probes_of(kept).words_test
    word = next(word for word in tested if word[0] == "b" and len(word) == 4)
    absorbing = spelling.spelling_sae(model, absorbed={word: "b"})
    measured = run_absorption(absorbing, model, settings, shared=kept)
    by_letter = {letter.letter: letter for letter in measured.letters.letters}
    assert by_letter["b"].num_full_absorption == 1
    assert by_letter["b"].split_feats == (1,)
    assert by_letter["c"].num_full_absorption == 0


def kept_probes_of(kept: SharedPasses) -> LetterProbes:
    """Return the probes that earlier tests left."""
    values = [value for value, _ in kept._values.values()]  # pyright: ignore[reportPrivateUsage]
    (probes,) = (value for value in values if isinstance(value, LetterProbes))
    return probes


def test_scores_do_not_depend_on_the_order_of_saes(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: AbsorptionSettings,
    outcome: AbsorptionOutcome,
    tmp_path: Path,
) -> None:
    shared = SharedPasses(n_users=2)
    torch.manual_seed(7)
    other = run_absorption(spelling.spelling_sae(model), model, settings, tmp_path, shared)
    assert len(list(tmp_path.iterdir())) == 1
    again = run_absorption(sae, model, settings, tmp_path, shared)
    assert again.letters == other.letters == outcome.letters


def test_probes_of_other_settings_are_not_taken(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: AbsorptionSettings,
    outcome: AbsorptionOutcome,
    tmp_path: Path,
) -> None:
    few = replace(with_config(settings, min_feats_for_eval=26, min_GT_probe_f1=1.0))
    run_absorption(sae, model, few, tmp_path)
    run_absorption(sae, model, few, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    for changed in (
        with_config(few, random_seed=1),
        replace(few, model_fingerprint="another"),
        replace(few, words_per_letter=28),
    ):
        n_before = len(list(tmp_path.iterdir()))
        run_absorption(sae, model, changed, tmp_path)
        assert len(list(tmp_path.iterdir())) == n_before + 1


def test_a_damaged_file_of_probes_is_made_again(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: AbsorptionSettings,
    outcome: AbsorptionOutcome,
    tmp_path: Path,
) -> None:
    run_absorption(sae, model, settings, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert run_absorption(sae, model, settings, tmp_path).letters == outcome.letters


class Signed(torch.nn.Module):
    """An SAE whose latents for letters have negative codes and opposite decoder rows."""

    def __init__(self, sae: SAE[Any]) -> None:
        super().__init__()
        self.inner = sae
        self.W_enc = sae.W_enc
        self.W_dec = torch.nn.Parameter(-0.5 * sae.W_dec.detach())
        self.cfg = sae.cfg

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return -2 * self.inner.encode(x)

    def decode(self, feature_acts: torch.Tensor) -> torch.Tensor:
        return feature_acts @ self.W_dec


def test_negative_codes_and_short_rows_are_corrected(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: AbsorptionSettings,
    kept: SharedPasses,
    outcome: AbsorptionOutcome,
) -> None:
    measured = run_absorption(Signed(sae), model, settings, shared=kept)
    assert measured.data["has_negative_codes"]
    assert measured.data["has_form_of_its_own"]
    right = [letter.split_feats for letter in measured.corrected.letters]
    d_sae = sae.cfg.d_sae
    assert right == [(i + d_sae,) for i in range(26)]
    assert all(letter.num_full_absorption == 0 for letter in measured.corrected.letters)
    # what SAE-Bench makes of it: no latent is the letter's own
    assert [letter.split_feats for letter in measured.letters.letters] != right


def test_a_model_that_known_few_letters_gets_no_score_but_its_letters(
    settings: AbsorptionSettings, tmp_path: Path
) -> None:
    model = spelling.spelling_model(tmp_path, known="abcdefgh")
    measured = run_absorption(spelling.spelling_sae(model), model, settings)
    n_known = len(measured.letters.counted)
    assert n_known < 20
    assert f"for {n_known} of 26 letters, and 20 are needed" in str(measured.letters.reason)
    assert measured.letters.details() == []
    assert all(math.isnan(value) for value in sae_bench_means(measured.letters).values())


def test_sae_bench_still_leaves_no_result_where_letters_are_few(
    settings: AbsorptionSettings, tmp_path: Path
) -> None:
    """Mended upstream, what `Letters.reason` says can be taken from it."""
    (tmp_path / "tokenizer").mkdir()
    model = spelling.spelling_model(tmp_path / "tokenizer", known="abcdefgh")
    sae, config = spelling.spelling_sae(model), settings.config
    assert reference_absorption([sae, sae], model, all_words(model), config, tmp_path) == []


def test_a_tokenizer_without_words_of_a_letter_is_refused_with_counts(
    settings: AbsorptionSettings, tmp_path: Path
) -> None:
    model = spelling.spelling_model(tmp_path, without="qx")
    with pytest.raises(EvalError, match=r"for 2 of 26 first letters \(q 1, x 1\); each needs 20"):
        run_absorption(spelling.spelling_sae(model), model, settings)


def test_sae_bench_still_fails_where_a_letter_has_no_word(
    settings: AbsorptionSettings, tmp_path: Path
) -> None:
    """Mended upstream, `few_words` can go."""
    (tmp_path / "tokenizer").mkdir()
    model = spelling.spelling_model(tmp_path / "tokenizer", without="qx")
    words = [word for word in all_words(model) if word[0].lower() not in "qx"]
    sae = spelling.spelling_sae(model)
    with pytest.raises((KeyError, ValueError)):
        reference_absorption([sae], model, words, settings.config, tmp_path)


@pytest.mark.parametrize(
    "hook_name", ["blocks.0.hook_resid_pre", "blocks.0.hook_mlp_out", "blocks.7.hook_resid_post"]
)
def test_saes_at_other_hooks_are_refused(
    hook_name: str, sae: SAE[Any], model: HookedTransformer, settings: AbsorptionSettings
) -> None:
    with pytest.raises(SaeError, match=rf"hook_name is '{hook_name}'; absorption_first_letter"):
        run_absorption(sae, model, replace(settings, hook_name=hook_name))


def test_an_sae_with_fewer_latents_than_are_looked_at_is_refused(
    sae: SAE[Any], model: HookedTransformer, settings: AbsorptionSettings
) -> None:
    with pytest.raises(ConfigError, match=r"max_k_value is 100; an SAE needs that many latents"):
        run_absorption(sae, model, with_config(settings, max_k_value=100))


def test_a_position_that_is_not_the_words_is_refused(
    sae: SAE[Any], model: HookedTransformer, settings: AbsorptionSettings
) -> None:
    with pytest.raises(EvalError, match=r"prompt_token_pos is -4, and there stands 'has'"):
        run_absorption(sae, model, with_config(settings, prompt_token_pos=-4))


def test_nothing_of_sae_bench_is_left_behind(
    sae: SAE[Any],
    model: HookedTransformer,
    settings: AbsorptionSettings,
    kept: SharedPasses,
    outcome: AbsorptionOutcome,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    weights, state = sae.W_enc.clone(), torch.random.get_rng_state()
    before = common.get_alpha_tokens, common.tqdm
    with torch.no_grad():
        run_absorption(sae, model, settings, shared=kept)
        assert not torch.is_grad_enabled()
    assert (common.get_alpha_tokens, common.tqdm) == before
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(sae.W_enc, weights)
    assert not common.RESULTS_DIR.exists()
    assert list(tmp_path.iterdir()) == []
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_sae_bench_still_does_not_use_its_seed() -> None:
    """Mended upstream, `sae_bench_draws` need not seed."""
    from sae_bench.evals.absorption import main

    assert "seed" not in inspect.getsource(main.run_eval)


def page(sae: SAE[Any], model: HookedTransformer, shared: SharedPasses, folder: Path) -> EvalResult:
    spec = get_eval("absorption_first_letter")
    context = EvalContext(
        sae=sae,
        sae_id="sae",
        model_name="speller",
        model_true_name="speller",
        model_fingerprint="speller",
        hook_name=spelling.HOOK_NAME,
        device="cpu",
        artifacts=folder,
        rng=np.random.default_rng(0),
        load_model=lambda _: model,
        shared=shared,
    )
    settings = {
        "prompt_template": spelling.TEMPLATE,
        "prompt_token_pos": spelling.POSITION,
        "max_k_value": 2,
        "k_sparse_probe_num_epochs": 20,
        "k_sparse_probe_batch_size": 64,
        "llm_batch_size": 64,
    }
    return spec.run(context, spec.config.model_validate(settings))


def validated(result: EvalResult) -> None:
    """Check a result as the harness does, in an envelope of no interest."""
    written = {
        "eval_type_id": "absorption_first_letter",
        "eval_config": result.eval_config,
        "eval_id": "0",
        "datetime_epoch_millis": 0,
        "eval_result_metrics": result.metrics,
        "eval_result_details": list(result.details),
        "sae_bench_commit_hash": "",
        "sae_lens_id": None,
        "sae_lens_release_id": None,
        "sae_lens_version": None,
        "sae_cfg_dict": None,
        "eval_result_unstructured": result.unstructured,
    }
    validate_as_sae_bench(json.loads(json.dumps(written, allow_nan=False)))


def test_the_page_has_sae_benchs_values_and_ours(
    sae: SAE[Any], model: HookedTransformer, kept: SharedPasses, tmp_path: Path
) -> None:
    result = page(sae, model, kept, tmp_path)
    validated(result)
    own = result.unstructured["corrected"]
    rows = get_eval("absorption_first_letter").metrics
    assert {f"corrected.{name}" for name in own} | set(result.metrics["mean"]) == set(rows)
    assert own["mean_num_split_features_low"] == own["mean_num_split_features_high"] == 1
    assert result.unstructured["upstream_undefined"] == {}


def test_the_page_marks_what_a_model_cannot_have(tmp_path: Path) -> None:
    model = spelling.spelling_model(tmp_path, known="abcdefgh")
    result = page(spelling.spelling_sae(model), model, SharedPasses(0), tmp_path)
    validated(result)
    assert set(result.metrics["mean"].values()) == {-1}
    assert result.unstructured["upstream_undefined"].keys() == result.metrics["mean"].keys()
    assert "20 are needed" in result.unstructured["reasons"]["corrected.mean_full_absorption_score"]
    assert len(result.unstructured["letters"]) == 26
