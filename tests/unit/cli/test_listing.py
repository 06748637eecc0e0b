"""csae_bench/listing.py."""

from __future__ import annotations

import re

import pytest

from csae_bench.cli.listing import listing, listing_lines

FOUND = {
    "saes": {
        "topk": "SAELens's TopK with the settings of custom_sae, wide-and-long, for comparison.",
        "a_long_name_of_a_configuration": "Short.",
        "bare": "",
    }
}


@pytest.mark.parametrize("columns", [10, 40, 80, 160])
def test_no_word_is_broken(columns: int) -> None:
    shown = " ".join(listing_lines(FOUND, columns)).split()
    assert shown == ["saes:", *(w for n, s in FOUND["saes"].items() for w in (n, *s.split()))]


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_every_line_fits_and_continues_below_its_own_column(columns: int) -> None:
    lines = list(listing_lines(listing(), columns))
    assert [line for line in lines if len(line) > columns and len(line.split()) > 1] == []
    head = re.compile(r"  factor_probing +")
    start, width = next((i, at.end()) for i, line in enumerate(lines) if (at := head.match(line)))
    if columns < 120:
        assert lines[start + 1].startswith(" " * width)
        assert lines[start + 1][width] != " "


def test_a_pipe_gets_every_entry_on_one_line() -> None:
    assert len(list(listing_lines(FOUND, None))) == 4


def test_a_column_of_its_own_comes_before_the_descriptions() -> None:
    values = {
        "saes": {"a": {"kind": "control", "summary": "Bad."}, "bc": {"kind": "x", "summary": "Y."}}
    }
    assert list(listing_lines(values, 80)) == ["saes:", "  a   control  Bad.", "  bc  x        Y."]


def test_an_sae_has_its_kind_and_whole_sentences() -> None:
    entries = listing("saes")["saes"]
    kinds = {name: entry["kind"] for name, entry in entries.items() if isinstance(entry, dict)}
    assert list(kinds) == list(entries)
    assert kinds["custom_sae"] == kinds["topk"] == "trained"
    assert (kinds["oracle"], kinds["random_synthetic"]) == ("ceiling", "control")
    summaries = [entry["summary"] for entry in entries.values() if isinstance(entry, dict)]
    assert [text for text in summaries if not text.endswith(".")] == []


def test_an_eval_of_sae_bench_that_is_not_offered_says_why() -> None:
    line = listing("evals")["evals"]["mdl"]
    assert isinstance(line, str)
    assert line.startswith("Not offered: SAE-Bench's own code of it does not run")
    assert "loguru" in line
