"""Every error a user can cause, and the exit code it ends in.

CsaeBenchError
├── UsageError            2  a flag, a name or a path is wrong
│   ├── ConfigError       2  a YAML file or --set is wrong; lists every problem at once
│   ├── UnknownNameError  2  a name that no table has
│   ├── ModelError        2  a model that cannot be built from what is there
│   ├── SaeError          2  an SAE that cannot be loaded, or does not fit the model
│   ├── DataError         2  a dataset that is missing, empty or malformed
│   └── PluginError       2  an installed package whose eval or dataset cannot be imported
├── PreflightError        2  what would fail, found before it cost anything
├── RunError              4  a run that started and did not end well
│   ├── TrainingError     4  non-finite loss, no pairs, a term without gradient
│   └── EvalError         4  an eval that raised or left no result
└── ResultError           4  a result or record that cannot be read or written
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

EXIT_OK = 0
EXIT_REGRESSION = 1
EXIT_USAGE = 2
EXIT_INCOMPARABLE = 3
EXIT_FAILED = 4
EXIT_MISSING = 5

EXIT_PRECEDENCE = (EXIT_USAGE, EXIT_FAILED, EXIT_MISSING, EXIT_INCOMPARABLE, EXIT_REGRESSION)
"""Precedence of the exit codes: if several apply, the first of these is returned."""


class CsaeBenchError(Exception):
    """Root of every error csae-bench raises on purpose; its text is meant for the user."""

    exit_code: int = EXIT_FAILED


class UsageError(CsaeBenchError):
    """A flag, a name or a path is wrong."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """A configuration is wrong; `problems` holds one sentence for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class UnknownNameError(UsageError):
    """A name that a table does not have; the message suggests the nearest one."""

    def __init__(self, kind: str, name: str, available: Iterable[str]) -> None:
        self.name = name
        self.available = sorted(set(available))
        super().__init__(
            f"Unknown {kind} '{name}'.{did_you_mean(name, self.available)} "
            f"Available: {', '.join(self.available) or 'none'}."
        )


class ModelError(UsageError):
    """A model that cannot be built from what is there."""


class SaeError(UsageError):
    """An SAE that cannot be loaded, or does not fit its model."""


class DataError(UsageError):
    """A dataset that is missing, empty or malformed."""


class PluginError(UsageError):
    """An installed package whose eval or factor dataset cannot be imported."""


class PreflightError(CsaeBenchError):
    """Problems found by preflight, before they cost anything."""

    exit_code = EXIT_USAGE

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class RunError(CsaeBenchError):
    """A run that started but failed."""


class TrainingError(RunError):
    """Training stopped: a non-finite loss, no pairs, or a term without gradient."""


class TrainingStopped(TrainingError):
    """SIGTERM: the state is saved, and nothing else is begun."""


class EvalError(RunError):
    """An eval raised, or ended without leaving a result."""


class ResultError(CsaeBenchError):
    """A result or record that cannot be read or written."""


def reason_of(error: BaseException) -> str:
    """Return the reason in words, without an error number, a path or a full stop at the end."""
    if isinstance(error, UnicodeDecodeError):
        return f"Is not UTF-8 text, from byte {error.start} on"
    if isinstance(error, RecursionError):
        return "Is nested too deep"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip() or type(error).__name__
    if isinstance(error, ValueError) and text.startswith("Exceeds the limit"):
        return "Holds a number of too many digits"
    return text.rstrip(".")


def did_you_mean(name: str, available: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the nearest available name, or the empty string."""
    nearest = difflib.get_close_matches(name, list(available), n=1, cutoff=0.6)
    return f" Did you mean '{nearest[0]}'?" if nearest else ""
