"""The end of a run: its scores on stdout, on stderr the files that it wrote and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from csae_bench.cli.terminal import console, print_json
from csae_bench.errors import CsaeBenchError
from csae_bench.support.printable import printable
from csae_bench.support.progress import begin

if TYPE_CHECKING:
    from csae_bench.results.store import Store
    from csae_bench.runs.run import RunOutcome

_TWINS = {"custom_sae": "batchtopk", "contrastive_full": "custom_sae"}
"""Configuration -> the one that a newcomer compares it with next."""


def records_as_json(outcomes: Sequence[RunOutcome]) -> Any:
    """Return the record of one SAE, or a list of the records of several."""
    records = [
        None if outcome.record is None else outcome.record.model_dump(mode="json")
        for outcome in outcomes
    ]
    return records[0] if len(records) == 1 else records


def show_scores(outcomes: Sequence[RunOutcome], store: Store, *, as_json: bool) -> None:
    """Print each SAE's scores; for several SAEs, a table with one line per SAE."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if as_json:
        if len(outcomes) > 1 or not failed:
            print_json(records_as_json(outcomes))
        return
    from csae_bench.comparison.outputs.ending import print_card, print_cards
    from csae_bench.comparison.outputs.sae_cards import card_of_record

    records = [outcome.record for outcome in outcomes if outcome.record is not None]
    cards = [card_of_record(record, store) for record in records]
    if len(outcomes) > 1:
        print_cards(cards, console())
    elif not failed:
        print_card(cards[0], console())


def write_report(store: Store) -> tuple[Path | None, int]:
    """Write the page of the whole results folder, as `compare --html` does.

    Returns:
        Its path, and the number of SAEs in the folder. None for a path where it could not be
        written, which stderr says: a run's results are worth more than their page.
    """
    from csae_bench.comparison.command import CompareRequest, run_compare
    from csae_bench.comparison.outputs.sae_cards import n_saes

    begin(f"writing {store.report}")
    try:
        outcome = run_compare(
            CompareRequest(folder=store.root, outputs={"html": store.report}, details=True)
        )
    except CsaeBenchError as error:
        click.echo(f"note: no report: {printable(str(error))}", err=True)
        return None, 0
    return store.report, n_saes(outcome.report.candidate)


def name_files(outcomes: Sequence[RunOutcome], store: Store, report: Path | None) -> None:
    """Name on stderr the pages, the records and the report."""
    from csae_bench.comparison.outputs.sae_cards import shown_pages
    from csae_bench.results.pages import pages_of

    for outcome in outcomes:
        if outcome.record is not None and outcome.error is None:
            for path in shown_pages(pages_of(outcome.record, store)):
                click.echo(f"page: {printable(str(path))}", err=True)
    for outcome in outcomes:
        if outcome.record_path is not None:
            click.echo(f"record: {printable(str(outcome.record_path))}", err=True)
    if report is not None:
        click.echo(f"report: {printable(str(report))}", err=True)


def name_next_step(outcomes: Sequence[RunOutcome], store: Store, n_saes: int) -> None:
    """Name on stderr the command that a newcomer would run next."""
    folder = shlex.quote(str(store.root))
    bad = [one for one in outcomes if one.exit_code]
    if bad:
        return
    if n_saes > 1:
        step = f"csae-bench compare {folder}"
        why = "which SAE is better, and how certain that is"
    else:
        record = outcomes[0].record
        source = "" if record is None else record.source
        twin = _TWINS.get(source, "pca")
        results = "" if str(store.root) == "results" else f" --results {folder}"
        step = f"csae-bench run --sae {twin}{results}"
        why = "an SAE to compare with"
    click.echo(f"next: {printable(step)}  ({why})", err=True)
