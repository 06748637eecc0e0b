"""SAE-Bench's RAVEL on the bundled model: its own numbers, and its traps."""

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
from sae_bench.evals.ravel import generation, instance, intervention
from sae_bench.sae_bench_utils import activation_collection
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.ravel.data import EntityTable, checked
from csae_bench.errors import SaeError
from csae_bench.evals import EvalContext, get_eval
from csae_bench.models.loading import load_published
from csae_bench.tinyworld.facts import facts
from csae_bench.tinyworld.subjects import SUBJECTS
from csae_bench.upstream.ravel import RavelOutcome, RavelSettings, ravel_config, run_ravel
from csae_bench.upstream.ravel_isolation import WithBos, layers_of, ravel_sees
from csae_bench.upstream.ravel_reference import reference_ravel
from csae_bench.upstream.validation import validate_as_sae_bench

HOOK_NAME = "blocks.1.hook_resid_post"
TEMPLATES = {"Kind": "the %s", "Next": "one day the %s", "Word": "Anna and the %s"}
BATCH = 8


@pytest.fixture(scope="module")
def hooked() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


@pytest.fixture(scope="module")
def published() -> Any:
    return load_published("tiny-gemma2-it")


@pytest.fixture(scope="module")
def table(hooked: HookedTransformer, published: Any) -> EntityTable:
    """Invented things, and as their attributes whatever the model says of them."""
    names = [facts(subject)[i].thing for subject in SUBJECTS for i in range(8)]
    tokenizer = WithBos(hooked.tokenizer)
    labels: dict[str, dict[str, str]] = {name: {} for name in names}
    for attribute, template in TEMPLATES.items():
        said = [
            generation.generate_batched(
                published, tokenizer, [tokenizer.encode(template % name)], max_new_tokens=6
            )[0]
            for name in names
        ]
        for name, completion in zip(names, said, strict=True):
            labels[name][attribute] = completion.split()[0]
    parts = {
        "entity_attributes": labels,
        "attribute_to_prompts": {name: [template] for name, template in TEMPLATES.items()},
        "entity_to_split": dict.fromkeys(names, "train"),
        "prompt_to_split": dict.fromkeys(TEMPLATES.values(), "train"),
    }
    return checked("thing", parts, "made", TEMPLATES)


@pytest.fixture(scope="module")
def sae(hooked: HookedTransformer) -> SAE[Any]:
    torch.manual_seed(0)
    metadata = SAEMetadata(hook_name=HOOK_NAME, model_name="tiny-gemma2-it", prepend_bos=True)
    return TopKSAE(TopKSAEConfig(d_in=hooked.cfg.d_model, d_sae=256, k=16, metadata=metadata))


@pytest.fixture(scope="module")
def settings() -> RavelSettings:
    config = ravel_config(
        model_name="tiny-gemma2-it",
        llm_dtype="float32",
        entity_attribute_selection={"thing": list(TEMPLATES)},
        num_pairs_per_attribute=30,
        llm_batch_size=BATCH,
        num_epochs=1,
    )
    return RavelSettings(
        config=config, model_fingerprint="t", hook_name=HOOK_NAME, min_entities=2, device="cpu"
    )


@pytest.fixture(scope="module")
def outcome(
    sae: SAE[Any],
    hooked: HookedTransformer,
    published: Any,
    table: EntityTable,
    settings: RavelSettings,
) -> RavelOutcome:
    return run_ravel(sae, hooked, published, [table], settings)


def test_numbers_are_those_of_sae_benchs_own_eval(
    outcome: RavelOutcome,
    sae: SAE[Any],
    hooked: HookedTransformer,
    published: Any,
    table: EntityTable,
    settings: RavelSettings,
    tmp_path: Path,
) -> None:
    assert outcome.undefined is None, outcome.known
    scores, by_class = reference_ravel(
        sae, hooked, published, [table], settings.config, HOOK_NAME, tmp_path
    )
    assert outcome.scores == {
        "disentanglement_score": scores["disentangle_score"],
        "cause_score": scores["cause_score"],
        "isolation_score": scores["isolation_score"],
    }
    assert outcome.by_class == by_class


def test_a_second_sae_finds_what_the_model_knows_and_the_order_does_not_matter(
    outcome: RavelOutcome,
    sae: SAE[Any],
    hooked: HookedTransformer,
    published: Any,
    table: EntityTable,
    settings: RavelSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = SharedPasses(n_users=2)
    torch.manual_seed(1)
    other = TopKSAE(sae.cfg)
    run_ravel(other, hooked, published, [table], settings, tmp_path, shared)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(instance, "generate_batched", None)  # it would be asked again
    again = run_ravel(sae, hooked, published, [table], settings, tmp_path, shared)
    from_file = run_ravel(sae, hooked, published, [table], settings, tmp_path)
    assert again.by_class == from_file.by_class == outcome.by_class
    assert again.pairs == outcome.pairs


def test_facts_of_other_settings_are_not_taken(
    sae: SAE[Any],
    hooked: HookedTransformer,
    published: Any,
    table: EntityTable,
    settings: RavelSettings,
    tmp_path: Path,
) -> None:
    few = replace(settings, min_entities=1000)  # ends where the facts are there
    for n, changed in enumerate(
        (
            few,
            replace(few, model_fingerprint="another"),
            replace(few, config=replace(few.config, n_generated_tokens=3)),
            replace(few, config=replace(few.config, top_n_entities=5)),
        ),
        start=1,
    ):
        run_ravel(sae, hooked, published, [table], changed, tmp_path)
        assert len(list(tmp_path.iterdir())) == n


def test_pairs_are_counted_as_they_were_drawn(outcome: RavelOutcome) -> None:
    n_tested = 60 - int(60 * 0.7)
    assert len(outcome.pairs) == 3 * (n_tested // BATCH) * BATCH
    assert outcome.n_pairs_dropped == 3 * (n_tested % BATCH + int(60 * 0.7) % BATCH)
    assert {pair.attribute for pair in outcome.pairs} == set(TEMPLATES)
    assert {pair.is_cause for pair in outcome.pairs} == {True, False}


def test_too_few_known_entities_give_no_score_but_counts(
    sae: SAE[Any],
    hooked: HookedTransformer,
    published: Any,
    table: EntityTable,
    settings: RavelSettings,
) -> None:
    names = list(table.parts["entity_attributes"])
    labels = {name: dict(table.parts["entity_attributes"][name]) for name in names}
    for name in names[3:]:
        labels[name]["Kind"] = "nothing"
    changed = EntityTable("thing", {**table.parts, "entity_attributes": labels})
    measured = run_ravel(sae, hooked, published, [changed], replace(settings, min_entities=10))
    assert all(math.isnan(score) for score in measured.scores.values())
    assert measured.undefined == (
        f"of {len(names)} entities of the class thing the model knows Kind 3, and 10 are needed "
        "(min_entities)"
    )


def test_too_few_pairs_for_a_batch_give_no_score(
    sae: SAE[Any],
    hooked: HookedTransformer,
    published: Any,
    table: EntityTable,
    settings: RavelSettings,
) -> None:
    large = replace(settings, config=replace(settings.config, llm_batch_size=32))
    measured = run_ravel(sae, hooked, published, [table], large)
    assert "do not fill a batch of 32 (llm_batch_size)" in str(measured.undefined)


def test_saes_at_other_hooks_are_refused(
    sae: SAE[Any],
    hooked: HookedTransformer,
    published: Any,
    table: EntityTable,
    settings: RavelSettings,
) -> None:
    asked = replace(settings, hook_name="blocks.1.hook_mlp_out")
    with pytest.raises(SaeError, match=r"hook_name is 'blocks\.1\.hook_mlp_out'; ravel"):
        run_ravel(sae, hooked, published, [table], asked)


def test_a_stopped_pass_reads_the_same_activations(
    hooked: HookedTransformer, published: Any
) -> None:
    tokens = hooked.to_tokens(["the king and the queen", "Anna saw the old gentleman"])
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    places = torch.tensor([-2, -1])
    read: list[torch.Tensor] = []
    for shared in (None, SharedPasses()):
        with ravel_sees(hooked.tokenizer, seed=0, shared=shared):
            read.append(activation_collection.get_layer_activations(published, 1, inputs, places))
    assert torch.equal(*read)
    _, cache = hooked.run_with_cache(tokens, names_filter=HOOK_NAME)
    expected = cache[HOOK_NAME][[0, 1], places]
    torch.testing.assert_close(read[0], expected, atol=1e-3, rtol=1e-3)  # another attention's order


def test_sae_bench_still_fails_with_layers_that_return_a_tensor(
    hooked: HookedTransformer, published: Any
) -> None:
    """Mended upstream, `_TupleLayer` can go."""
    tokens = hooked.to_tokens("the king and the queen")
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    with pytest.raises(IndexError):
        activation_collection.get_layer_activations(published, 1, inputs, torch.tensor([-1]))


def test_sae_bench_still_knows_two_architectures(published: Any) -> None:
    """Mended upstream, `layers_of` can go."""

    class Llama:
        class config:
            architectures = ("LlamaForCausalLM",)

    with pytest.raises(ValueError, match="LlamaForCausalLM not supported"):
        activation_collection.get_module(Llama(), 0)  # pyright: ignore[reportArgumentType]
    assert len(layers_of(published)) == published.config.num_hidden_layers


def test_sae_bench_still_asks_the_hub_with_an_argument_that_is_gone() -> None:
    """Mended upstream, it may download by itself."""
    import huggingface_hub

    assert "local_dir_use_symlinks" in inspect.getsource(instance.RAVELInstance.load_files)
    assert (
        "local_dir_use_symlinks"
        not in inspect.signature(huggingface_hub.snapshot_download).parameters
    )


def test_nothing_of_sae_bench_is_left_behind(
    sae: SAE[Any],
    hooked: HookedTransformer,
    published: Any,
    table: EntityTable,
    settings: RavelSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = activation_collection.get_module, intervention.evaluate_completion
    state = torch.random.get_rng_state()
    with torch.no_grad():
        run_ravel(sae, hooked, published, [table], settings)
        assert not torch.is_grad_enabled()
    assert (activation_collection.get_module, intervention.evaluate_completion) == before
    assert torch.equal(state, torch.random.get_rng_state())
    assert not any(layer._forward_hooks for layer in layers_of(published))
    assert list(tmp_path.iterdir()) == []
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_the_page_has_sae_benchs_values_and_ours(
    sae: SAE[Any],
    hooked: HookedTransformer,
    table: EntityTable,
    outcome: RavelOutcome,
    tmp_path: Path,
) -> None:
    table.write(tmp_path / "data")
    spec = get_eval("ravel")
    context = EvalContext(
        sae=sae,
        sae_id="sae",
        model_name="tiny-gemma2-it",
        hook_name=HOOK_NAME,
        device="cpu",
        artifacts=tmp_path,
        rng=np.random.default_rng(0),
        load_model=lambda _: hooked,
    )
    asked: dict[str, Any] = {
        "data": str(tmp_path / "data"),
        "entity_attribute_selection": {"thing": list(TEMPLATES)},
        "num_pairs_per_attribute": 30,
        "llm_batch_size": BATCH,
        "num_epochs": 1,
        "min_entities": 2,
    }
    for changed in ({}, {"min_entities": 1000}):
        config = spec.config.model_validate(asked | changed)
        assert config.needs("tiny-gemma2-it").skip is None
        result = spec.run(context, config)
        written = {
            "eval_type_id": "ravel",
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
        own = result.unstructured["corrected"]
        assert {f"corrected.{name}" for name in own} | set(result.metrics["ravel"]) == set(
            spec.metrics
        )
        if changed:
            assert set(result.metrics["ravel"].values()) == {-1}
            assert own["cause_score"] is None
        else:
            assert result.metrics["ravel"] == outcome.scores
            assert own["n_pairs"] == len(outcome.pairs)
