"""The end of a run on the terminal: each SAE's scores, with what they mean, as wide as it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from csae_bench.comparison.outputs.cards import NO_YARDSTICKS, Card, EvalPart
from csae_bench.comparison.outputs.scores import Score, how_to_read, number, value_text
from csae_bench.results.table import STATUS_STYLES
from csae_bench.support.printable import printable

_NARROW = 60
"""Columns below which the meaning of a score goes under it."""


def print_card(card: Card, console: Console) -> None:
    """Print what the SAE is, how it was trained, and its scores by eval."""
    head = Text.assemble((printable(card.sae_id), "bold"), f"  {printable(card.about)}")
    console.print(head)
    console.print(Text(printable(card.release), style="dim"))
    for fact in card.facts:
        console.print(Text.assemble((f"{fact.name}: ", "dim"), printable(fact.text)))
    _print_validity(card, console)
    is_narrow = console.width < _NARROW
    if card.evals:
        console.print()
        console.print(_table(card.evals, is_narrow=is_narrow))
    if any(part.scores for part in card.evals) and not card.has_yardsticks:
        console.print(Text(f"{NO_YARDSTICKS}", style="dim"))


def print_cards(cards: Sequence[Card], console: Console) -> None:
    """Print a line for each SAE with the first score of each eval, then why any of them failed."""
    evals = list(dict.fromkeys(part.eval_name for card in cards for part in card.evals))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("SAE", overflow="fold")
    table.add_column("status")
    scales: list[str] = []
    for name in evals:
        score = next((found for card in cards if (found := _first(card, name))), None)
        title = "" if score is None else score.title
        table.add_column(Text(f"{name}\n{title}".strip()), justify="right")
        if score is not None and score.scale:
            scales.append(f"{score.title}: {score.scale}")
    for card in cards:
        cells = (_cell(card, name) for name in evals)
        table.add_row(Text(printable(card.sae_id)), _status(card.status), *cells)
    console.print(table)
    console.print(Text("; ".join(scales), style="dim"))
    for card in cards:
        for reason in card.reasons:
            console.print(Text(printable(f"{card.sae_id}: {reason}")))
        for part in card.evals:
            if part.status in ("failed", "invalid"):
                console.print(Text(printable(f"{card.sae_id}, {part.eval_name}: {part.why}")))


def _print_validity(card: Card, console: Console) -> None:
    if not card.status:
        return
    said = "the SAE is alive" if card.status == "valid" else "; ".join(card.reasons)
    console.print(
        Text.assemble(("validity: ", "dim"), _status(card.status), f", {printable(said)}")
    )


def _table(parts: Sequence[EvalPart], *, is_narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(overflow="fold", ratio=None)
    table.add_column(justify="right", no_wrap=True)
    if not is_narrow:
        table.add_column(overflow="fold")
    for i, part in enumerate(parts):
        if i:
            table.add_row()
        _add_eval(table, part, is_narrow=is_narrow)
    return table


def _add_eval(table: Table, part: EvalPart, *, is_narrow: bool) -> None:
    seconds = "" if part.seconds is None else f"  {part.seconds:.0f} s"
    name = Text(printable(part.eval_name), style="bold")
    status = Text("") if part.status == "ok" else _status(part.status)
    about = Text(printable(f"{part.summary}{seconds}"), style="dim")
    said = Text(printable(part.why), style="" if part.status != "ok" else "yellow")
    rows = [(name, status, about), *([(Text(), Text(), said)] if part.why else [])]
    rows += [_score_row(score) for score in part.scores]
    for title, value, text in rows:
        if not is_narrow:
            table.add_row(title, value, text)
            continue
        table.add_row(title, value)
        if text.plain:
            table.add_row(Text.assemble("  ", text), "")


def _score_row(score: Score) -> tuple[Text, Text, Text]:
    return (
        Text(printable(f"  {score.title}")),
        Text(value_text(score), style="" if score.value is not None else "yellow"),
        Text(printable(how_to_read(score))),
    )


def _first(card: Card, eval_name: str) -> Score | None:
    found = (part for part in card.evals if part.eval_name == eval_name and part.scores)
    return next((part.scores[0] for part in found), None)


def _cell(card: Card, eval_name: str) -> Text:
    part = next((part for part in card.evals if part.eval_name == eval_name), None)
    if part is None:
        return Text("-")
    score = _first(card, eval_name)
    if part.status != "ok" or score is None or score.value is None:
        return _status(part.status)
    return Text(number(score.value))


def _status(status: str) -> Text:
    return Text(status, style=STATUS_STYLES.get(status, "green" if status == "valid" else ""))
