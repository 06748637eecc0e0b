"""csae_bench/factors/probe_oracle.py: the ceiling of a world that a language model reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from csae_bench.errors import CsaeBenchError
from csae_bench.factors.dataset import FactorDataset
from csae_bench.factors.probe_oracle import value_probes
from csae_bench.results.store import read_json
from csae_bench.runs.request import RunRequest
from csae_bench.runs.run import run

N, D_IN = 600, 16


def test_probes_get_back_planted_directions() -> None:
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(2, size=N), rng.integers(3, size=N)], axis=1)
    planted = {"mood=2": 3.0 * np.eye(D_IN)[0], "hue=3": 3.0 * np.eye(D_IN)[5]}
    acts = rng.normal(size=(N, D_IN)) + 7.0
    acts += (factors[:, [0]] == 1) * planted["mood=2"] + (factors[:, [1]] == 2) * planted["hue=3"]
    dataset = FactorDataset(
        name="planted",
        factors=factors.astype(np.int64),
        names=("mood", "hue"),
        value_names=(("1", "2"), ("1", "2", "3")),
        templates=("t",) * N,
        split="all",
        prompts=("p",) * N,
    )
    probes = value_probes(acts, dataset)
    assert probes.names == ("mood=1", "mood=2", "hue=1", "hue=2", "hue=3")
    for name, direction in planted.items():
        place = probes.names.index(name)
        weights = probes.weights[place]
        cosine = weights @ direction / np.linalg.norm(weights) / np.linalg.norm(direction)
        assert cosine > 0.9
        is_value = factors[:, 0] == 1 if name == "mood=2" else factors[:, 1] == 2
        fires = acts @ weights + probes.biases[place] > 0
        assert np.mean(fires == is_value) > 0.9


def test_it_is_far_above_what_trained_saes_score_and_alive(tmp_path: Path) -> None:
    outcome = run(
        RunRequest(
            source="oracle_tinyworld",
            results=tmp_path,
            evals=("mig",),
            sets=("evals.mig.n_permutations=5", "sae.n_fit_tokens=10000"),
            progress=False,
        )
    )
    assert outcome.exit_code == 0
    (path,) = (tmp_path / "mig").glob("*_eval_results.json")
    scores = read_json(path)["eval_result_metrics"]["scores"]
    assert scores["value_mig"] > 0.65


@pytest.mark.parametrize(
    ("source", "sets", "message"),
    [
        ("oracle_tinyworld", "sae.factors=synthetic", "activations.kind is model"),
        ("oracle", "sae.factors=tinyworld", "activations.kind is generator"),
    ],
)
def test_a_world_of_the_other_kind_is_refused(
    tmp_path: Path, source: str, sets: str, message: str
) -> None:
    with pytest.raises(CsaeBenchError, match=message):
        run(RunRequest(source=source, results=tmp_path, sets=(sets,), progress=False))
