"""csae_bench/identity.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.config.loading import load_config
from csae_bench.errors import UsageError
from csae_bench.results.identity import (
    config_sae_id,
    decides_weights,
    hook_layer,
    release,
    training_hash,
    training_identity,
)
from csae_bench.support.named_configs import config_folder


def _hash(name: str = "topk", model: str = "m", corpus: str = "c", **flags: object) -> str:
    resolved = load_config(name, **flags)  # pyright: ignore[reportArgumentType]
    return training_hash(training_identity(resolved, model=model, corpus=corpus))


def test_release_names_model_and_layer() -> None:
    assert release("google/gemma-2-2b", "blocks.19.hook_resid_post") == (
        "google/gemma-2-2b_layer_19_sae"
    )


def test_a_hook_without_a_layer_is_an_error() -> None:
    with pytest.raises(UsageError, match="must name a block"):
        hook_layer("hook_embed")


def test_sae_id_is_the_configurations_name() -> None:
    assert config_sae_id(load_config("topk")) == "topk"


def test_sae_id_carries_the_change_and_then_the_seed() -> None:
    sae_id = config_sae_id(load_config("topk", sets=["sae.k=8"], seed=3))
    name, changed = sae_id.removesuffix("_seed3").split("-")
    assert sae_id.endswith("_seed3")
    assert name == "topk"
    assert len(changed) == 8
    int(changed, 16)


def test_the_order_of_changes_does_not_matter() -> None:
    one = load_config("topk", sets=["sae.k=8", "sae.d_sae=64"])
    other = load_config("topk", sets=["sae.d_sae=64", "sae.k=8"])
    assert config_sae_id(one) == config_sae_id(other)


@pytest.mark.parametrize("changed", ["sae.k=8", "training.n_tokens=4096", "hook_name=blocks.1.x"])
def test_what_decides_the_weights_changes_the_hash(changed: str) -> None:
    assert _hash(sets=[changed]) != _hash()


@pytest.mark.parametrize(
    "changed",
    ["training.log_every=3", "threads=1", "evals.core={}", "activations.cache_gib=20"],
)
def test_what_does_not_decide_the_weights_leaves_the_hash(changed: str) -> None:
    assert _hash(sets=[changed]) == _hash()


def test_seed_model_and_corpus_change_the_hash() -> None:
    assert len({_hash(), _hash(seed=1), _hash(model="n"), _hash(corpus="d")}) == 4


CUSTOM_SAE_OF_THEN = f"""
extends: {config_folder() / "_tinyworld"}
sae:
  architecture: contrastive_batchtopk
  d_sae: 1024
  k: 18
  losses:
    rows: {{weight: 0.2, temperature: 0.2, warm_up_steps: 216}}
    mixing: {{weight: 0.2, warm_up_steps: 216}}
training:
  curriculum:
    - {{name: reconstruction, until: 0.07, strength: 0}}
    - {{name: contrast, until: 1}}
"""


def test_a_hash_is_that_of_checkpoints_from_before_activations_were_cached(tmp_path: Path) -> None:
    custom_sae = tmp_path / "then.yaml"
    custom_sae.write_text(CUSTOM_SAE_OF_THEN)
    pairs = ["pairs.paraphrase.weight=1", "pairs.minimal.weight=0"]
    hashes = [_hash(name, sets=pairs) for name in ("topk", str(custom_sae))]
    assert hashes == ["f7a0cd64c928d724", "3d2a5465751e2fde"]


@pytest.mark.parametrize(
    "change",
    [
        "pairs.minimal.weight=2",
        "pairs.paraphrase.shuffled=true",
        "pairs.minimal.n_pairs=64",
        "sae.losses.rows.minimal_negatives=true",
        "sae.losses.sparse_shift.weight=0.1",
    ],
)
def test_settings_that_were_added_later_change_the_hash_once_they_do_something(change: str) -> None:
    assert _hash("custom_sae", sets=[change]) != _hash("custom_sae")


def test_settings_of_minimal_pairs_that_are_off_leave_the_hash() -> None:
    off = ["pairs.minimal.weight=0"]
    assert _hash(sets=[*off, "pairs.minimal.positions=after_change"]) == _hash(sets=off)


def test_the_cache_changes_no_id_and_counts_as_deciding_no_weights() -> None:
    assert config_sae_id(load_config("topk", sets=["activations.cache_gib=20"])) == "topk"
    assert not decides_weights("activations.cache_gib")
    assert decides_weights("activations.context_size")
