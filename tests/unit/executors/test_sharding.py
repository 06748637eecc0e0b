"""How SAEs are divided among workers, and among trainings side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from csae_bench.executors.sharding import shards
from csae_bench.executors.workers import WorkerSettings, gpu_ids
from csae_bench.hardware import memory
from csae_bench.runs.plan import Plan, SaePlan, plan
from csae_bench.runs.request import RunRequest
from csae_bench.runs.training_groups import training_groups


def _request(results: Path, *sets: str, source: str = "custom_sae_small") -> RunRequest:
    return RunRequest(source=source, results=results, sets=sets, evals=("mig",))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Plan]:
    """Plans requests, each given by its --set flags."""
    results = tmp_path_factory.mktemp("results")

    def make(*of_each: tuple[str, ...]) -> Plan:
        made = plan(_request(results, *sets) for sets in of_each)
        assert not made.problems
        return made

    return make


@pytest.fixture(scope="module")
def six(planned: Callable[..., Plan]) -> Plan:
    """Four SAEs with the same rows, and two with others, in between."""
    ks = [
        ("sae.k=4",),
        ("sae.k=5",),
        ("seed=1",),
        ("sae.k=6",),
        ("seed=1", "sae.k=7"),
        ("sae.k=8",),
    ]
    return planned(*ks)


@pytest.mark.parametrize("n_workers", [1, 2, 3, 7])
def test_each_sae_is_in_one_shard_and_all_workers_have_work(six: Plan, n_workers: int) -> None:
    parts = shards(six.saes, n_workers)
    assert sorted(place for part in parts for place in part) == list(range(6))
    assert len(parts) >= min(n_workers, 6)
    assert [len(part) for part in parts] == sorted(map(len, parts), reverse=True)


def test_saes_with_the_same_rows_stay_together_as_far_as_workers_allow(six: Plan) -> None:
    assert shards(six.saes, 1) == [[0, 1, 3, 5], [2, 4]]
    assert shards(six.saes, 2) == [[0, 1], [3, 5], [2], [4]]


def test_saes_with_the_same_rows_are_trained_side_by_side(six: Plan) -> None:
    groups = list(training_groups(six.saes, lambda: None))
    assert groups == [[six.saes[i] for i in (0, 1, 3, 5)], [six.saes[i] for i in (2, 4)]]


def test_as_many_as_fit_into_memory_are_trained_side_by_side(six: Plan) -> None:
    resolved_sae = six.saes[0].resolved_sae
    assert resolved_sae is not None
    parts = memory.estimate(
        resolved_sae.config, resolved_sae.model, eval_batch=0, eval_context=0
    ).training
    each, all_parts = sum(parts[name] for name in memory.OF_EACH_SAE), sum(parts.values())
    sizes = {
        room: [len(group) for group in training_groups(six.saes, lambda room=room: room)]
        for room in (0.0, (all_parts + 1.5 * each) / 0.8, (all_parts + 9 * each) / 0.8)
    }
    assert list(sizes.values()) == [[1] * 6, [2, 2, 2], [4, 2]]


def test_an_sae_with_the_weights_of_another_one_is_trained_after_it(
    planned: Callable[..., Plan],
) -> None:
    made = planned(("sae.k=4",), ("sae.k=4", "evals.mig.n_bins=9"), ("sae.k=5",))
    groups = list(training_groups(made.saes, lambda: None))
    assert groups == [[made.saes[0], made.saes[2]], [made.saes[1]]]


def test_what_needs_no_training_is_alone(tmp_path: Path) -> None:
    made = plan(_request(tmp_path, source=name) for name in ("random", "pca", "custom_sae_small"))
    assert list(training_groups(made.saes, lambda: None)) == [[sae] for sae in made.saes]


def test_an_sae_that_is_not_known_yet_is_in_a_shard_with_its_release() -> None:
    unknown = [
        SaePlan(request=RunRequest(source=source), resolved_sae=None, checks=())
        for source in ("release:a", "other:a", "release:b")
    ]
    assert shards(unknown, 1) == [[0, 2], [1]]


def test_workers_get_threads_unless_the_configuration_says_how_many(tmp_path: Path) -> None:
    requests = [_request(tmp_path), _request(tmp_path, "threads=3")]
    free, fixed = WorkerSettings(n_workers=1_000).prepared(requests)
    assert free == replace(requests[0], sets=("threads=1",))
    assert fixed == requests[1]


def test_the_gpus_that_are_visible_are_those_of_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-5c3a")
    assert gpu_ids() == ("2", "GPU-5c3a")
    executor = WorkerSettings(n_workers=5).executor("cuda", n_saes=3, train_only=False)
    assert (executor.n_workers, executor.gpus) == (3, ("2", "GPU-5c3a"))
    assert WorkerSettings(n_workers=5).executor("cuda:1", n_saes=9, train_only=False).gpus == ()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_ids() == ()
