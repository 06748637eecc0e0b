"""The process behind the command line: what it prints, how it ends, what it keeps quiet."""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
import warnings
from typing import Any

import click

from csae_bench.errors import EXIT_FAILED, CsaeBenchError
from csae_bench.printable import printable


class Group(click.Group):
    """Ends every error of ours in its sentence and exit code, and never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CsaeBenchError as error:
            for sentence in str(error).splitlines():
                click.echo(f"error: {printable(sentence)}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            # not click's exit code 1, which means a regression here
            click.echo("error: interrupted; run it again to go on from the last state.", err=True)
            ctx.exit(EXIT_FAILED)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception:
            # a bug of ours: it must be seen, and must not end in Python's 1, a regression here
            click.echo(traceback.format_exc(), err=True)
            click.echo("error: this is a bug in csae-bench; please report it.", err=True)
            ctx.exit(EXIT_FAILED)


def prepare_process() -> None:
    """What must be set before a command imports anything."""
    # Threads that wait by spinning make a busy machine several times slower; torch must not have
    # been imported yet.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _quiet_libraries()
    _replace_what_cannot_be_printed()


def print_json(value: Any) -> None:
    """Strict JSON on stdout: NaN is an error of ours."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def _replace_what_cannot_be_printed() -> None:
    """A name such as café on a terminal that knows ASCII alone is printed as caf\\xe9."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _quiet_libraries() -> None:
    """Keeps the libraries' own chatter off the terminal; CSAE_BENCH_DEBUG=1 lets it through."""
    if os.environ.get("CSAE_BENCH_DEBUG"):
        return
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
