"""SmolLM2's recipe: two SAEs that differ in their objective alone, on texts kept apart."""

from __future__ import annotations

from csae_bench.config.loading import load_config
from csae_bench.corpora.sae_probes_sources import PROBING_DATASETS, sources

OF_THE_OBJECTIVE = {"architecture", "losses"}


def test_the_twins_differ_in_their_objective_alone() -> None:
    first, second = (load_config(name).config for name in ("smollm2", "smollm2_batchtopk"))
    assert first.sae.d_sae == second.sae.d_sae
    changed = {
        key
        for key in ("model", "hook_name", "seed", "activations", "pairs", "evals")
        if getattr(first, key) != getattr(second, key)
    }
    assert changed == set()
    theirs = second.training.model_dump()
    of_training = {
        key for key, value in first.training.model_dump().items() if value != theirs[key]
    }
    assert of_training == {"curriculum"}
    mine, other = first.sae.model_dump(), second.sae.model_dump()
    assert {
        key for key in mine.keys() & other.keys() if mine[key] != other[key]
    } <= OF_THE_OBJECTIVE


def test_it_probes_on_the_datasets_that_are_kept_out_of_the_text() -> None:
    probing = load_config("smollm2").config.evals["sparse_probing_sae_probes"]
    assert tuple(probing["datasets"]) == PROBING_DATASETS
    assert not {source.name for source in sources()} & set(PROBING_DATASETS)


def test_core_reads_at_most_16384_tokens() -> None:
    core = load_config("smollm2").config.evals["core"]
    n_batches = core["n_eval_reconstruction_batches"] + core["n_eval_sparsity_variance_batches"]
    assert n_batches * 16 * 128 <= 16_384
