"""Statuses and texts of others in tables."""

from __future__ import annotations

from rich.markup import escape

from csae_bench.support.printable import printable

STATUS_STYLES = {
    "ok": "green",
    "skipped": "dim",
    "failed": "bold red",
    "invalid": "bold red",
    "problem": "bold red",
    "unknown": "yellow",
}


def styled(status: str) -> str:
    """Return a status in its colour, as rich markup."""
    return f"[{STATUS_STYLES[status]}]{status}[/]"


def plain(text: str) -> str:
    """Return text of others without rich's markup or control characters."""
    return escape(printable(text))
