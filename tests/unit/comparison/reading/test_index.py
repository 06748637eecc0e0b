"""csae_bench/comparison/reading/index.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from csae_bench.comparison.model import ResultSet
from csae_bench.comparison.reading import index
from csae_bench.comparison.reading.folder import read_results
from csae_bench.comparison.reading.index import FOLDER, MIN_FILES, index_for
from csae_bench.comparison.reading.layout import ResultFile, result_files
from tests.unit.comparison.result_files import OURS, live_core, published, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of our results whose name DuckDB would take for a glob."""
    return shutil.copytree(OURS, tmp_path / "results [1]*")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache ?"


def index_file(cache: Path) -> Path:
    (file,) = cache.glob("readings-*.parquet")
    return file


def recalled(root: Path, cache: Path) -> set[str]:
    """Names of the files that the index knows as they are."""
    files = [each for each in result_files(root) if isinstance(each, ResultFile)]
    kept = index_for(root, cache, files)
    return {each.path.name for each in files if kept.recall(each) is not None}


def read_without(root: Path) -> ResultSet:
    return read_results(root, cache=None)


def test_what_is_recalled_is_what_was_read(root: Path, cache: Path) -> None:
    first = read_results(root, cache=cache)
    assert len(recalled(root, cache)) == 3
    assert read_results(root, cache=cache) == first == read_without(root)


def test_every_kind_of_value_survives(tmp_path: Path, cache: Path) -> None:
    metrics = live_core(cossim=-1, mse=float("inf"), l0=0.1 + 0.2)
    config = {"model_name": "模型", "a": True, "b": None, "c": [1, 2], "d": 10**30, "e": 1.0}
    write(tmp_path / "x_eval_results.json", published("core", metrics, eval_config=config))
    first = read_results(tmp_path, cache=cache)
    assert recalled(tmp_path, cache) == {"x_eval_results.json"}
    assert read_results(tmp_path, cache=cache) == first == read_without(tmp_path)


def test_a_changed_file_is_read_again(root: Path, cache: Path) -> None:
    read_results(root, cache=cache)
    path = write(root / "core" / "x_eval_results.json", published("core", live_core()))
    read_results(root, cache=cache)
    write(path, published("core", live_core(ce_loss_score=0.5)))
    assert path.name not in recalled(root, cache)
    by_name = {r.path: r.values for r in read_results(root, cache=cache).readings}
    assert by_name[path]["core.ce_loss_score"] == 0.5


def test_a_change_of_equal_length_and_time_is_seen(root: Path, cache: Path) -> None:
    path = write(root / "core" / "x_eval_results.json", published("core", live_core()))
    before = path.stat()
    read_results(root, cache=cache)
    write(path, published("core", live_core(ce_loss_score=0.55)))
    path.write_text(path.read_text().replace("0.55", "0.55 ")[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.name not in recalled(root, cache)


def test_a_file_that_is_gone_is_forgotten(root: Path, cache: Path) -> None:
    read_results(root, cache=cache)
    shutil.rmtree(root / "mig")
    assert read_results(root, cache=cache) == read_without(root)
    assert not any(place.startswith("mig/") for place, _ in contents(index_file(cache)))


def test_a_broken_file_is_never_kept(root: Path, cache: Path) -> None:
    path = root / "core" / "x_eval_results.json"
    path.touch()
    assert len(read_results(root, cache=cache).broken) == 1
    assert len(read_results(root, cache=cache).broken) == 1
    assert path.name not in recalled(root, cache)


def test_an_index_that_says_all_is_not_written_again(root: Path, cache: Path) -> None:
    read_results(root, cache=cache)
    before = index_file(cache).stat()
    read_results(root, cache=cache)
    assert index_file(cache).stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"\x00" * 5000])
def test_a_damaged_index_is_made_again(root: Path, cache: Path, damage: bytes) -> None:
    expected = read_results(root, cache=cache)
    index_file(cache).write_bytes(damage)
    assert read_results(root, cache=cache) == expected
    assert len(recalled(root, cache)) == 3


def test_an_index_cut_short_is_made_again(root: Path, cache: Path) -> None:
    expected = read_results(root, cache=cache)
    whole = index_file(cache).read_bytes()
    index_file(cache).write_bytes(whole[: len(whole) // 2])
    assert read_results(root, cache=cache) == expected
    assert len(recalled(root, cache)) == 3


@pytest.mark.parametrize(
    "columns",
    [
        "* REPLACE ('another version' AS reader)",
        "* REPLACE ('{}' AS content)",
        '* REPLACE (\'{"kind": "Reading", "family": 1}\' AS content)',
        "* REPLACE ('no JSON' AS content)",
        "* REPLACE ('\"text\"' AS content)",
        "place, reader",
    ],
)
def test_an_index_of_another_version_is_made_again(root: Path, cache: Path, columns: str) -> None:
    expected = read_results(root, cache=cache)
    file = index_file(cache)
    other = file.with_name("other")
    with duckdb.connect() as connection:
        table = connection.read_parquet(str(file.rename(cache / "old")).replace("?", "[?]"))
        table.project(columns).write_parquet(str(other))
    other.rename(file)
    assert recalled(root, cache) == set()
    assert read_results(root, cache=cache) == expected
    assert len(recalled(root, cache)) == 3


def test_the_version_of_an_index_is_that_of_all_code_that_decides_what_is_read() -> None:
    hashed = {file.name for file in index.reader_files()}
    assert {"values.py", "names.py", "conditions.py", "model.py", "validity.py"} <= hashed


def test_an_index_that_cannot_be_written_is_no_error(root: Path, tmp_path: Path) -> None:
    not_a_folder = tmp_path / "file"
    not_a_folder.touch()
    assert read_results(root, cache=not_a_folder / "cache") == read_without(root)


def test_without_a_cache_nothing_is_written(root: Path) -> None:
    before = sorted(root.rglob("*"))
    read_results(root, cache=None)
    assert sorted(root.rglob("*")) == before


def test_few_files_are_read_without_an_index(root: Path) -> None:
    before = sorted(root.rglob("*"))
    read_results(root)
    assert sorted(root.rglob("*")) == before


def test_many_files_have_one_beside_them_that_git_leaves_alone(tmp_path: Path) -> None:
    for i in range(MIN_FILES):
        result = published("core", live_core(), sae_id=f"x_seed{i}")
        write(tmp_path / "core" / f"{i}_eval_results.json", result)
    first = read_results(tmp_path)
    assert (tmp_path / FOLDER / ".gitignore").read_text() == "*\n"
    assert read_results(tmp_path) == first == read_without(tmp_path)
    assert len(contents(tmp_path / FOLDER / "readings.parquet")) == MIN_FILES


def test_two_folders_share_a_cache_and_not_an_index(tmp_path: Path, cache: Path) -> None:
    for name, score in (("a", 0.25), ("b", 0.75)):
        result = published("core", live_core(ce_loss_score=score))
        write(tmp_path / name / "x_eval_results.json", result)
        read_results(tmp_path / name, cache=cache)
    assert len(list(cache.glob("readings-*.parquet"))) == 2
    result_set = read_results(tmp_path / "a", cache=cache).readings[0]
    assert result_set.values["core.ce_loss_score"] == 0.25


def test_a_name_that_is_no_text_is_read_each_time(root: Path, cache: Path) -> None:
    name = os.fsdecode(b"\xff_eval_results.json")
    write(root / "core" / name, published("core", live_core()))
    assert len(read_results(root, cache=cache).readings) == 3
    assert len(read_results(root, cache=cache).readings) == 3
    assert len(recalled(root, cache)) == 3


def test_processes_that_write_at_once_leave_a_whole_index(root: Path, cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from csae_bench.comparison.reading.folder import read_results; "
        "print(len(read_results(Path(sys.argv[1]), cache=Path(sys.argv[2])).readings))"
    )
    command = [sys.executable, "-c", code, str(root), str(cache)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate()[0] for process in running] == ["2\n"] * 4
    assert len(recalled(root, cache)) == 3
    assert [file.name for file in cache.iterdir()] == [index_file(cache).name]


def test_an_index_can_be_asked_in_sql(root: Path, cache: Path) -> None:
    read_results(root, cache=cache)
    assert sorted(row[0] for row in contents(index_file(cache))) == [
        "core/tiny-gemma2-it_layer_2_sae_pca_eval_results.json",
        "mig/tiny-gemma2-it_layer_2_sae_random_eval_results.json",
        "runs/tiny-gemma2-it_layer_2_sae_random.json",
    ]


def contents(file: Path) -> list[tuple[str, str]]:
    with duckdb.connect() as connection:
        table = connection.read_parquet(str(file).replace("?", "[?]"))
        return table.project("place, content").fetchall()
