"""The options of the commands that have many of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from csae_bench.cli.arguments import FilePath, Names, Text

F = TypeVar("F", bound=Callable[..., Any])


def run_options(function: F) -> F:
    """The flags that run, train and doctor share."""
    options = [
        click.option(
            "--sae", "sources", type=Text(), required=True, multiple=True,
            metavar="NAME|PATH|RELEASE:ID",
            help="A configuration's name or path, a checkpoint folder, or a pretrained SAE's id; "
            "* matches folders, or ids of a release. Repeatable: the model runs once for all.",
        ),
        click.option(
            "--model", type=Text(), metavar="NAME|PATH",
            help="Language model, instead of the configuration's: a name or a local folder.",
        ),
        click.option(
            "--evals", type=Names(), metavar="A,B|all",
            help="Evals to run, instead of the configuration's, separated by commas.",
        ),
        click.option(
            "--results", type=FilePath(), metavar="DIR",
            default=Path("results"), show_default=True,
            help="Folder for results, records and checkpoints.",
        ),
        click.option(
            "--seed", type=click.IntRange(0, 2**31 - 1), metavar="N",
            help="Seed, instead of the configuration's.",
        ),
        click.option(
            "--device", type=Text(), metavar="D",
            help="Device, instead of the configuration's: auto, cpu, cuda, cuda:1, mps.",
        ),
        click.option(
            "--set", "sets", multiple=True, metavar="KEY=VALUE",
            help="Set one key of the configuration, such as sae.d_sae=2048. Repeatable.",
        ),
        click.option(
            "--force", is_flag=True, help="Train and evaluate again, whatever is there already."
        ),
        click.option(
            "--resume/--no-resume", default=True, show_default=True,
            help="Go on from the last saved state of a training that was interrupted.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def compare_options(function: F) -> F:
    """The flags of compare."""
    path = FilePath()
    options = [
        click.option(
            "--baseline", type=path, metavar="DIR",
            help="Results to compare with, SAEs of the same name with each other.",
        ),
        click.option(
            "--against", type=Text(), metavar="NAME",
            help="Compare all SAEs of DIR with this one of them, instead of each with each.",
        ),
        click.option(
            "--fail-on", multiple=True, metavar="METRIC:RULE",
            help="Exit 1 where METRIC, a name or a glob, breaks the rule: -0.01, it may drop by "
            "at most 0.01 (0.01 for one that is better when lower: it may rise); ci, it must not "
            "be worse by a paired test. Repeatable.",
        ),
        click.option(
            "--policy", type=path, metavar="FILE",
            help="YAML with alpha, seeds, evals, strict, rules and margins.",
        ),
        click.option(
            "--strict", is_flag=True, help="An inconclusive verdict does not pass ci: exit 3."
        ),
        click.option(
            "--allow-mismatch", is_flag=True,
            help="Compare what was measured under different conditions; every output says so.",
        ),
        click.option(
            "--update-baseline", is_flag=True,
            help="Write DIR's results into the baseline, and print what changed.",
        ),
        click.option(
            "--metrics", multiple=True, metavar="GLOB",
            help="Show these metrics, instead of those that say most: a name or a glob, such as "
            "'sparse_probing.sae_*'. Rules judge all the same. Repeatable.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables."),
        click.option(
            "--md", type=path, metavar="FILE",
            help="Write Markdown, for a pull request or a job's summary.",
        ),
        click.option("--junit", type=path, metavar="FILE", help="Write JUnit XML, for CI."),
        click.option(
            "--html", type=path, metavar="FILE", help="Write one self-contained page with figures."
        ),
        click.option(
            "--plots", type=path, metavar="DIR",
            help="Write figures as PNG and SVG into this folder.",
        ),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function
