"""Training with the cache of activations: equal weights, no passes the second time, no loss."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from sae_lens.saes.sae import SAE

from csae_bench import models
from csae_bench.activations.cache import draws as module
from csae_bench.activations.cache.listing import summaries
from csae_bench.activations.sources import EpochWarning
from csae_bench.config import ResolvedConfig, RunConfig
from csae_bench.errors import ResultError, TrainingError
from csae_bench.training.data import sample_rows
from csae_bench.training.outcome import TrainingOutcome
from csae_bench.training.train import train

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

CONTRASTIVE = {
    "architecture": "contrastive_batchtopk", "d_sae": 128, "k": 8,
    "losses": {"rows": {"weight": 0.1}},
}  # fmt: skip
PLAIN = {"architecture": "topk", "d_sae": 64, "k": 4}


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Shards of a few draws, so that trainings write several, and little to measure at the end."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "SHARD_BYTES", 2**19)
        patched.setattr("csae_bench.training.finishing.N_ROWS_FOR_L0", 512)
        patched.setattr("csae_bench.training.held_out_pairs.N_ROWS", 512)
        yield


def _resolved(
    sae: dict[str, Any] = CONTRASTIVE, *, gib: float = 1.0, seed: int = 0, **changes: Any
) -> ResolvedConfig:
    config = RunConfig.model_validate(
        {
            "seed": seed,
            "sae": sae,
            "pairs": {"same_sequence": {"weight": 3}, "paraphrase": {"weight": 1}},
            "activations": {
                "context_size": 32, "batch_size_prompts": 16, "pairs_in_buffer": 512,
                "cache_gib": gib, **changes.pop("activations", {}),
            },
            "training": {
                "n_tokens": 256 * 12, "batch_size": 256, "calibration_tokens": 1024,
                "checkpoint_every": 5, "lr_warm_up_steps": 2, "lr_decay_steps": 4,
                **changes.pop("training", {}),
            },
            **changes,
        }
    )  # fmt: skip
    return ResolvedConfig(name="tiny", path=Path("tiny.yaml"), config=config, origins={})


@pytest.fixture
def passes(model: HookedTransformer, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Count `n` of the model's passes."""
    count, run = SimpleNamespace(n=0), model.run_with_cache

    def counted(*arguments: Any, **options: Any) -> Any:
        count.n += 1
        return run(*arguments, **options)

    monkeypatch.setattr(model, "run_with_cache", counted)
    return count


Train = Callable[..., TrainingOutcome]


@pytest.fixture
def trained(model: HookedTransformer, tmp_path: Path) -> Train:
    """Trains into a folder of this name, with the cache that all of a test share."""

    def call(name: str, resolved: ResolvedConfig) -> TrainingOutcome:
        folder = tmp_path / name
        return train(resolved, model, folder, cache_folder=tmp_path / "cache", progress=False)

    return call


@pytest.fixture(scope="module")
def contrastive(model: HookedTransformer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training without the cache."""
    train(_resolved(gib=0), model, folder := tmp_path_factory.mktemp("plain"), progress=False)
    return folder


@pytest.fixture(scope="module")
def plain(model: HookedTransformer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    resolved = _resolved(PLAIN, gib=0)
    train(resolved, model, folder := tmp_path_factory.mktemp("plain"), progress=False)
    return folder


def _weights(folder: Path) -> dict[str, str]:
    state = SAE.load_from_disk(folder / "inference").state_dict()
    return {k: hashlib.sha256(v.numpy().tobytes()).hexdigest() for k, v in state.items()}


def _log(folder: Path) -> list[dict[str, Any]]:
    varying = ("tokens_per_second", "memory_gib")
    lines = [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in varying} for line in lines]


def _told(outcome: TrainingOutcome) -> TrainingOutcome:
    return replace(outcome, wall_seconds=0.0, peak_memory_gib=0.0)


def test_weights_are_equal_to_the_bit_and_the_second_training_runs_no_model(
    trained: Train, passes: SimpleNamespace, tmp_path: Path
) -> None:
    outcomes, n_passes = [trained("plain", _resolved(gib=0))], [passes.n]
    assert not (tmp_path / "cache").exists()
    for name in ("first", "second"):
        outcomes.append(trained(name, _resolved()))
        n_passes.append(passes.n)
        assert _weights(tmp_path / "plain") == _weights(tmp_path / name)
        assert _log(tmp_path / "plain") == _log(tmp_path / name)
    assert n_passes == [n_passes[0], 2 * n_passes[0], 2 * n_passes[0]]
    assert _told(outcomes[0]) == _told(outcomes[1]) == _told(outcomes[2])


def test_another_sae_and_objective_reads_what_the_first_one_wrote(
    trained: Train, passes: SimpleNamespace, plain: Path, tmp_path: Path
) -> None:
    trained("first", _resolved())
    passes.n = 0
    trained("other", _resolved(PLAIN))
    assert passes.n == 0
    assert _weights(tmp_path / "other") == _weights(plain)
    kinds = sorted(str(one.kind) for one in summaries(tmp_path / "cache"))
    assert kinds == ["paraphrase pairs"] * 2 + ["sequences"] * 2
    assert not any(one.is_in_use for one in summaries(tmp_path / "cache"))


def test_a_longer_training_extends_the_cache(
    trained: Train, passes: SimpleNamespace, tmp_path: Path
) -> None:
    trained("short", _resolved(PLAIN, training={"n_tokens": 256 * 6}))
    n_short, passes.n = passes.n, 0
    trained("plain", _resolved(PLAIN, gib=0))
    n_plain, passes.n = passes.n, 0
    trained("longer", _resolved(PLAIN))
    assert 0 < passes.n < n_plain
    assert n_short + passes.n == n_plain
    assert _weights(tmp_path / "longer") == _weights(tmp_path / "plain")


@pytest.mark.parametrize("n_cached", [0, 7])
def test_a_killed_training_resumes_to_the_same_weights(
    n_cached: int,
    trained: Train,
    contrastive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if n_cached:
        trained("before", _resolved(PLAIN, training={"n_tokens": 256 * n_cached}))
    step, n_steps = torch.optim.Adam.step, 0

    def killed(*arguments: Any, **options: Any) -> Any:
        nonlocal n_steps
        n_steps += 1
        if n_steps == 8:
            raise KeyboardInterrupt
        return step(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.Adam, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            trained("broken", _resolved())
    trained("broken", _resolved())
    assert _weights(tmp_path / "broken") == _weights(contrastive)


def test_a_batch_drawn_ahead_in_a_thread_is_the_same(trained: Train, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)  # with one, no batch is drawn ahead
    try:
        trained("short", _resolved(PLAIN, training={"n_tokens": 256 * 6}))
        trained("longer", _resolved(PLAIN))
        trained("plain", _resolved(PLAIN, gib=0))
    finally:
        torch.set_num_threads(threads)
    assert _weights(tmp_path / "longer") == _weights(tmp_path / "plain")


def test_passes_over_a_small_dataset_are_recorded_the_same(
    trained: Train, passes: SimpleNamespace, tmp_path: Path
) -> None:
    from csae_bench.tinyworld import documents

    (tmp_path / "text").mkdir()
    rows = "".join(json.dumps({"text": text}) + "\n" for text in documents("sae", 6))
    (tmp_path / "text" / "a.jsonl").write_text(rows)
    changes: dict[str, Any] = {"activations": {"dataset": str(tmp_path / "text")}}
    with pytest.warns(EpochWarning) as first:
        expected = trained("first", _resolved(PLAIN, **changes))
    passes.n = 0
    with pytest.warns(EpochWarning) as second:
        outcome = trained("second", _resolved(CONTRASTIVE, seed=0, **changes))
    assert passes.n <= 4, "calibration alone draws more"
    assert outcome.epochs == expected.epochs >= 2
    told = [{str(one.message) for one in said} for said in (first, second)]
    assert told[0] <= told[1]


def _no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_stops_training_after_a_step_with_its_state_saved(
    trained: Train, contrastive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, n_writes = module.Entry.write, 0

    def full(entry: module.Entry, *arguments: Any, **options: Any) -> None:
        nonlocal n_writes
        n_writes += 1
        with monkeypatch.context() as patched:
            if n_writes > 2:
                patched.setattr("os.fsync", _no_space)
            write(entry, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(module.Entry, "write", full)
        with pytest.raises(TrainingError) as caught:
            trained("broken", _resolved(training={"checkpoint_every": 0}))
    message = str(caught.value)
    for expected in (str(tmp_path / "cache"), "No space left on device", "MiB free",
                     "activations.cache_gib=0", "Training stopped after step"):  # fmt: skip
        assert expected in message
    assert (tmp_path / "broken" / "trainer").is_dir()
    step = int(message.split("after step ")[1].split(";")[0])
    assert 0 < step < 12
    trained("broken", _resolved(gib=0, training={"checkpoint_every": 0}))
    assert _weights(tmp_path / "broken") == _weights(contrastive)


def test_a_disk_that_is_full_at_the_end_loses_no_sae(
    trained: Train, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = module.ActivationCache.close

    def full(cache: module.ActivationCache) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", _no_space)
            close(cache)

    with monkeypatch.context() as patched:
        patched.setattr(module.ActivationCache, "close", full)
        with pytest.raises(ResultError, match="No space left on device"):
            trained("broken", _resolved(PLAIN))
    assert (tmp_path / "broken" / "inference" / "cfg.json").is_file()
    assert _weights(tmp_path / "broken") == _weights(plain)


def test_a_folder_that_cannot_be_written_is_an_error_before_the_first_step(
    model: HookedTransformer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="activations cannot be kept there"):
        train(_resolved(PLAIN), model, tmp_path / "out", cache_folder=tmp_path / "file" / "x")
    assert not (tmp_path / "out" / "training_log.jsonl").exists()


def test_rows_of_a_baseline_come_from_the_cache_of_trainings(
    model: HookedTransformer, trained: Train, passes: SimpleNamespace, tmp_path: Path
) -> None:
    trained("first", _resolved(PLAIN))
    passes.n = 0
    with module.activation_cache(tmp_path / "cache", 1) as cache:
        rows = sample_rows(_resolved(PLAIN), model, 500, cache=cache)
    assert passes.n == 0
    assert torch.equal(rows, sample_rows(_resolved(PLAIN), model, 500))
