"""The end of a run on the terminal: each SAE's scores, with what they mean, as wide as it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from csae_bench.comparison.outputs.card_evals import EvalPart
from csae_bench.comparison.outputs.in_words import card_in_words
from csae_bench.comparison.outputs.sae_cards import NO_YARDSTICKS, Card, CardFact
from csae_bench.comparison.outputs.scores import (
    ShownScore,
    how_to_read,
    interval_text,
    number,
    value_text,
)
from csae_bench.results.table import STATUS_STYLES
from csae_bench.support.printable import printable
from csae_bench.support.progress import duration

_WIDE = 120
"""Columns from which a score's interval is shown, and its title is not wrapped."""
_NARROW = 60
"""Columns below which the meaning of a score goes under it."""
_TITLE_COLUMNS = 22
"""Columns of a title on a terminal that is not wide."""


def print_card(card: Card, console: Console) -> None:
    """Print what the SAE is, how it was trained, and its scores by eval."""
    console.print(Text.assemble((printable(card.sae_id), "bold"), f"  {printable(card.about)}"))
    console.print(Text(printable(card.release), style="dim"))
    for fact in card.facts[:1]:
        console.print(_fact(fact))
    if card.facts[1:]:
        console.print(Text("; ").join(_fact(fact) for fact in card.facts[1:]))
    _print_validity(card, console)
    titles = [score.title for part in card.evals for score in part.scores]
    n_columns = max(map(len, titles), default=0) + 2
    if console.width < _WIDE:
        n_columns = min(n_columns, _TITLE_COLUMNS)
    for part in card.evals:
        console.print()
        _print_eval(part, n_columns, console)
    if titles and not card.has_yardsticks:
        console.print()
        console.print(Text(NO_YARDSTICKS, style="dim"))
    words = card_in_words(card)
    if words:
        console.print()
        console.print(Text(printable(words)))


def print_cards(cards: Sequence[Card], console: Console) -> None:
    """Print a line for each SAE with the first score of each eval, then why any of them failed."""
    evals = list(dict.fromkeys(part.eval_name for card in cards for part in card.evals))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("SAE", overflow="fold")
    table.add_column("status")
    scales: list[str] = []
    for name in evals:
        scores = (_first(card, name) for card in cards)
        score = next((each for each in scores if each is not None), None)
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


def _fact(fact: CardFact) -> Text:
    return Text.assemble((f"{fact.name}: ", "dim"), printable(fact.text))


def _print_eval(part: EvalPart, n_columns: int, console: Console) -> None:
    """Print an eval's name, its state if it is not ok, and its scores.

    Args:
        n_columns: of titles, the same for all evals of an SAE.
    """
    seconds = "" if part.seconds is None else f" ({duration(part.seconds)})"
    head = Text(printable(part.eval_name), style="bold")
    if part.status != "ok":
        head.append_text(Text("  ").append_text(_status(part.status)))
    repeated = "" if part.n_repetitions == 1 else f"; mean ± sd of {part.n_repetitions} eval seeds"
    head.append(printable(f"  {part.summary}{repeated}{seconds}"), style="not bold dim")
    console.print(head)
    if part.why:
        style = "yellow" if part.status == "ok" else ""
        console.print(Padding(Text(printable(part.why), style=style), (0, 0, 0, 2)))
    if part.scores:
        console.print(_table(part, n_columns, console.width))


def _table(part: EvalPart, n_columns: int, width: int) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    is_narrow = width < _NARROW
    table.add_column(overflow="fold", width=None if is_narrow else n_columns)
    table.add_column(justify="right", no_wrap=True, min_width=9)
    if width >= _WIDE:
        table.add_column(no_wrap=True, min_width=14, style="dim")
    if not is_narrow:
        table.add_column(overflow="fold")
    for score in part.scores:
        title, meaning = Text(printable(score.title)), Text(printable(how_to_read(score)))
        value = Text(value_text(score), style="" if score.value is not None else "yellow")
        if is_narrow:
            table.add_row(title, value)
            table.add_row(Padding(meaning, (0, 0, 0, 4)), "")
        else:
            interval = [interval_text(score)] if width >= _WIDE else []
            table.add_row(Padding(title, (0, 0, 0, 2)), value, *interval, meaning)
    return table


def _first(card: Card, eval_name: str) -> ShownScore | None:
    parts = (part for part in card.evals if part.eval_name == eval_name and part.scores)
    return next((part.scores[0] for part in parts), None)


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
