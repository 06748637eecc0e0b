"""Paraphrases of MRPC and QQP that sae-probes ships."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from csae_bench.config import ParaphraseSettings
from csae_bench.corpora.sae_probes_sources import PARAPHRASES
from csae_bench.corpora.sae_probes_text import dataset_paths, prompts
from csae_bench.errors import DataError, UsageError
from csae_bench.paraphrases import open_paraphrases, paraphrase_fingerprint, paraphrase_status
from csae_bench.paraphrases.labelled import labelled_paraphrases
from tests.unit.corpora.sae_probes_package import install, write_dataset

MRPC, QQP = PARAPHRASES
SETTINGS = ParaphraseSettings(dataset="sae_probes")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install(tmp_path, monkeypatch)


def test_rows_of_class_1_are_groups_of_two_texts(folder: Path) -> None:
    write_dataset(folder, MRPC, ["one | uno", "two | tree", "four |  quattro "], [1, 0, 1])
    write_dataset(folder, QQP, ["Why? | How come?"], [1])
    groups = labelled_paraphrases(0).groups
    assert set(groups) == {("one", "uno"), ("four", "quattro"), ("Why?", "How come?")}


def test_pairs_with_a_text_in_common_are_one_group(folder: Path) -> None:
    write_dataset(folder, MRPC, ["a | b", "x | y", "c | d", "B  | c", "a | b"], [1] * 5)
    write_dataset(folder, QQP, ["X | z"], [1])
    assert set(labelled_paraphrases(0).groups) == {("a", "b", "c", "d"), ("x", "y", "z")}


def test_a_text_that_is_paired_with_itself_is_left_out(folder: Path) -> None:
    write_dataset(folder, MRPC, ["same | Same ", "a | b", "no bar", " | half"], [1] * 4)
    write_dataset(folder, QQP, ["c | d"], [1])
    collected = labelled_paraphrases(0)
    assert set(collected.groups) == {("a", "b"), ("c", "d")}
    assert collected.n_alone == 1


def test_no_paraphrases_at_all_are_an_error(folder: Path) -> None:
    for name in PARAPHRASES:
        write_dataset(folder, name, ["a | b"], [0])
    with pytest.raises(DataError, match="none of their rows is a pair of class 1"):
        open_paraphrases(SETTINGS, seed=0)


def test_the_package_has_1194_and_2500_pairs() -> None:
    assert [len(prompts(path, "1")) for path in dataset_paths(PARAPHRASES)] == [1194, 2500]


def test_no_text_of_the_package_is_in_two_groups() -> None:
    collected = labelled_paraphrases(0)
    texts = [" ".join(text.split()).casefold() for group in collected.groups for text in group]
    assert len(set(texts)) == len(texts) == collected.n_texts
    assert collected.n_groups > 3000
    assert paraphrase_status(SETTINGS)[1].endswith(
        f": {collected.n_groups} groups of {collected.n_texts} texts"
    )


def test_each_seed_has_another_order_of_the_same_groups() -> None:
    one, other = (labelled_paraphrases(seed).groups for seed in (0, 1))
    assert one != other
    assert sorted(one) == sorted(other)


def test_fingerprint_changes_with_the_pairs(folder: Path) -> None:
    before = paraphrase_fingerprint(SETTINGS)
    write_dataset(folder, MRPC, ["a | b"], [1])
    assert paraphrase_fingerprint(SETTINGS) != before


def test_a_missing_package_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sae_probes", None)
    with pytest.raises(UsageError, match="sae-probes is not installed") as error:
        open_paraphrases(SETTINGS, seed=0)
    said = f"pairs.paraphrase.dataset 'sae_probes': {error.value}"
    assert paraphrase_status(SETTINGS) == ("problem", said)
    assert paraphrase_fingerprint(SETTINGS)


def test_a_broken_file_is_an_error_that_names_it(folder: Path) -> None:
    (folder / f"{QQP}.csv.zst").write_bytes(b"broken")
    outcome, message = paraphrase_status(SETTINGS)
    assert outcome == "problem"
    assert f"{QQP}.csv.zst: cannot be read as zstd-compressed CSV" in message
