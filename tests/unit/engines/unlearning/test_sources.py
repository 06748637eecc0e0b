"""Where questions and texts come from, and what is said of them before a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from csae_bench.engines.unlearning.data import FORGET, RETAIN, SUBJECTS
from csae_bench.engines.unlearning.sources import (
    FILE_STEMS,
    FORGET_CORPUS,
    FORGET_FILE,
    chosen_data,
    data_fingerprint,
    data_status,
    open_data,
)
from csae_bench.errors import DataError
from csae_bench.tinyworld import FORGET_SUBJECT, RETAIN_SUBJECTS

LONG = "A text that is longer than fifty characters, as short ones are not read."
QUESTION: dict[str, Any] = {"question": "What?", "choices": ["a", "b", "c", "d"], "answer": 1}

WriteFolder = Callable[..., Path]
WriteHub = Callable[..., Path]


def write(path: Path, rows: list[Any]) -> None:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.fixture
def write_folder(tmp_path: Path) -> WriteFolder:
    """Writes a whole folder, with other rows or none for some stems."""

    def make(suffix: str = ".jsonl", **changes: Any) -> Path:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        for stem in FILE_STEMS:
            usual = [QUESTION] * 2 if stem in SUBJECTS else [{"text": LONG}] * 3
            rows = changes.get(stem.replace("-", "_"), usual)
            if rows is not None:
                write(folder / f"{stem}{suffix}", rows)
        return folder

    return make


def test_files_as_windows_writes_them_are_read(write_folder: WriteFolder) -> None:
    folder = write_folder()
    for path in folder.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    data = open_data(str(folder))
    assert data.questions[FORGET][0].question == "What?"
    assert data.forget_texts == (LONG,) * 3


def problem(folder: Path, **options: Any) -> str:
    """The one problem that is found before a run."""
    ((outcome, message),) = data_status(str(folder), **options)
    assert outcome == "problem"
    return message


def test_subjects_are_those_of_the_tinyworld() -> None:
    assert (FORGET_SUBJECT, *RETAIN_SUBJECTS) == SUBJECTS
    assert (FORGET, RETAIN) == (FORGET_SUBJECT, RETAIN_SUBJECTS)


def test_tinyworld_data_has_every_fact_and_says_that_it_is_invented() -> None:
    data = open_data("tinyworld")
    assert {name: len(asked) for name, asked in data.questions.items()} == dict.fromkeys(
        SUBJECTS, 104
    )
    assert data.description.startswith("Invented facts")
    assert all("germ" in text for text in data.forget_texts)
    assert not any("germ" in text for text in data.retain_texts)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_folder_is_read_in_either_form(suffix: str, write_folder: WriteFolder) -> None:
    folder = write_folder(suffix)
    data = open_data(str(folder))
    assert set(data.questions) == set(SUBJECTS)
    assert data.questions[FORGET][1] == ("What?", ("a", "b", "c", "d"), 1)
    assert data.forget_texts == data.retain_texts == (LONG,) * 3
    assert data_status(str(folder)) == [("ok", f"{folder}: 7 files")]


def test_texts_of_fifty_characters_or_less_are_not_read(write_folder: WriteFolder) -> None:
    folder = write_folder(wikitext=[{"text": "short"}, {"text": LONG}, {"text": "x" * 50}])
    assert open_data(str(folder)).retain_texts == (LONG,)


def test_a_forget_corpus_of_ones_own_takes_the_place_of_the_datas(
    write_folder: WriteFolder, tmp_path: Path
) -> None:
    folder = write_folder(bio_forget_corpus=None)
    mine = tmp_path / "mine.parquet"
    write(mine, [{"text": f"{LONG} Mine."}])
    for data in (str(folder), "tinyworld"):
        assert open_data(data, forget_corpus=str(mine)).forget_texts == (f"{LONG} Mine.",)
    assert data_status(str(folder), str(mine))[0][0] == "ok"


def test_a_missing_forget_corpus_says_what_to_request_and_where_to_put_it(
    write_folder: WriteFolder,
) -> None:
    folder = write_folder(bio_forget_corpus=None)
    message = problem(folder)
    assert f"holds no {FORGET_FILE}.jsonl" in message
    assert f"Request access to {FORGET_CORPUS}" in message
    assert "evals.unlearning.forget_corpus" in message
    with pytest.raises(DataError, match="Request access"):
        open_data(str(folder))


def test_all_missing_files_are_named_at_once(write_folder: WriteFolder) -> None:
    message = problem(write_folder(wmdp_bio=None, wikitext=None))
    assert "wmdp-bio.jsonl, wikitext.jsonl" in message


def test_an_empty_forget_corpus_is_an_error(write_folder: WriteFolder) -> None:
    folder = write_folder(bio_forget_corpus=[])
    assert f"{FORGET_FILE}.jsonl: holds no text" in problem(folder)
    with pytest.raises(DataError, match="holds no text"):
        open_data(str(folder))


def test_broken_json_in_line_3_is_an_error_with_file_and_line(write_folder: WriteFolder) -> None:
    folder = write_folder()
    path = folder / f"{FORGET_FILE}.jsonl"
    path.write_text(f'{{"text": "{LONG}"}}\n' * 2 + '{"text": "unfin\n')
    assert f"{path}, line 3: is not JSON" in problem(folder)
    with pytest.raises(DataError, match=r"jsonl, line 3: is not JSON"):
        open_data(str(folder))


def test_rows_that_are_no_text_are_an_error_with_file_and_line(write_folder: WriteFolder) -> None:
    folder = write_folder(bio_forget_corpus=[{"text": LONG}, {"text": ["a", "list"]}])
    assert "line 2: text is ['a', 'list']; it must be a string" in problem(folder)


def test_a_question_with_three_choices_is_an_error_with_file_and_line(
    write_folder: WriteFolder,
) -> None:
    folder = write_folder(human_aging=[QUESTION, QUESTION | {"choices": ["a", "b", "c"]}])
    assert "human_aging.jsonl, line 2: has 3 choices" in problem(folder)


def test_a_subject_without_questions_is_an_error(write_folder: WriteFolder) -> None:
    assert "human_aging.jsonl: is empty" in problem(write_folder(human_aging=[]))


def test_a_missing_column_is_an_error_that_suggests_the_nearest(write_folder: WriteFolder) -> None:
    message = problem(write_folder(wikitext=[{"texts": LONG}]))
    assert "there is no column 'text'" in message
    assert "Did you mean 'texts'?" in message


def test_a_folder_that_is_not_there_is_a_problem_with_what_is_allowed(tmp_path: Path) -> None:
    assert "It must be auto, tinyworld, hub, or a folder" in problem(tmp_path / "nowhere")


def test_a_mistyped_source_is_a_problem_and_not_a_hub_name() -> None:
    assert "data is 'embeded'; there is no such folder" in problem(Path("embeded"))


@pytest.mark.parametrize("name", ["missing.jsonl", "corpus.txt"])
def test_a_forget_corpus_that_cannot_be_read_is_a_problem(name: str, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("text")
    statuses = data_status("tinyworld", str(tmp_path / name))
    assert [outcome for outcome, _ in statuses] == ["problem"]


def test_the_hub_is_not_checkable_here_and_the_gated_corpus_is_explained() -> None:
    ((outcome, message),) = data_status("hub")
    assert outcome == "unknown"
    assert f"{FORGET_CORPUS} is gated" in message


def test_with_a_forget_corpus_as_a_file_nothing_is_gated(tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", [{"text": LONG}])
    ((outcome, message),) = data_status("hub", str(tmp_path / "mine.jsonl"))
    assert outcome == "unknown"
    assert "gated" not in message


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteHub:
    """Datasets of the hub's names and forms in the current folder, where `datasets` looks first."""
    monkeypatch.chdir(tmp_path)

    def make(**changes: Any) -> Path:
        mmlu = {name: changes.get(name, [QUESTION]) for name in RETAIN}
        _write_dataset(tmp_path / "cais/mmlu", "test", mmlu)
        _write_dataset(tmp_path / "cais/wmdp", "test", {FORGET: [QUESTION]})
        wikitext = {"wikitext-2-raw-v1": [{"text": ""}, {"text": LONG}]}
        _write_dataset(tmp_path / "wikitext", "test", wikitext)
        papers = [{"text": LONG, "title": "Of a paper"}]
        _write_dataset(tmp_path / FORGET_CORPUS, "train", {"default": papers})
        return tmp_path

    return make


def _write_dataset(folder: Path, split: str, subsets: dict[str, list[Any]]) -> None:
    """A dataset with so many configurations, of one split each."""
    folder.mkdir(parents=True)
    lines = ["---", "configs:"]
    for name, rows in subsets.items():
        write(folder / f"{name}.jsonl", rows)
        lines += [f"- config_name: {name}", "  data_files:"]
        lines += [f"  - split: {split}", f"    path: {name}.jsonl"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))


def test_hub_data_are_sae_benchs_datasets_streamed(hub: WriteHub) -> None:
    folder = hub()
    before = sorted(folder.rglob("*"))
    data = open_data("hub")
    assert list(data.questions) == list(SUBJECTS)
    assert data.questions[FORGET] == (("What?", ("a", "b", "c", "d"), 1),)
    assert data.forget_texts == data.retain_texts == (LONG,)
    assert sorted(folder.rglob("*")) == before


def test_a_gated_corpus_is_an_error_that_says_what_to_request(hub: WriteHub) -> None:
    shutil.rmtree(hub() / FORGET_CORPUS)
    with pytest.raises(DataError, match="Request access") as caught:
        open_data("hub")
    assert "cannot be had from the hub" in str(caught.value)


def test_a_gated_corpus_is_not_asked_for_where_there_is_a_file(hub: WriteHub) -> None:
    folder = hub()
    shutil.rmtree(folder / FORGET_CORPUS)
    write(folder / "mine.jsonl", [{"text": f"{LONG} Mine."}])
    assert open_data("hub", forget_corpus="mine.jsonl").forget_texts == (f"{LONG} Mine.",)


def test_a_malformed_row_on_the_hub_is_an_error_with_dataset_and_row(hub: WriteHub) -> None:
    hub(human_aging=[QUESTION, QUESTION | {"answer": 9}])
    with pytest.raises(DataError, match="dataset 'cais/mmlu:human_aging', row 2: answer is 9"):
        open_data("hub")


def test_auto_is_tinyworld_for_the_bundled_model_alone() -> None:
    assert chosen_data("auto", "tiny-gemma2-it") == "tinyworld"
    assert chosen_data("auto", "google/gemma-2-2b-it") == "hub"
    assert chosen_data("./mine", "tiny-gemma2-it") == "./mine"


def test_the_fingerprint_changes_with_the_files(write_folder: WriteFolder) -> None:
    folder = str(write_folder())
    before = data_fingerprint(folder)
    assert data_fingerprint(folder) == before
    write_folder(wikitext=[{"text": LONG}])
    assert data_fingerprint(folder) != before
    assert data_fingerprint("hub") != data_fingerprint("tinyworld")


def test_digests_change_with_questions_and_with_texts(write_folder: WriteFolder) -> None:
    one = open_data(str(write_folder()))
    other = open_data(str(write_folder(wikitext=[{"text": LONG}])))
    assert one.questions_digest == other.questions_digest
    assert one.texts_digest != other.texts_digest
    third = open_data(str(write_folder(human_aging=[QUESTION])))
    assert third.questions_digest != one.questions_digest
