"""csae_bench/runs/resolving.py."""

from __future__ import annotations

from pathlib import Path

from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import resolve_sae


def _hash(*sets: str) -> str | None:
    return resolve_sae(RunRequest(source="custom_sae", sets=sets)).training_hash


def test_other_paraphrases_are_another_training(tmp_path: Path) -> None:
    path = tmp_path / "groups.jsonl"
    sets = ("pairs.paraphrase.weight=1", f"pairs.paraphrase.dataset={path}")
    path.write_text('{"group": 1, "text": "a"}\n{"group": 1, "text": "b"}\n')
    before = _hash(*sets)
    assert before == _hash(*sets)
    path.write_text('{"group": 1, "text": "a"}\n{"group": 1, "text": "other"}\n')
    assert _hash(*sets) != before


def test_paraphrases_that_are_off_do_not_change_the_training(tmp_path: Path) -> None:
    path = tmp_path / "groups.jsonl"
    sets = ("pairs.paraphrase.weight=0", f"pairs.paraphrase.dataset={path}")
    path.write_text('{"group": 1, "text": "a"}\n')
    before = _hash(*sets)
    path.unlink()
    assert _hash(*sets) == before
