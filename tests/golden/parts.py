"""The golden numbers: which eval or training on which stored input, in which file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.golden import adapters
from tests.golden.adapters import Bench, Result, StoredCodes, StoredPairs
from tests.golden.make_data import DATA, FACTORS, N_LATENTS, read_codes
from tests.golden.numbers import Numbers, flat

PROSE = ("notes", "warnings", "artifacts", "settings", "data")
"""Parts of `unstructured` that hold no numbers of the eval."""

FEW: dict[str, dict[str, Any]] = {
    "mig": {"n_permutations": 20},
    "factor_vae": {"n_permutations": 20, "n_vote_permutations": 4, "n_train": 600, "n_eval": 600},
    "feature_correlation": {"n_permutations": 20, "n_importance_permutations": 4},
    "factor_probing": {"n_permutations": 20, "n_prompts": 4},
}
"""Settings of the factor evals that keep them short."""

CORE: dict[str, Any] = {
    "context_size": 64,
    "batch_size_prompts": 8,
    "n_eval_reconstruction_batches": 2,
    "n_eval_sparsity_variance_batches": 4,
}
SPARSE_PROBING: dict[str, Any] = {"ks": (1, 5), "llm_batch_size": 32}
UNLEARNING: dict[str, Any] = {
    "data": str(DATA / "questions"),
    "retain_thresholds": (0.05, 0.2),
    "n_features_list": (2, 4),
    "multipliers": (6, 12),
    "dataset_size": 32,
    "seq_len": 64,
    "llm_batch_size": 16,
    "n_control": 2,
}

SHORT = (
    "sae.d_sae=128",
    "sae.k=6",
    "training.batch_size=256",
    "training.n_tokens=5120",
    "training.lr_warm_up_steps=3",
    "training.lr_decay_steps=6",
    "training.dead_latent_window=1",
    "training.weighting.every=4",
    "activations.pairs_in_buffer=160",
)
"""Twenty steps in which everything happens that happens in a whole training."""
WITHOUT_MINIMAL_PAIRS = (
    "pairs.minimal.weight=0",
    "pairs.paraphrase.weight=1",
    "sae.losses.sparse_shift.weight=0",
)
TRAININGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "custom_sae_small": (
        "custom_sae_small",
        (
            *SHORT,
            *WITHOUT_MINIMAL_PAIRS,
            "sae.losses.rows={weight: 0.2, temperature: 0.2, warm_up_steps: 4}",
            "sae.losses.mixing={weight: 0.2, warm_up_steps: 4}",
            "training.curriculum=[{name: reconstruction, until: 0.07, strength: 0}, "
            "{name: contrast, until: 1}]",
        ),
    ),
    "contrastive_full": (
        "contrastive_full",
        (
            *SHORT,
            *WITHOUT_MINIMAL_PAIRS,
            "sae.losses.rows.warm_up_steps=4",
            "sae.losses.columns.warm_up_steps=4",
            "sae.losses.cross_view.warm_up_steps=4",
            "sae.losses.push_up.warm_up_steps=4",
            "sae.losses.mixing.warm_up_steps=2",
            "training.curriculum=[{name: reconstruction, until: 0.07, strength: 0}, "
            "{name: same sequence, until: 0.25, pairs: [same_sequence], strength: {mixing: 0}}, "
            "{name: paraphrases, until: 0.5, settings: {mixing: {targeting: random}}}, "
            "{name: hard mixing, until: 1}]",
        ),
    ),
    "minimal_pairs": ("custom_sae_small", (*SHORT, "sae.losses.sparse_shift.warm_up_steps=4")),
}
"""Configuration and changes, by name. The first two keep the objective that they were first
measured with, whatever the configurations have become."""
NOT_COMPARED = ("step", "tokens_per_second", "memory_gib")
"""Of a line of the training log."""


@dataclass(frozen=True)
class Part:
    """Numbers that are measured together."""

    file: str
    """Name of its golden file."""
    name: str
    measure: Callable[[], Numbers]

    @property
    def id(self) -> str:
        """Name for pytest and the renewal."""
        return f"{self.file}/{self.name}"


VERSIONS: dict[str, tuple[str, Callable[[], int]]] = {
    "training": ("TRAINING_VERSION", adapters.training_version),
    "unlearning": ("ENGINE_VERSION", adapters.engine_version),
}
"""Golden file -> the constant that its numbers belong to, and what gives its value."""


def version_of(file: str) -> dict[str, int]:
    """Return name and value of the constant that a file's numbers belong to; empty without one."""
    if file not in VERSIONS:
        return {}
    constant, value = VERSIONS[file]
    return {constant: value()}


def parts() -> list[Part]:
    """Return all parts, in the order of the files."""
    return [
        *(_on_codes(name) for name in FEW),
        _through_model("core", lambda: _bench().evaluate("core", CORE)),
        *(_on_prompts(name) for name in ("mig", "factor_vae", "feature_correlation")),
        _through_model(
            "factor_probing",
            lambda: _bench().evaluate_on_grid("factor_probing", 320, FEW["factor_probing"]),
        ),
        _through_model("sparse_probing_sae_probes", _sparse_probing),
        Part("unlearning", "unlearning", lambda: _numbers(_unlearning())),
        *(_training(name) for name in TRAININGS),
    ]


def file_names() -> list[str]:
    """Return the names of the golden files."""
    return list(dict.fromkeys(part.file for part in parts()))


def _on_codes(name: str) -> Part:
    def measure() -> Numbers:
        return _numbers(adapters.evaluate_codes(name, _stored_codes(), FEW[name]))

    return Part("codes", name, measure)


def _on_prompts(name: str) -> Part:
    settings = {**FEW[name], "factors": str(DATA / "prompts.csv")}
    return _through_model(name, lambda: _bench().evaluate(name, settings))


def _through_model(name: str, run: Callable[[], Result]) -> Part:
    return Part("through_model", name, lambda: _numbers(run()))


def _sparse_probing() -> Result:
    settings = {**SPARSE_PROBING, "data": str(DATA / "probes")}
    return _bench().evaluate("sparse_probing_sae_probes", settings)


def _unlearning() -> Result:
    return _bench().evaluate("unlearning", UNLEARNING)


def _training(name: str) -> Part:
    def measure() -> Numbers:
        config_name, sets = TRAININGS[name]
        lines = adapters.train(config_name, sets, _stored_pairs())
        kept = {
            # sorted: the log has the terms that a stage leaves out in any order
            f"step {line['step']:02}": {k: line[k] for k in sorted(line) if k not in NOT_COMPARED}
            for line in lines
        }
        return flat(kept)

    return Part("training", name, measure)


def _numbers(result: Result) -> Numbers:
    """Return metrics, details, reasons, and what else of the result is a number."""
    more = {key: value for key, value in result.unstructured.items() if key not in PROSE}
    return flat({"metrics": result.metrics, "details": list(result.details), **more})


@cache
def _bench() -> Bench:
    return Bench(sae=DATA / "sae")


@cache
def _stored_codes() -> StoredCodes:
    from scipy import sparse

    stored = read_codes(DATA / "codes.npz")
    n = len(stored["factors"])
    codes = sparse.csr_array(
        (stored["data"], stored["indices"].astype("int32"), stored["indptr"]),
        shape=(n, N_LATENTS),
    )
    return StoredCodes(
        codes=codes,
        factors=stored["factors"],
        values=FACTORS,
        parents={"topic": "domain"},
        templates=tuple(f"template {number}" for number in stored["templates"]),
        acts=stored["acts"],
        features=stored["features"],
    )


def _stored_pairs() -> Mapping[str, StoredPairs]:
    from safetensors.torch import load_file

    stored = load_file(DATA / "pairs.safetensors")
    return {
        kind: StoredPairs(
            rows=stored[f"{kind}.rows"],
            sequence=stored[f"{kind}.sequence"],
            group=stored[f"{kind}.group"],
        )
        for kind in ("same_sequence", "paraphrase", "minimal")
    }
