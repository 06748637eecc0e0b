"""`csae-bench cache`, and trainings that share activations."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.e2e.conftest import CsaeBench

SMALL = (
    "--set", "sae.d_sae=64",
    "--set", "sae.k=4",
    "--set", "training.n_tokens=2048",
    "--set", "training.batch_size=512",
    "--set", "training.lr_warm_up_steps=1",
    "--set", "training.lr_decay_steps=1",
    "--set", "training.calibration_tokens=512",
    "--set", "activations.pairs_in_buffer=512",
    "--set", "activations.context_size=32",
    "--set", "threads=1",
)  # fmt: skip
CACHED = (*SMALL, "--set", "activations.cache_gib=1")

Train = Callable[..., Result]


@pytest.fixture(autouse=True)
def little_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSAE_BENCH_CACHE", raising=False)
    monkeypatch.setattr("csae_bench.training.finishing.N_ROWS_FOR_L0", 512)
    monkeypatch.setattr("csae_bench.training.held_out_pairs.N_ROWS", 512)


@pytest.fixture(scope="module")
def trained(csae_bench: CsaeBench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one training that was cached."""
    results = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("csae_bench.training.finishing.N_ROWS_FOR_L0", 512)
        patched.setattr("csae_bench.training.held_out_pairs.N_ROWS", 512)
        outcome = csae_bench("train", "--sae", "topk", *CACHED, "--results", results)
    assert outcome.exit_code == 0, outcome.stderr
    return results


@pytest.fixture
def results(trained: Path, tmp_path: Path) -> Path:
    """The same; each test's own."""
    import shutil

    shutil.copytree(trained, tmp_path / "results")
    return tmp_path / "results"


def _listed(csae_bench: CsaeBench, results: Path) -> dict[str, Any]:
    outcome = csae_bench("cache", "list", "--results", results, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    return json.loads(outcome.stdout)


def test_a_second_training_of_another_sae_runs_no_model(
    csae_bench: CsaeBench, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformer_lens import HookedTransformer

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the model runs")

    monkeypatch.setattr(HookedTransformer, "forward", refuse)
    outcome = csae_bench(
        "train", "--sae", "topk", *CACHED, "--set", "sae.k=8", "--results", results
    )
    assert outcome.exit_code == 0, outcome.stderr


def test_switching_the_cache_on_or_off_trains_nothing_again(
    csae_bench: CsaeBench, results: Path
) -> None:
    with_cache = csae_bench("train", "--sae", "topk", *CACHED, "--results", results)
    without = csae_bench("train", "--sae", "topk", *SMALL, "--results", results)
    assert with_cache.stdout == without.stdout
    assert "again" not in with_cache.stderr + without.stderr
    assert len(list((results / "checkpoints").glob("*/[0-9a-f]*"))) == 1


def test_without_cache_gib_nothing_is_cached(csae_bench: CsaeBench, tmp_path: Path) -> None:
    assert csae_bench("train", "--sae", "topk", *SMALL, "--results", tmp_path).exit_code == 0
    assert not (tmp_path / "cache" / "activations").exists()


def test_list_says_what_each_entry_is_of(csae_bench: CsaeBench, results: Path) -> None:
    listed = _listed(csae_bench, results)
    assert listed["folder"] == str(results / "cache" / "activations")
    entries = listed["entries"]
    assert {(one["kind"], one["seed"]) for one in entries} == {
        (kind, seed) for kind in ("sequences", "minimal pairs") for seed in (0, 1_000_003)
    }
    for one in entries:
        assert one["model"] == "tiny-gemma2-it"
        assert one["hook_name"] == "blocks.2.hook_resid_post"
        assert (one["dataset"], one["context_size"], one["dtype"]) == ("tinyworld", 32, "float32")
        assert one["n_rows"] > 0
        assert not one["is_in_use"]
        assert not one["is_damaged"]
    assert listed["n_bytes"] == sum(one["n_bytes"] for one in entries)


def test_the_table_has_a_line_for_each_entry_whatever_the_width(
    csae_bench: CsaeBench, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    total, heading, *lines = csae_bench("cache", "list", "--results", results).stdout.splitlines()
    entries = _listed(csae_bench, results)["entries"]
    assert total.endswith("MiB")
    assert heading.split()[:4] == ["name", "model", "hook", "data"]
    assert [line.split()[0] for line in lines] == [one["name"] for one in entries]
    assert all("MiB" in line for line in lines)
    assert sum("tinyworld minimal pairs" in line for line in lines) == 2


def test_clear_removes_one_entry_and_then_all(csae_bench: CsaeBench, results: Path) -> None:
    names = [one["name"] for one in _listed(csae_bench, results)["entries"]]
    outcome = csae_bench("cache", "clear", names[1], "--results", results)
    assert outcome.exit_code == 0
    assert f"removed {names[1]}" in outcome.stdout
    assert "1 removed, " in outcome.stdout
    assert [one["name"] for one in _listed(csae_bench, results)["entries"]] == [
        names[0], *names[2:],
    ]  # fmt: skip
    assert "3 removed, " in csae_bench("cache", "clear", "--results", results).stdout
    assert _listed(csae_bench, results)["entries"] == []
    assert (results / "checkpoints").is_dir()


def test_a_wrong_name_is_an_error_with_a_suggestion(csae_bench: CsaeBench, results: Path) -> None:
    entries = _listed(csae_bench, results)["entries"]
    name = entries[0]["name"]
    wrong = name[:-1] + ("0" if name[-1] != "0" else "1")
    outcome = csae_bench("cache", "clear", name, wrong, "--results", results)
    assert outcome.exit_code == 2
    assert f"Did you mean '{name}'?" in outcome.stderr
    assert len(_listed(csae_bench, results)["entries"]) == len(entries)


def test_an_empty_or_missing_folder_holds_nothing(csae_bench: CsaeBench, tmp_path: Path) -> None:
    for results in (tmp_path, tmp_path / "none"):
        assert _listed(csae_bench, results)["entries"] == []
        shown = csae_bench("cache", "list", "--results", results)
        assert (shown.exit_code, "no activations are cached" in shown.stdout) == (0, True)
        cleared = csae_bench("cache", "clear", "--results", results)
        assert (cleared.exit_code, cleared.stdout) == (0, "0 removed, 0.0 MiB\n")
        assert csae_bench("cache", "clear", "abc", "--results", results).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_uses_is_skipped_and_said(
    csae_bench: CsaeBench, results: Path
) -> None:
    name = _listed(csae_bench, results)["entries"][0]["name"]
    code = (
        "import json, sys\nfrom pathlib import Path\n"
        "from csae_bench.activations.cache.entry import Entry\n"
        "from csae_bench.activations.cache.folder import CacheFolder\n"
        "root, name = Path(sys.argv[1]), sys.argv[2]\n"
        "key = json.loads((root / name / 'manifest.json').read_text())['key']\n"
        "entry = Entry(CacheFolder(root), key, max_bytes=2**30)\n"
        "assert entry.path.name == name\n"
        "print('open', flush=True)\nsys.stdin.read()"
    )
    root = results / "cache" / "activations"
    user = subprocess.Popen(
        [sys.executable, "-c", code, str(root), name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert user.stdout is not None
        assert user.stdout.readline() == "open\n"
        outcome = csae_bench("cache", "clear", "--results", results)
        assert outcome.exit_code == 0
        assert outcome.stderr == f"{name}: skipped, as another process uses it.\n"
        assert "3 removed, " in outcome.stdout
        (left,) = _listed(csae_bench, results)["entries"]
        assert (left["name"], left["is_in_use"]) == (name, True)
    finally:
        user.communicate()
    assert csae_bench("cache", "clear", name[:8], "--results", results).exit_code == 0


def test_a_folder_of_the_environment_is_shared_by_results_folders(
    csae_bench: CsaeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CSAE_BENCH_CACHE", str(tmp_path / "shared"))
    for name in ("one", "other"):
        flags = ("--results", tmp_path / name)
        assert csae_bench("train", "--sae", "topk", *CACHED, *flags).exit_code == 0
        assert not (tmp_path / name / "cache" / "activations").exists()
    listed = _listed(csae_bench, tmp_path / "one")
    assert listed["folder"] == str(tmp_path / "shared" / "activations")
    assert len(listed["entries"]) == 4


def test_a_limit_below_zero_is_a_configuration_error(csae_bench: CsaeBench, tmp_path: Path) -> None:
    flags = ("--set", "activations.cache_gib=-1", "--results", tmp_path)
    outcome = csae_bench("train", "--sae", "topk", *flags)
    assert outcome.exit_code == 2
    assert "activations.cache_gib is -1; it must be greater than or equal to 0" in outcome.stderr


def test_doctor_counts_the_cache_on_the_disk(csae_bench: CsaeBench, tmp_path: Path) -> None:
    flags = ("--sae", "topk", "--results", tmp_path)
    gib = ("--set", "activations.cache_gib=0.5")
    assert "cached activations" not in csae_bench("doctor", *flags, "--json").stdout
    assert "cached activations 512.0 MiB" in csae_bench("doctor", *flags, *gib, "--json").stdout
