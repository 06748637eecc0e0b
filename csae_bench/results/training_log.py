"""The last line of a training log, for whoever only shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast


def last_line(log: Path) -> dict[str, Any]:
    """Return the last whole line of a training log; empty if there is none."""
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        try:
            line_content = json.loads(line)
        except ValueError:  # the line that a kill cut short
            continue
        return dict(cast(Mapping[str, Any], line_content)) if isinstance(line_content, dict) else {}
    return {}
