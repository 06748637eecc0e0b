"""How far a run is, as a page of results that are not complete says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

RELOAD_SECONDS = 5
"""Time after which a page of an unfinished run loads itself again."""

SILENCE_SECONDS = 90
"""Time without a sign of the run after which its page stops to reload: it was killed."""


@dataclass(frozen=True, kw_only=True)
class LiveState:
    """State of a run when its page was written."""

    started: str
    """UTC, ISO 8601."""
    n_done: int
    n_steps: int
    """Steps of all SAEs: trainings, checks of validity, evals."""
    now: str
    """What is being done, in words; may be empty."""
    written_ms: int
    """Milliseconds since 1970."""
    reload_seconds: int = RELOAD_SECONDS
    silence_seconds: int = SILENCE_SECONDS

    @property
    def written(self) -> str:
        """The same in UTC, ISO 8601."""
        return datetime.fromtimestamp(self.written_ms / 1000, UTC).isoformat(timespec="seconds")
