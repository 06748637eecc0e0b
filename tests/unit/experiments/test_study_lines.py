"""The study's file of results is appended to, whatever happened to its last line."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.study.primary import append_line, finished, lines


def _line(arm: str, seed: int) -> dict[str, object]:
    return {"arm": arm, "seed": seed}


def test_without_a_file_nothing_is_done(tmp_path: Path) -> None:
    assert finished(tmp_path / "none.jsonl") == set()


def test_what_has_a_line_is_done(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "primary.jsonl"
    append_line(path, _line("shuffled", 3))
    append_line(path, _line("contrastive", 3))
    assert finished(path) == {("shuffled", 3), ("contrastive", 3)}


def test_a_line_that_was_cut_off_is_not_done_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "primary.jsonl"
    append_line(path, _line("contrastive", 0))
    whole = path.read_text()
    path.write_text(whole + json.dumps(_line("shuffled", 0))[:10])
    assert finished(path) == {("contrastive", 0)}
    append_line(path, _line("shuffled", 0))
    assert lines(path) == [_line("contrastive", 0), _line("shuffled", 0)]
