"""csae_bench/results/store.py."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from csae_bench.errors import ResultError
from csae_bench.results.store import Store, read_json, read_record, write_json


def test_results_follow_sae_benchs_layout(tmp_path: Path) -> None:
    path = Store(tmp_path).eval_result("core", "google/gemma-2-2b_layer_19_sae", "mine")
    assert path.relative_to(tmp_path).as_posix() == (
        "core/google_gemma-2-2b_layer_19_sae_mine_eval_results.json"
    )


def test_a_written_file_reads_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "b.json", {"x": 1.5})
    assert read_json(tmp_path / "a" / "b.json") == {"x": 1.5}


def test_whoever_may_read_the_users_files_may_read_results(tmp_path: Path) -> None:
    plain, result = tmp_path / "plain", tmp_path / "result.json"
    plain.touch()
    write_json(result, {})
    assert result.stat().st_mode == plain.stat().st_mode


def test_nan_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"x": math.nan})
    assert read_json(path) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_a_failing_write_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.json"
    write_json(path, {"x": 1})

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(ResultError, match="No space left on device"):
        write_json(path, {"x": 2})
    assert json.loads(path.read_text()) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ResultError, match="cannot be written"):
        write_json(tmp_path / "taken" / "r.json", {})


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "nothing.json") is None
    assert read_record(tmp_path / "nothing.json") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\x01"])
def test_a_broken_file_is_an_error_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(ResultError, match=r"broken\.json"):
        read_json(path)


def test_activations_are_cached_in_the_results_folder_or_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (None, ""):
        monkeypatch.delenv("CSAE_BENCH_CACHE", raising=False)
        if value is not None:
            monkeypatch.setenv("CSAE_BENCH_CACHE", value)
        assert Store(tmp_path).activation_cache == tmp_path / "cache" / "activations"
    monkeypatch.setenv("CSAE_BENCH_CACHE", "/scratch/me")
    assert Store(tmp_path).activation_cache == Path("/scratch/me/activations")
