"""Streams of datasets as the hub has them; a folder stands for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.corpora.hub import hub_stream
from csae_bench.errors import DataError
from tests.unit.pairs.sources import write_jsonl


def test_optional_columns_are_read_where_they_are(tmp_path: Path) -> None:
    rows = [{"text": "a", "changed": None, "note": 1}, {"text": "b", "changed": "f", "note": 2}]
    write_jsonl(tmp_path / "a.jsonl", *rows)
    stream = hub_stream(str(tmp_path), ["text"], optional=["changed", "other"])
    assert list(stream) == [{"text": "a", "changed": None}, {"text": "b", "changed": "f"}]


def test_a_missing_column_is_an_error(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", {"txt": "a"})
    with pytest.raises(DataError, match=r"no column 'text'; its columns are txt\."):
        hub_stream(str(tmp_path), ["text"])
