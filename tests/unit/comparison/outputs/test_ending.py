"""csae_bench/comparison/outputs/sae_cards.py and ending.py, on stored results of three seeds."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from csae_bench.comparison.outputs.ending import print_card, print_cards
from csae_bench.comparison.outputs.html import write_html
from csae_bench.comparison.outputs.html.sae_cards import drawn_cards
from csae_bench.comparison.outputs.sae_cards import (
    MAX_CARDS,
    Card,
    card_of_record,
    cards_of,
    read_run,
)
from csae_bench.comparison.reading.folder import read_results
from csae_bench.results.store import Store
from tests.unit.comparison.outputs import reports

STORED = Path(__file__).parents[3] / "data" / "first_cut"
FIRST = "tiny-gemma2-it_layer_2_sae_custom_sae_small"
SECOND = f"{FIRST}_seed1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(STORED, tmp_path / "results")
    return tmp_path / "results"


def _changed(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "runs" / f"{name}.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def _card(folder: Path, name: str = FIRST) -> Card:
    record = read_run(folder / "runs" / f"{name}.json")
    assert record is not None
    return card_of_record(record, Store(folder))


def _printed(card: Card, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, emoji=False)
    print_card(card, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_card_has_the_sae_its_validity_and_its_scores_in_the_order_of_the_run(
    folder: Path,
) -> None:
    card = _card(folder)
    assert (card.sae_id, card.status) == ("custom_sae_small", "valid")
    assert card.about.startswith("contrastive_batchtopk, 256 latents on 128 dimensions")
    assert [part.eval_name for part in card.evals] == ["core", "mig"]
    assert card.evals[0].scores[0].title == "CE loss score"
    facts = dict(card.facts)
    assert facts["training"].startswith("150 of 150 steps on 307,200 tokens")
    assert {"final loss", "L0", "explained variance"} <= facts.keys()


def test_an_invalid_sae_says_why_and_its_evals_too(folder: Path) -> None:
    def kill(record: dict[str, Any]) -> None:
        dead = {"kind": "invalid", "message": "L0 is 0: no latent is active"}
        record["cells"]["validity"] |= {"status": "invalid", "reasons": [dead]}
        skipped = {"kind": "skipped", "message": "the SAE is invalid, so it gets no scores"}
        record["cells"]["mig"] |= {"status": "skipped", "reasons": [skipped], "result": None}
        record["status"] = "invalid"

    _changed(folder, FIRST, kill)
    text = _printed(_card(folder), 160)
    assert "validity: invalid, L0 is 0: no latent is active" in text
    assert re.search(r"mig +skipped ", text)
    assert "the SAE is invalid, so it gets no scores" in text


def test_a_failed_eval_is_a_row_with_its_reason(folder: Path) -> None:
    def fail(record: dict[str, Any]) -> None:
        reason = {"kind": "ZeroDivisionError", "message": "as [red]planned\x1b[31m"}
        record["cells"]["mig"] |= {"status": "failed", "reasons": [reason], "result": None}

    _changed(folder, FIRST, fail)
    text = _printed(_card(folder), 160)
    assert re.search(r"mig +failed ", text)
    assert r"as [red]planned\x1b[31m" in text


@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_line_is_wider_than_the_terminal(folder: Path, width: int) -> None:
    assert max(map(len, _printed(_card(folder), width).splitlines())) <= width


def test_a_wide_terminal_is_used(folder: Path) -> None:
    widths = [len(line.rstrip()) for line in _printed(_card(folder), 160).splitlines()]
    assert max(widths) > 100


def test_a_result_is_shown_with_the_yardsticks_of_its_own_unit(folder: Path) -> None:
    # measured on means over tokens, before results named the weights of their model
    text = " ".join(_printed(_card(folder), 160).split())
    assert "higher is better: every word 0.186, oracle and every word 0.657, shuffled" in text
    assert "no yardsticks" not in text


def test_a_result_without_yardsticks_says_so(folder: Path) -> None:
    path = folder / "mig" / f"{FIRST}_eval_results.json"
    result = json.loads(path.read_text())
    result["eval_result_unstructured"]["data"]["fingerprint"] = "another dataset"
    path.write_text(json.dumps(result))
    text = _printed(_card(folder), 80)
    assert "no yardsticks for these settings" in text
    assert "every word" not in text


def test_several_saes_are_a_line_each_with_the_scale_of_each_column(folder: Path) -> None:
    console = Console(file=io.StringIO(), width=160, emoji=False)
    print_cards([_card(folder, SECOND), _card(folder, FIRST)], console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    for name in ("custom_sae_small", "custom_sae_small_seed1"):
        assert any(line.startswith(f"{name} ") and "valid" in line for line in lines)
    assert any("Value MIG: 0 to 1, higher is better" in line for line in lines)


def test_a_page_has_a_card_for_each_sae_the_last_run_first(folder: Path) -> None:
    _changed(folder, SECOND, lambda record: record.update(started="2030-01-01T00:00:00+00:00"))
    cards = cards_of(read_results(folder))
    assert len(cards) == 3
    assert cards[0].sae_id == "custom_sae_small_seed1"


def test_a_page_has_no_more_cards_than_it_can_show() -> None:
    many = reports.results(*(reports.readings(reports.CUSTOM, seeds=range(MAX_CARDS + 3)),))
    assert len(cards_of(many)) == MAX_CARDS


def test_links_are_relative_to_the_page_and_steer_nothing(folder: Path) -> None:
    pages = folder / "artifacts" / "mig" / FIRST
    pages.mkdir(parents=True)
    (pages / "heat_map.html").touch()
    (pages / "javascript:alert(1).html").touch()
    report = reports.report(read_results(folder))
    (card,) = [card for card in drawn_cards(cards_of(report.candidate), report, folder / "pages")
                if card.links]  # fmt: skip
    assert [link.href for link in card.links] == [
        f"../artifacts/mig/{FIRST}/heat_map.html",
        f"../artifacts/mig/{FIRST}/javascript%3Aalert%281%29.html",
    ]
    write_html(report, folder / "report.html")
    assert f'href="artifacts/mig/{FIRST}/heat_map.html"' in (folder / "report.html").read_text()
