"""An exception as a record keeps it."""

from __future__ import annotations

import traceback
from pathlib import Path

from csae_bench.errors import CsaeBenchError
from csae_bench.results.schema import Failure

TRACEBACK_FILE = "traceback.txt"


def failure_of(error: BaseException, folder: Path | None) -> Failure:
    """Return class and message of an error.

    Of one that is not ours the traceback goes to a file of `folder`, where there is a folder, and
    the message names it.
    """
    message = _message(error)
    is_foreign = isinstance(error, Exception) and not isinstance(error, CsaeBenchError)
    if is_foreign and folder is not None:
        path = folder / TRACEBACK_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        except OSError:  # the disk may be what is wrong
            return Failure(kind=type(error).__name__, message=message)
        message += f" (where: {path})"
    return Failure(kind=type(error).__name__, message=message)


def _message(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "interrupted"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return str(error) or "no message"
