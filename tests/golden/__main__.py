"""`python -m tests.golden`: show which golden numbers differ, and renew them with `--write`."""

from __future__ import annotations

import sys

import click

from tests.golden.files import GoldenFileError, write
from tests.golden.parts import file_names
from tests.golden.renewal import renew


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(file_names()))
@click.option("--write", "writes", is_flag=True, help="Write the files that differ.")
def main(names: tuple[str, ...], writes: bool) -> None:
    """Measure golden numbers anew: of the files NAMES, or of all.

    Each number that differs is shown as `old -> new (relative)`. Exit code 0: nothing differs, or
    it was written; 1: something differs; 2: a file was edited by hand, or its numbers changed and
    the version that they belong to did not.
    """
    code = 0
    for name in names or file_names():
        try:
            renewal = renew(name)
        except GoldenFileError as error:
            click.echo(str(error), err=True)
            code = 2
            continue
        for line in renewal.lines():
            click.echo(line)
        if not renewal.is_due:
            continue
        if renewal.refusal is not None:
            click.echo(f"Not to be written: {renewal.refusal}", err=True)
            code = 2
        elif writes:
            write(name, renewal.new)
            click.echo(f"{name}.json: written")
        else:
            code = max(code, 1)
    sys.exit(code)


if __name__ == "__main__":
    main()
