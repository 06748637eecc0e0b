"""`csae-bench cache`: what is kept on disk of a language model's activations, and its removal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from csae_bench.cli.arguments import FilePath, Text
from csae_bench.cli.terminal import print_json, shown_path
from csae_bench.support.printable import printable
from csae_bench.support.sizes import shown_bytes

if TYPE_CHECKING:
    from csae_bench.activations.cache.listing import EntrySummary

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def cache() -> None:
    """List or remove the activations that trainings keep on disk for each other.

    They are kept where a configuration sets activations.cache_gib, in DIR/cache/activations or,
    if CSAE_BENCH_CACHE is set, in the folder activations of the one that it names.

    \b
    Examples:
      csae-bench cache list
      csae-bench cache clear
    """


def _results_option(function: F) -> F:
    return click.option(
        "--results", type=FilePath(), metavar="DIR",
        default=Path("results"), show_default=True,
        help="Folder of results; CSAE_BENCH_CACHE, if set, comes first.",
    )(function)  # fmt: skip


@cache.command("list")
@_results_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_entries(results: Path, as_json: bool) -> None:
    """List the cached activations, the most recently used ones first.

    \b
    Example:
      csae-bench cache list --results results
    """
    from csae_bench.activations.cache.listing import summaries
    from csae_bench.results.store import Store

    root = Store(results).activation_cache
    entries = summaries(root)
    total = sum(entry.n_bytes for entry in entries)
    if as_json:
        listed = [dataclasses.asdict(entry) for entry in entries]
        print_json({"folder": str(root), "n_bytes": total, "entries": listed})
        return
    if not entries:
        click.echo(f"{shown_path(root)}: no activations are cached.")
        return
    click.echo(f"{shown_path(root)}: {shown_bytes(total)}")
    for line in _lines(entries):
        click.echo(line)


@cache.command("clear")
@click.argument("names", nargs=-1, type=Text(), metavar="[NAME...]")
@_results_option
def clear_entries(names: tuple[str, ...], results: Path) -> None:
    """Remove the cached activations called NAME, or all; those in use stay.

    NAME is one of `csae-bench cache list`, or its beginning. What is removed is made again by the
    next training that needs it.

    \b
    Example:
      csae-bench cache clear NAME
    """
    from csae_bench.activations.cache.listing import clear
    from csae_bench.results.store import Store

    cleared = clear(Store(results).activation_cache, names)
    for name in cleared.in_use:
        click.echo(f"{name}: skipped, as another process uses it.", err=True)
    for name in cleared.removed:
        click.echo(f"removed {name}")
    click.echo(f"{len(cleared.removed)} removed, {shown_bytes(cleared.n_bytes)}")


def _lines(entries: Sequence[EntrySummary]) -> Iterator[str]:
    """Yield a line of headings and one for each entry, never wrapped: scripts cut columns."""
    rows = [tuple(_COLUMNS), *(_cells(entry) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (
            cell.rjust(width) if _COLUMNS[name] else cell.ljust(width)
            for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
        )
        yield printable("  ".join(padded).rstrip())


_COLUMNS = {
    "name": False, "model": False, "hook": False, "data": False, "seed": True, "context": True,
    "dtype": False, "rows": True, "size": True, "last used": False,
}  # fmt: skip
"""Heading -> whether the column is of numbers."""


def _cells(entry: EntrySummary) -> tuple[str, ...]:
    used = (entry.last_used or "-").partition("+")[0].replace("T", " ")
    return (
        entry.name,
        "damaged" if entry.is_damaged else entry.model or "-",
        entry.hook_name or "-",
        (entry.dataset or "-") + ("" if entry.kind in (None, "sequences") else f" {entry.kind}"),
        "-" if entry.seed is None else str(entry.seed),
        "-" if entry.context_size is None else str(entry.context_size),
        entry.dtype or "-",
        "-" if entry.n_rows is None else f"{entry.n_rows:,}",
        shown_bytes(entry.n_bytes),
        f"{used}, in use" if entry.is_in_use else used,
    )
