"""Text from tinyworld, from folders and from the hub."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet
import pytest

from csae_bench.corpora import NAMED_CORPORA, corpus_fingerprint, corpus_status, open_corpus
from csae_bench.errors import DataError


def _texts(dataset: str | Path, n: int = 1000, **options: object) -> list[str]:
    corpus = open_corpus(str(dataset), **{"split": "sae", **options})  # pyright: ignore[reportArgumentType]
    return [row["text"] for row in itertools.islice(corpus, n)]


def _jsonl(path: Path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _parquet(path: Path, **columns: list[object]) -> None:
    pyarrow.parquet.write_table(pa.table(columns), path)


def test_tinyworld_text_is_the_world_s() -> None:
    from csae_bench.tinyworld import documents

    assert _texts("tinyworld", 3) == list(documents("sae", 3, seed=0))


def test_tinyworld_text_differs_by_split_and_by_seed() -> None:
    plain = _texts("tinyworld", 3)
    assert plain == _texts("tinyworld", 3)
    assert plain != _texts("tinyworld", 3, split="core")
    assert plain != _texts("tinyworld", 3, seed=1)


@pytest.mark.parametrize("name", NAMED_CORPORA)
def test_a_named_corpus_has_other_documents_for_core_and_another_order_for_each_seed(
    name: str,
) -> None:
    texts = _texts(name, 300)
    assert texts == _texts(name, 300)
    assert len(set(texts)) == 300
    assert not set(texts) & set(_texts(name, 300, split="core"))
    assert texts != _texts(name, 300, seed=1)


@pytest.mark.parametrize("name", NAMED_CORPORA)
def test_stream_can_be_shuffled_as_sae_bench_does(name: str) -> None:
    corpus = open_corpus(name, split="core")
    assert isinstance(corpus, datasets.IterableDataset)
    assert next(iter(corpus.shuffle(seed=42, buffer_size=1)))["text"]


def test_streaming_writes_nothing_to_the_cache_of_hugging_face(tmp_path: Path) -> None:
    _jsonl(tmp_path / "a.jsonl", {"text": "x"})
    code = (
        "from csae_bench.corpora import open_corpus\n"
        f"for name in ({', '.join(map(repr, NAMED_CORPORA))}, {str(tmp_path)!r}):\n"
        "    print(next(iter(open_corpus(name, split='sae')))['text'])"
    )
    home = tmp_path / "hf"
    environment = {**os.environ, "HF_HOME": str(home), "HF_DATASETS_CACHE": str(home / "datasets")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_looking_at_a_corpus_imports_neither_torch_nor_datasets(tmp_path: Path) -> None:
    _jsonl(tmp_path / "a.jsonl", {"text": "x"})
    code = (
        "import sys\n"
        "from csae_bench.corpora import corpus_fingerprint, corpus_status\n"
        f"for name in ({', '.join(map(repr, NAMED_CORPORA))}, {str(tmp_path)!r}, 'owner/name'):\n"
        "    corpus_status(name), corpus_fingerprint(name, 'sae')\n"
        "sys.exit(len({'torch', 'datasets'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_of_a_folder_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    _jsonl(tmp_path / "b.jsonl", {"text": "three"})
    _parquet(tmp_path / "a.parquet", text=["one", "two"], other=[1, 2])
    (tmp_path / "readme.txt").write_text("not data")
    assert _texts(tmp_path) == ["one", "two", "three"]


def test_blank_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n{"text": "one"}\n\n{"text": "two"}\n')
    assert _texts(tmp_path) == ["one", "two"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        _texts(tmp_path / "nowhere")


def test_a_file_instead_of_a_folder_is_an_error(tmp_path: Path) -> None:
    _jsonl(tmp_path / "a.jsonl", {"text": "x"})
    with pytest.raises(DataError, match=r"a\.jsonl': is a file; name the folder"):
        _texts(tmp_path / "a.jsonl")


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds no \.jsonl or \.parquet file"):
        _texts(tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    _jsonl(tmp_path / "a.jsonl", {"text": "x"})
    (tmp_path / "b.jsonl").write_text(content)
    with pytest.raises(DataError, match=r"b\.jsonl: is empty"):
        _texts(tmp_path)


def test_a_parquet_file_without_rows_is_an_error(tmp_path: Path) -> None:
    _parquet(tmp_path / "a.parquet", text=[])
    with pytest.raises(DataError, match=r"a\.parquet: is empty"):
        _texts(tmp_path)


def test_a_broken_line_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n\n{"text": "tw\n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 3: is not JSON"):
        _texts(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"body": "x"}, "there is no column 'text'; its columns are body"),
        ({"text": None}, "text is None; it must be a string"),
        ({"text": 3}, "text is 3; it must be a string"),
        (["x"], 'is list; it must be {"text": "..."}'),
    ],
)
def test_a_row_without_a_text_is_an_error_with_file_and_line(
    tmp_path: Path, row: object, message: str
) -> None:
    _jsonl(tmp_path / "a.jsonl", {"text": "x"}, row)
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: ") as error:
        _texts(tmp_path)
    assert message in str(error.value)


def test_a_parquet_file_without_text_is_an_error(tmp_path: Path) -> None:
    _parquet(tmp_path / "a.parquet", body=["x"])
    with pytest.raises(DataError, match=r"a\.parquet: there is no column 'text'.*body"):
        _texts(tmp_path)


def test_a_missing_text_in_parquet_is_an_error_with_its_row(tmp_path: Path) -> None:
    _parquet(tmp_path / "a.parquet", text=["x", None])
    with pytest.raises(DataError, match=r"a\.parquet, row 2: text is None"):
        _texts(tmp_path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_file_of_garbage_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(DataError, match="cannot be read as"):
        _texts(tmp_path)


def test_a_name_that_is_not_there_suggests_the_nearest() -> None:
    assert corpus_status("sae_prob")[1].endswith("checkable here. Did you mean 'sae_probes'?")
    with pytest.raises(DataError, match="Did you mean 'tinyworld'"):
        _texts("tinywrld")


def test_a_hub_name_without_a_network_is_an_error() -> None:
    with pytest.raises(DataError, match="'nobody/nothing': there is no such folder, and it cannot"):
        _texts("nobody/nothing")


def test_status_tells_sound_broken_and_unknown_apart(tmp_path: Path) -> None:
    _jsonl(tmp_path / "a.jsonl", {"text": "x"})
    assert corpus_status("tinyworld")[0] == "ok"
    assert corpus_status(str(tmp_path)) == ("ok", f"{tmp_path}: 1 files, 0.0 MiB")
    assert corpus_status(str(tmp_path / "nowhere"))[0] == "problem"
    assert corpus_status("owner/name")[0] == "unknown"


def test_fingerprint_changes_with_the_files(tmp_path: Path) -> None:
    _jsonl(tmp_path / "a.jsonl", {"text": "x"})
    before = corpus_fingerprint(str(tmp_path), "sae")
    assert before == corpus_fingerprint(str(tmp_path), "sae")
    _jsonl(tmp_path / "a.jsonl", {"text": "xy"})
    assert before != corpus_fingerprint(str(tmp_path), "sae")


def test_fingerprint_of_a_missing_folder_is_left_to_preflight(tmp_path: Path) -> None:
    assert corpus_fingerprint(str(tmp_path / "nowhere"), "sae")


def test_fingerprints_differ_by_split_and_by_name() -> None:
    names = {corpus_fingerprint(name, "sae") for name in (*NAMED_CORPORA, "a/b", "a/c")}
    names |= {corpus_fingerprint(name, "core") for name in NAMED_CORPORA}
    assert len(names) == 2 * len(NAMED_CORPORA) + 2
