"""csae_bench/listing.py."""

from __future__ import annotations

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
    assert max(map(len, lines)) <= columns
    head = "  factor_probing             "
    start = next(i for i, line in enumerate(lines) if line.startswith(head))
    if columns < 120:
        assert lines[start + 1].startswith(" " * len(head))
        assert lines[start + 1][len(head)] != " "


def test_a_pipe_gets_every_entry_on_one_line() -> None:
    assert len(list(listing_lines(FOUND, None))) == 4


def test_a_description_is_whole_sentences() -> None:
    assert [s for s in listing("saes")["saes"].values() if not s.endswith(".")] == []
