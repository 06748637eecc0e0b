"""The check of the results folder: that it can be written, and that the run fits on its disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from csae_bench.errors import PreflightError
from csae_bench.hardware import disk
from csae_bench.preflight.machine import results
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import ResolvedSae, resolve_sae
from csae_bench.runs.run import run
from tests.small_disks import mounted


def _resolved_sae(folder: Path, *sets: str, source: str = "topk") -> ResolvedSae:
    return resolve_sae(RunRequest(source=source, results=folder, sets=sets))


def _finding(folder: Path, *sets: str, source: str = "topk") -> tuple[str, str]:
    (finding,) = results(_resolved_sae(folder, *sets, source=source), folder)
    return finding


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))


@pytest.fixture
def one_mebibyte(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB."""
    with mounted(tmp_path / "small", "size=1m") as place:
        yield place


def test_enough_room_is_ok_with_the_numbers(tmp_path: Path) -> None:
    outcome, message = _finding(tmp_path)
    assert outcome == "ok"
    assert "states to resume from" in message
    assert "GiB free on the disk" in message


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_a_problem_with_the_numbers(tmp_path: Path) -> None:
    outcome, message = _finding(tmp_path / "new" / "folder")
    assert outcome == "problem"
    assert "MiB needed (" in message
    assert f"0.0 MiB free on the disk of {tmp_path}" in message
    assert "Name another folder with --results." in message


def test_the_cache_counts_up_to_its_limit_and_what_is_there_is_taken_off(tmp_path: Path) -> None:
    on = "activations.cache_gib=0.5"
    assert "cached activations" not in _finding(tmp_path)[1]
    assert "cached activations 512.0 MiB" in _finding(tmp_path, on)[1]
    # 1,638,400 tokens of 128 float32
    assert "cached activations 800.0 MiB" in _finding(tmp_path, "activations.cache_gib=9")[1]
    present = tmp_path / "cache" / "activations" / "entry"
    present.mkdir(parents=True)
    with (present / "shard").open("wb") as file:
        file.truncate(100 * 2**20)
    assert "cached activations 412.0 MiB" in _finding(tmp_path, on)[1]


def test_a_cache_on_another_disk_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CSAE_BENCH_CACHE", "/proc/elsewhere")
    assert "cached activations" not in _finding(tmp_path, "activations.cache_gib=0.5")[1]


@pytest.mark.usefixtures("full_disk")
def test_a_disk_without_room_for_the_cache_names_its_limit(tmp_path: Path) -> None:
    outcome, message = _finding(tmp_path, "activations.cache_gib=0.5")
    assert outcome == "problem"
    assert "or lower activations.cache_gib" in message


@pytest.mark.usefixtures("full_disk")
def test_run_refuses_a_full_disk_before_it_trains(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"0\.0 MiB free on the disk"):
        run(RunRequest(source="topk", results=tmp_path / "r", progress=False))
    assert not (tmp_path / "r" / "checkpoints").exists()


def test_a_file_system_of_a_mebibyte_is_too_small(one_mebibyte: Path) -> None:
    outcome, message = _finding(one_mebibyte / "results")
    assert outcome == "problem"
    assert "1.0 MiB free" in message


def test_a_file_system_without_an_inode_is_a_problem(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=100m,nr_inodes=1") as place:
        outcome, message = _finding(place / "results")
    assert outcome == "problem"
    assert "No space left on device" in message


def test_gemmas_states_are_those_of_its_weights_optimizer_and_buffer(tmp_path: Path) -> None:
    sae = _resolved_sae(tmp_path, source="gemma_2_2b")
    needed, config = disk.needed_bytes(sae), sae.config
    d_in, d_sae = 2304, getattr(config.sae, "d_sae", 0)
    weights = 4 * (2 * d_in * d_sae + d_in + 2 * d_sae)
    pairs = len(config.pairs.shares()) * 8 * d_in * config.activations.pairs_in_buffer
    assert needed["states to resume from"] == pytest.approx(2 * (3 * weights + pairs), rel=0.01)


def test_without_checkpoints_only_the_weights_count(tmp_path: Path) -> None:
    needed = disk.needed_bytes(_resolved_sae(tmp_path, "training.checkpoint_every=0"))
    assert needed["states to resume from"] == 0
    assert needed["weights"] > 0


def test_what_an_interrupted_training_left_is_taken_off(tmp_path: Path) -> None:
    sae = _resolved_sae(tmp_path)
    before = disk.needed_bytes(sae)["states to resume from"]
    (sae.checkpoint / "trainer").mkdir(parents=True)
    (sae.checkpoint / "trainer" / "state.pt").write_bytes(b"0" * disk.MIB)
    assert disk.needed_bytes(sae)["states to resume from"] == before - disk.MIB


def test_a_finished_sae_needs_room_for_its_results_alone(tmp_path: Path) -> None:
    sae = _resolved_sae(tmp_path)
    (sae.checkpoint / "inference").mkdir(parents=True)
    (sae.checkpoint / "inference" / "cfg.json").write_text("{}")
    assert set(disk.needed_bytes(sae)) == {"results"}


def test_a_control_counts_the_sae_that_it_permutes(tmp_path: Path) -> None:
    parts = disk.needed_bytes(_resolved_sae(tmp_path, source="permuted"))
    assert "states to resume from of custom_sae" in parts


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("taken", "taken is a file."),
        ("taken/below", "taken is a file."),
        ("dangling", "dangling is a link to nothing."),
        ("dangling/below", "dangling is a link to nothing."),
        ("loop", "loop is a link to nothing."),
        ("fifo", "fifo is a file."),
        ("n" * 300, "a file's name has at most 255."),
        ("/".join(["n" * 200] * 30), "a path has at most 4095."),
        ("a\0b", "holds a NUL"),
        ("/proc/x", "/proc cannot be written to:"),
        ("/sys/x", "/sys cannot be written to:"),
        ("/dev/null", "/dev/null is a file."),
        ("/dev/null/x", "/dev/null is a file."),
    ],
)
def test_a_folder_that_cannot_be_written_is_a_problem_with_a_remedy(
    place: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "fifo")
    outcome, message = next(results(_resolved_sae(tmp_path), tmp_path / place))
    assert outcome == "problem"
    assert expected in message
    assert "--results." in message
    assert len(message) < 700


def test_the_check_leaves_nothing_behind(tmp_path: Path) -> None:
    _finding(tmp_path)
    assert list(tmp_path.iterdir()) == []
