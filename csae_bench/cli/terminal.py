"""Output, exit codes and warnings of the command line's process."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from typing_extensions import override

from csae_bench.cli.streams import Streams, outlive_readers
from csae_bench.errors import EXIT_FAILED, EXIT_USAGE, CsaeBenchError, reason_of
from csae_bench.support.allocation import keep_freed_memory
from csae_bench.support.notices import Notice
from csae_bench.support.old_names import OldNameWarning
from csae_bench.support.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

COMPLETE = "_CSAE_BENCH_COMPLETE"
"""Environment variable in which a shell asks for completions; click derives it from the name."""
_STATE_OF_THE_MACHINE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE,
    errno.ENFILE, errno.ESTALE, errno.EFBIG, errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip
"""System errors that no check can rule out, such as a full disk."""


class Group(click.Group):
    """Command group that reports our own errors as a message and exit code, never a traceback."""

    @override
    def main(self, *args: Any, **extra: Any) -> Any:
        streams = outlive_readers()
        if COMPLETE in os.environ:
            from csae_bench.cli.shells import register_shells

            register_shells()
        try:
            return super().main(*args, **extra)
        except SystemExit as end:
            raise SystemExit(_exit_code(streams, end.code)) from None
        finally:
            streams.restore()

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CsaeBenchError as error:
            for sentence in str(error).splitlines():
                click.echo(f"error: {printable(sentence)}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            # not click's exit code 1, which means a regression here
            click.echo(
                "error: interrupted; run it again to resume from the last checkpoint.", err=True
            )
            ctx.exit(EXIT_FAILED)
        except click.ClickException as error:
            setattr(error, "message", printable(error.message))  # noqa: B010 (Final in click)
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # nothing leaves the command line as a bare traceback
            sentence = _not_our_fault(error)
            if sentence is not None and not os.environ.get("CSAE_BENCH_DEBUG"):
                click.echo(f"error: {printable(sentence)}", err=True)
                ctx.exit(EXIT_FAILED)
            # a bug of ours: it must be seen, and must not end in Python's 1, a regression here
            click.echo(traceback.format_exc(), err=True)
            click.echo("error: this is a bug in csae-bench; please report it.", err=True)
            ctx.exit(EXIT_FAILED)


def prepare_process() -> None:
    """Set up the process before a command imports anything."""
    # Threads that wait by spinning make a busy machine several times slower; torch must not have
    # been imported yet.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()
    _quiet_libraries()
    _replace_what_cannot_be_printed()


def console() -> Console:
    """Create the console for tables, without emoji codes: `cuda:-1:` is printed unchanged.

    It obeys NO_COLOR, FORCE_COLOR and TERM=dumb.
    """
    from rich.console import Console

    return Console(emoji=False)


def can_redraw(stream: TextIO) -> bool:
    """Return whether a line on the stream can be erased: no file, and no terminal without codes."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def columns() -> int | None:
    """Return the terminal's width or the value of COLUMNS; None if stdout is a file or pipe."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and 0 < len(asked) < 6 and int(asked) > 0:
        return int(asked)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def shown_path(path: Path) -> str:
    """Return a path as text: exact in a script, without control characters on a terminal."""
    return printable(str(path)) if sys.stdout.isatty() else str(path)


def print_json(value: Any) -> None:
    """Print strict JSON on stdout; NaN raises, as it would be a bug of ours."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def _exit_code(streams: Streams, code: Any) -> Any:
    """Return the command's own exit code, or 4 if its output could not be written."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if streams.failure is None:
        return code
    click.echo(f"error: stdout cannot be written: {streams.failure}.", err=True)
    return code if code == EXIT_USAGE else EXIT_FAILED


def _not_our_fault(error: Exception) -> str | None:
    """Return a message for an error caused by the machine; None for what may be our bug."""
    if isinstance(error, MemoryError):
        return "memory ran out. Free some, or ask for less, and run it again."
    if isinstance(error, OSError) and error.errno in _STATE_OF_THE_MACHINE:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{reason_of(error)}."
    return None


def _replace_what_cannot_be_printed() -> None:
    """Escape characters that the terminal cannot print: café becomes caf\\xe9 on ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning that is meant for the user as one sentence, others as Python does."""
    if issubclass(category, OldNameWarning | Notice):
        click.echo(f"note: {printable(str(message))}", err=True)
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        click.echo(text, err=True, nl=False)


def _quiet_libraries() -> None:
    """Suppress the libraries' messages; CSAE_BENCH_DEBUG=1 shows them."""
    if os.environ.get("CSAE_BENCH_DEBUG"):
        return
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("default", category=OldNameWarning)
    warnings.showwarning = _show_warning
