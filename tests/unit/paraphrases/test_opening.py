"""Groups of texts that say the same, from tinyworld, from files and from the hub."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from csae_bench.config import ParaphraseSettings
from csae_bench.corpora import CollectedParaphrases, open_corpus
from csae_bench.errors import DataError
from csae_bench.paraphrases import (
    NAMED_PARAPHRASES,
    open_paraphrases,
    paraphrase_fingerprint,
    paraphrase_status,
)
from tests.unit.pairs.sources import write_jsonl
from tests.unit.tinyworld.test_corpus import FORBIDDEN

ROWS = (
    {"group": "a", "text": "one"},
    {"group": 1, "text": "uno"},
    {"group": "a", "text": "two"},
    {"group": "alone", "text": "solo"},
    {"group": 1, "text": "dos"},
    {"group": "a", "text": "three"},
)


def _settings(dataset: Path | str, **settings: str) -> ParaphraseSettings:
    return ParaphraseSettings.model_validate({"dataset": str(dataset), **settings})


def _collected(dataset: Path | str, **settings: str) -> CollectedParaphrases:
    result = open_paraphrases(_settings(dataset, **settings), seed=0)
    assert isinstance(result, CollectedParaphrases)
    return result


def _assert_problem(dataset: Path | str, message: str, **settings: str) -> None:
    """Opening it is an error, which status reports in the same words."""
    with pytest.raises(DataError) as error:
        _collected(dataset, **settings)
    assert message in str(error.value)
    assert paraphrase_status(_settings(dataset, **settings)) == ("problem", str(error.value))


def test_groups_are_numbered_in_the_order_in_which_they_first_occur(tmp_path: Path) -> None:
    collected = _collected(write_jsonl(tmp_path / "a.jsonl", *ROWS))
    assert collected.groups == (("one", "two", "three"), ("uno", "dos"))
    assert (collected.n_groups, collected.n_texts, collected.n_alone) == (2, 5, 1)
    assert collected.texts(1) == ("uno", "dos")


def test_a_group_may_be_in_several_files_of_a_folder(tmp_path: Path) -> None:
    table = pa.table({"group": ["a", "b"], "text": ["one", "uno"], "note": [1, 2]})
    pyarrow.parquet.write_table(table, tmp_path / "1.parquet")
    write_jsonl(tmp_path / "2.jsonl", {"group": "b", "text": "dos"}, {"group": "a", "text": "two"})
    assert _collected(tmp_path).groups == (("one", "two"), ("uno", "dos"))


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", {"id": 7, "s": "one"}, {"id": 7, "s": "two"})
    collected = _collected(file, group_column="id", text_column="s")
    assert collected.groups == (("one", "two"),)


def test_whole_numbers_and_strings_are_different_groups(tmp_path: Path) -> None:
    rows = ({"group": group, "text": f"{group!r} {i}"} for i in range(2) for group in (1, "1"))
    assert _collected(write_jsonl(tmp_path / "a.jsonl", *rows)).n_groups == 2


def test_tinyworld_groups_are_the_world_s_and_differ_from_seed_to_seed() -> None:
    from csae_bench.tinyworld import paraphrases

    one, other = (open_paraphrases(ParaphraseSettings(), seed=seed) for seed in (0, 1))
    assert one.n_groups is None
    assert [one.texts(i) for i in range(5)] == list(paraphrases(5, seed=0))
    assert one.texts(2) != other.texts(2)


def _training_texts(kind: str) -> Iterator[str]:
    if kind == "sae":
        return (row["text"] for row in islice(open_corpus("tinyworld", split="sae"), 800))
    groups = open_paraphrases(ParaphraseSettings(), seed=0)
    return (text for group in range(800) for text in groups.texts(group))


@pytest.mark.parametrize("kind", ["sae", "paraphrase"])
def test_words_and_templates_reserved_for_evaluation_never_occur_in_training_texts(
    kind: str,
) -> None:
    texts = list(_training_texts(kind))
    assert len(texts) >= 800
    assert not [each for text in texts for each in FORBIDDEN.findall(text)]


@pytest.mark.parametrize("name", NAMED_PARAPHRASES)
def test_a_named_set_has_groups_of_different_texts_that_are_always_the_same(name: str) -> None:
    groups = open_paraphrases(_settings(name), seed=3)
    first = [groups.texts(i) for i in range(50)]
    assert all(len(texts) >= 2 and len(set(texts)) == len(texts) for texts in first)
    again = open_paraphrases(_settings(name), seed=3)
    assert [again.texts(i) for i in reversed(range(50))] == first[::-1]
    other = open_paraphrases(_settings(name), seed=4)
    assert [other.texts(i) for i in range(50)] != first


@pytest.mark.parametrize("name", NAMED_PARAPHRASES)
def test_a_named_set_is_found_sound(name: str) -> None:
    assert paraphrase_status(_settings(name))[0] == "ok"


def test_a_name_that_is_not_there_suggests_the_nearest() -> None:
    assert paraphrase_status(_settings("englsh")) == (
        "unknown",
        "pairs.paraphrase.dataset 'englsh' is on the hub: not checkable here. Did you mean "
        "'english'?",
    )
    with pytest.raises(DataError, match="Did you mean 'sae_probes'"):
        _collected("sae_probs")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    _assert_problem(tmp_path / "no.jsonl", "no.jsonl': there is no such file or folder.")
    _assert_problem("nowhere.jsonl", "dataset 'nowhere.jsonl': there is no such file or folder.")


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    _assert_problem(tmp_path, "holds no .jsonl or .parquet file.")


def test_a_file_of_another_format_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("group,text")
    _assert_problem(tmp_path / "a.csv", "is a .csv file; it must be .jsonl or .parquet.")


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(content)
    _assert_problem(file, f'{file}: is empty; remove it, or fill it with rows {{"group": ..., ')


def test_a_broken_line_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS[:2])
    file.write_text(file.read_text() + '{"group": 1, "text": "tw\n')
    _assert_problem(file, f"{file}, line 3: is not JSON: ")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"groups": "a", "text": "x"},
            "there is no column 'group'; its columns are groups, text. Did you mean 'groups'? "
            "Name the columns in pairs.paraphrase.group_column and pairs.paraphrase.text_column.",
        ),
        ({"group": "a"}, "there is no column 'text'; its columns are group."),
        ({"group": "a", "text": 3}, "text is 3; it must be a string that is not empty."),
        ({"group": "a", "text": " "}, "text is ' '; it must be a string that is not empty."),
        ({"group": None, "text": "x"}, "group is None; it must be a string or a whole number."),
        ({"group": 1.5, "text": "x"}, "group is 1.5; it must be a string or a whole number."),
        ({"group": True, "text": "x"}, "group is True; it must be a string or a whole number."),
        (["a", "x"], 'is list; it must be {"group": "...", "text": "..."}.'),
    ],
)
def test_a_malformed_row_is_an_error_with_file_and_line(
    tmp_path: Path, row: object, message: str
) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", ROWS[0], row)
    _assert_problem(file, f"{file}, line 2: {message}")


def test_a_missing_column_of_parquet_is_an_error(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"text": ["x"], "label": [1]}), tmp_path / "a.parquet")
    _assert_problem(tmp_path, "a.parquet: there is no column 'group'; its columns are text, label.")


def test_groups_of_one_text_each_are_an_error_that_names_the_column(tmp_path: Path) -> None:
    rows = [{"group": i, "text": f"text {i}"} for i in range(3)]
    _assert_problem(
        write_jsonl(tmp_path / "a.jsonl", *rows),
        "each of its 3 groups has one text, and a pair needs two; see whether "
        "pairs.paraphrase.group_column, 'group', is what paraphrases have in common.",
    )


def test_one_group_is_enough(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", ROWS[0], ROWS[2])
    assert _collected(file).groups == (("one", "two"),)


def test_a_hub_name_without_a_network_is_an_error() -> None:
    with pytest.raises(DataError, match="'nobody/nothing': there is no such folder, and it cannot"):
        _collected("nobody/nothing")


def test_status_counts_groups_and_says_what_is_left_out(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS)
    assert paraphrase_status(_settings(file)) == (
        "ok",
        f"{file}: 2 groups of 5 texts; 1 groups of one text are left out",
    )
    assert paraphrase_status(ParaphraseSettings())[0] == "ok"
    assert paraphrase_status(_settings("owner/name"))[0] == "unknown"


def test_looking_at_paraphrases_imports_neither_torch_nor_datasets(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS)
    code = (
        "import sys\n"
        "from csae_bench.config import ParaphraseSettings\n"
        "from csae_bench.paraphrases import paraphrase_fingerprint, paraphrase_status\n"
        f"for name in ({', '.join(map(repr, NAMED_PARAPHRASES))}, {str(file)!r}, 'owner/name'):\n"
        "    settings = ParaphraseSettings(dataset=name)\n"
        "    paraphrase_status(settings), paraphrase_fingerprint(settings)\n"
        "sys.exit(len({'torch', 'datasets'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fingerprint_changes_with_the_file_and_with_the_name(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS)
    before = paraphrase_fingerprint(_settings(file))
    assert before == paraphrase_fingerprint(_settings(file))
    write_jsonl(file, *ROWS[:3])
    seen: set[Any] = {before, paraphrase_fingerprint(_settings(file))}
    seen |= {paraphrase_fingerprint(_settings(name)) for name in (*NAMED_PARAPHRASES, "a/b", "a/c")}
    assert len(seen) == 4 + len(NAMED_PARAPHRASES)
    assert paraphrase_fingerprint(_settings(tmp_path / "nowhere.jsonl"))


def test_one_column_cannot_be_both() -> None:
    with pytest.raises(ValueError, match="group_column and text_column are both 'text'"):
        _settings("tinyworld", group_column="text")
