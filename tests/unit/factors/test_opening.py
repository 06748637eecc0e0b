from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.cli.listing import listing
from csae_bench.errors import DataError, UnknownNameError
from csae_bench.factors import factor_fingerprint, factor_names, factor_status, open_factors


def test_the_named_datasets_are_listed_with_a_summary() -> None:
    entries = listing("factors")["factors"]
    assert {"tinyworld", "english", "synthetic"} <= set(entries) == set(factor_names())
    assert all(entries.values())


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'englisch'\. Did you mean 'english'"):
        open_factors("englisch")
    assert factor_status("englisch")[0] == "problem"


@pytest.mark.parametrize("path", ["./nowhere", "/nowhere/at/all", "missing.csv", "missing.jsonl"])
def test_a_path_that_is_not_there_is_an_error_about_files(path: str) -> None:
    with pytest.raises(DataError, match="there is no such file or folder"):
        open_factors(path)


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("text,x")
    with pytest.raises(DataError, match=r"f\.txt: is no \.csv or \.jsonl file"):
        open_factors(str(tmp_path / "f.txt"))


def test_a_folder_without_a_synthetic_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a folder without synthetic_model_config\.json"):
        open_factors(str(tmp_path))


def test_the_status_of_a_file_names_its_factors_or_its_fault(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("text,x\na,0\nb,1\n")
    assert factor_status(str(path)) == ("ok", f"{path}: 2 texts, factors x")
    path.write_text("text,x\na,0\nb\n")
    status, message = factor_status(str(path))
    assert status == "problem"
    assert "line 3" in message


def test_the_fingerprint_of_a_file_changes_when_the_file_does(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("text,x\na,0\nb,1\n")
    first = factor_fingerprint(str(path))
    assert first == factor_fingerprint(str(path))
    path.write_text("text,x\na,0\nb,1\nc,1\n")
    assert factor_fingerprint(str(path)) != first
    assert len({factor_fingerprint(name) for name in factor_names()}) == len(factor_names())
