"""Datasets in the form of sae-probes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest

from csae_bench.engines.sae_probes.data import (
    chosen_files,
    data_fingerprint,
    data_problem,
    n_train,
    read_dataset,
)
from csae_bench.errors import CsaeBenchError, DataError, UnknownNameError


def _write(folder: Path, name: str = "nouns", **columns: Any) -> Path:
    folder.mkdir(exist_ok=True)
    all_columns: dict[str, Any] = {
        "prompt": [f"a text {i}" for i in range(120)],
        "target": [0, 1] * 60,
    } | columns
    path = folder / f"{name}.csv.zst"
    pandas.DataFrame(all_columns).to_csv(path, index=False, compression="zstd")
    return path


def test_the_package_ships_113_datasets_with_two_classes() -> None:
    files = chosen_files("package", None)
    assert len(files) == 113
    assert all(path.is_file() for path in files)


def test_its_datasets_are_sound() -> None:
    assert data_problem("package", ["5_hist_fig_ismale", "100_news_fake"]) is None


def test_a_folder_has_the_datasets_that_are_in_it(tmp_path: Path) -> None:
    paths = [_write(tmp_path, name) for name in ("nouns", "verbs")]
    assert chosen_files(str(tmp_path), None) == paths
    assert chosen_files(str(tmp_path), ["verbs"]) == paths[1:]
    assert data_problem(str(tmp_path), None) is None


def test_a_dataset_keeps_its_rows(tmp_path: Path) -> None:
    rows = read_dataset(_write(tmp_path))
    assert rows["prompt"].tolist()[:2] == ["a text 0", "a text 1"]
    assert n_train(len(rows)) == 20


def test_a_name_that_is_not_there_suggests_the_nearest(tmp_path: Path) -> None:
    _write(tmp_path)
    with pytest.raises(UnknownNameError, match="Did you mean 'nouns'"):
        chosen_files(str(tmp_path), ["noun"])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data is '.*missing'; it must be `package` or a folder"):
        chosen_files(str(tmp_path / "missing"), None)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no \.csv\.zst file in it"):
        chosen_files(str(tmp_path), None)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"prompt": ["text"] * 119 + [None]}, "row 120 has no text or no class"),
        ({"prompt": list(range(120))}, "row 1 has no text or no class"),
        ({"target": [None] + [1] * 119}, "row 1 has no text or no class"),
        ({"target": [0, 1, 2] * 40}, "target has 3 classes"),
        ({"target": [1] * 120}, "target has 1 classes"),
        ({"target": [0] * 70 + [1] * 50}, "class 1 has 50 of the first 120 rows; .* needs 60"),
        ({"prompt": ["text"] * 102, "target": [0, 1] * 51}, "there are 102 rows; .* at least 104"),
    ],
)
def test_what_sae_probes_would_stumble_over_is_said_before(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    path = _write(tmp_path, **columns)
    with pytest.raises(DataError, match=said):
        read_dataset(path)
    problem = data_problem(str(tmp_path), None)
    assert problem is not None
    assert str(path) in problem


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nouns.csv.zst"
    pandas.DataFrame({"text": ["a"], "target": [1]}).to_csv(path, compression="zstd", index=False)
    with pytest.raises(DataError, match=r"no column prompt; .* It has text, target"):
        read_dataset(path)


@pytest.mark.parametrize("content", [b"", b"prompt,target\na text,1\n", b"\x28\xb5\x2f\xfd broken"])
def test_a_file_that_is_no_compressed_csv_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "nouns.csv.zst"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"nouns\.csv\.zst: cannot be read as zstd-compressed CSV"):
        read_dataset(path)


def test_other_data_have_another_fingerprint(tmp_path: Path) -> None:
    _write(tmp_path / "one")
    _write(tmp_path / "same")
    _write(tmp_path / "other", prompt=["text"] * 120)
    one, same, other = (
        data_fingerprint(str(tmp_path / name), None) for name in ("one", "same", "other")
    )
    assert one == same != other


def test_a_missing_folder_has_no_fingerprint(tmp_path: Path) -> None:
    with pytest.raises(CsaeBenchError):
        data_fingerprint(str(tmp_path / "missing"), None)


def test_looking_at_data_imports_neither_torch_nor_sae_probes() -> None:
    code = (
        "import sys\nfrom csae_bench.engines.sae_probes.data import data_problem\n"
        "assert data_problem('package', ['5_hist_fig_ismale']) is None\n"
        "assert not {'torch', 'sae_probes', 'sae_lens'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
