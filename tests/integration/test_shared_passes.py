"""Passes of the model that no SAE takes part in run once, however many SAEs are judged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from transformer_lens import HookedTransformer

import csae_bench
from csae_bench import models
from csae_bench.evals import discover

DATA = Path(__file__).parents[1] / "golden" / "data"
FACTORS: dict[str, Any] = {"factors": str(DATA / "prompts.csv"), "n_permutations": 2}
SETTINGS: dict[str, dict[str, Any]] = {
    "autointerp": {"n_latents": 4, "total_tokens": 6000, "n_control": 2},
    "sparse_probing": {
        "dataset_names": ["tinyworld:tense"],
        "probe_train_set_size": 40,
        "probe_test_set_size": 20,
        "n_resamples": 1000,
    },
    "tpp": {
        "dataset_names": ["tinyworld:tense"],
        "train_set_size": 40,
        "test_set_size": 20,
        "n_values": [2],
        "probe_epochs": 2,
    },
    "scr": {
        "n_control": 0,
        "dataset_names": ["tinyworld:sentiment*gender"],
        "train_set_size": 40,
        "test_set_size": 20,
        "n_values": [2],
        "probe_epochs": 2,
    },
    "ce_bench": {"n_pairs": 8, "n_permutations": 2},
    "meta_structure_decoder_variance": {"train_steps": 2, "train_batch_size": 64},
    "core": {"n_eval_reconstruction_batches": 1, "n_eval_sparsity_variance_batches": 1},
    "mig": FACTORS,
    "factor_vae": FACTORS,
    "feature_correlation": FACTORS,
    "factor_probing": {**FACTORS, "n_prompts": 2},
    "sparse_probing_sae_probes": {"data": str(DATA / "probes")},
    "unlearning": {
        "data": str(DATA / "questions"),
        "n_control": 0,
        "n_features_list": [3],
        "multipliers": [8],
        "dataset_size": 8,
        "seq_len": 64,
    },
}
NOTHING_OF_THEIR_OWN = (
    "autointerp",
    "mig",
    "factor_vae",
    "feature_correlation",
    "sparse_probing_sae_probes",
    "meta_structure_decoder_variance",
    "ce_bench",
)
"""Evals that read the model's activations and run it with no SAE in place, or not at all."""
TIMES = ("train_time_seconds",)
"""Metrics of SAE-Bench's that are wall times."""


def without_times(metrics: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        category: {name: value for name, value in values.items() if name not in TIMES}
        for category, values in metrics.items()
    }


SKIPPED = {"absorption_first_letter", "ravel", "synth_sae_bench"}
"""Evals that have nothing to say of SAEs on the bundled model, with tests of their own."""


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of sequences in each forward pass."""
    passes: list[int] = []
    forward = HookedTransformer.forward

    def counting(self: HookedTransformer, given: Any, *args: Any, **options: Any) -> Any:
        passes.append(len(given))
        return forward(self, given, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(HookedTransformer, "forward", counting)
        yield passes


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


def _passes(name: str, n_saes: int, model: HookedTransformer, patch: pytest.MonkeyPatch) -> int:
    sae = csae_bench.load_sae(DATA / "sae")
    with counted(patch) as passes:
        evaluation = csae_bench.evaluate(
            {f"sae {i}": sae for i in range(n_saes)},
            model=model,
            evals=[name],
            settings={name: SETTINGS[name]},
            progress=False,
        )
    assert {one[name].status for one in evaluation.values()} == {"ok"}, evaluation["sae 0"][
        name
    ].reasons
    results = [one[name].result for one in evaluation.values()]
    metrics = [without_times(result["eval_result_metrics"]) for result in results if result]
    assert len(metrics) == n_saes
    assert all(one == metrics[0] for one in metrics)
    return sum(passes)


def test_every_eval_is_counted_here() -> None:
    assert set(SETTINGS) == set(discover()) - SKIPPED


@pytest.mark.parametrize("name", SETTINGS)
def test_passes_of_one_and_of_four_saes(
    name: str, model: HookedTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, four = (_passes(name, n, model, monkeypatch) for n in (1, 4))
    own, rest = divmod(four - one, 3)
    """Passes with an SAE in place, or on prompts that its codes chose."""
    assert rest == 0
    validity = 4 * 16
    """Sequences that vital signs are measured on, with the SAE in place."""
    assert one - own >= 2 * validity
    if name in NOTHING_OF_THEIR_OWN:
        assert own == validity
    if name == "core":  # each sequence once in the place of clean, replaced and ablated logits
        assert own - validity == 16
