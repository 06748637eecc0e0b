"""What the command line says, and how it refuses."""

from __future__ import annotations

import re

from click.testing import Result


def said(outcome: Result) -> str:
    """Everything on the terminal, on one line."""
    return re.sub(r"\s+", " ", outcome.stdout + outcome.stderr)


def check_refused(outcome: Result, pattern: str) -> None:
    text = said(outcome)
    assert outcome.exit_code == 2, text
    assert re.search(pattern, text), text
    for sign in ("Traceback", "this is a bug", "Errno"):
        assert sign not in text, text
