"""The options of the commands that have many of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from csae_bench.cli import completing
from csae_bench.cli.arguments import FilePath, NameList, Text
from csae_bench.executors.table import EXECUTORS

F = TypeVar("F", bound=Callable[..., Any])


def run_options(function: F) -> F:
    """Add the options that run, train and doctor share."""
    options = [
        click.option(
            "--sae", "sources", type=Text(), required=True, multiple=True,
            shell_complete=completing.saes,
            metavar="NAME|PATH|RELEASE:ID",
            help="A configuration's name or path, an SAE's folder or file, or a pretrained SAE's "
            "id; * matches folders, or ids of a release. Repeatable: the model runs once for all.",
        ),
        click.option(
            "--sweep", type=FilePath(), metavar="FILE",
            help="YAML with a list of values for each of some keys, as in sae.k: [9, 18]; each "
            "SAE is run with every combination, under the name that --set would give it.",
        ),
        click.option(
            "--model", type=Text(), metavar="NAME|PATH",
            shell_complete=completing.models,
            help="Override the configuration's language model: a name or a local folder.",
        ),
        click.option(
            "--evals", type=NameList(), metavar="A,B|all",
            shell_complete=completing.evals,
            help="Override the configuration's evals: names separated by commas.",
        ),
        click.option(
            "--preset", type=Text(), metavar="quick|published",
            shell_complete=completing.presets,
            help="Settings of the evals: quick, minutes on two cores with each score's noise; "
            "published, those of SAE-Bench's published results. --set goes before them.",
        ),
        click.option(
            "--eval-seeds", type=click.IntRange(1, 1000), metavar="N",
            help="Repeat each eval that draws at random on the same SAE, with N seeds of its own. "
            "Without it 3 times under --preset quick, else once.",
        ),
        click.option(
            "--results", type=FilePath(), metavar="DIR",
            default=Path("results"), show_default=True,
            help="Folder for results, records and checkpoints.",
        ),
        click.option(
            "--seed", type=click.IntRange(0, 2**31 - 1), metavar="N",
            help="Override the configuration's seed.",
        ),
        click.option(
            "--device", type=Text(), metavar="D",
            shell_complete=completing.devices,
            help="Override the configuration's device: auto, cpu, cuda, cuda:1, mps.",
        ),
        click.option(
            "--set", "sets", multiple=True, metavar="KEY=VALUE",
            shell_complete=completing.settings,
            help="Set one key of the configuration, such as sae.d_sae=2048. Repeatable.",
        ),
        click.option(
            "--executor", type=click.Choice(list(EXECUTORS)), default="local",
            show_default=True,
            help="Where the work is done: "
            + "; ".join(f"{name}, {row.summary}" for name, row in EXECUTORS.items()) + ".",
        ),
        click.option(
            "--workers", type=click.IntRange(1, 1024), metavar="N",
            help="Number of workers; without it one for each GPU, or for every two cores.",
        ),
        click.option(
            "--ray-address", type=Text(), metavar="HOST:PORT|auto",
            help="Ray cluster of --executor ray; without it RAY_ADDRESS, or a local one is "
            "started.",
        ),
        click.option(
            "--collect", is_flag=True,
            help="With --executor ray: copy inputs to the nodes and results back, where the "
            "results folder is on no shared disk.",
        ),
        click.option(
            "--force", is_flag=True, help="Train and evaluate again, even if the results exist."
        ),
        click.option(
            "--resume/--no-resume", default=True, show_default=True,
            help="Resume interrupted training from its last checkpoint.",
        ),
        click.option(
            "--quiet", "-q", is_flag=True,
            help="Print no progress, files and hints: results, warnings and errors stay.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def compare_options(function: F) -> F:
    """Add the options of compare."""
    path = FilePath()
    options = [
        click.option(
            "--baseline", type=path, metavar="DIR",
            help="Results to compare with; SAEs are matched by name.",
        ),
        click.option(
            "--against", type=Text(), metavar="NAME",
            help="Compare every SAE in DIR with this one, instead of all pairs.",
        ),
        click.option(
            "--fail-on", multiple=True, metavar="METRIC:RULE",
            help="Exit 1 if METRIC, a name or a glob, breaks RULE. -0.01: it may drop by at most "
            "0.01 (0.01 for a metric that is better when lower: it may rise). ci: it must not be "
            "worse by a paired test. Repeatable.",
        ),
        click.option(
            "--policy", type=path, metavar="FILE",
            help="YAML with alpha, seeds, evals, strict, rules and margins.",
        ),
        click.option(
            "--strict", is_flag=True, help="Exit 3 if a ci rule's verdict is inconclusive."
        ),
        click.option(
            "--allow-mismatch", is_flag=True,
            help="Compare results measured under different conditions; every output says so.",
        ),
        click.option(
            "--update-baseline", is_flag=True,
            help="Write DIR's results into the baseline, and print what changed.",
        ),
        click.option(
            "--metrics", multiple=True, metavar="GLOB",
            shell_complete=completing.metrics,
            help="Show these metrics instead of the main ones: a name or a glob, such as "
            "'sparse_probing.sae_*'. Does not change what rules judge. Repeatable.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables."),
        click.option(
            "--md", type=path, metavar="FILE",
            help="Write a Markdown summary for a pull request or a CI job.",
        ),
        click.option("--junit", type=path, metavar="FILE", help="Write JUnit XML, for CI."),
        click.option(
            "--html", type=path, metavar="FILE", help="Write a self-contained page with figures."
        ),
        click.option(
            "--plots", type=path, metavar="DIR",
            help="Write figures as PNG and SVG into this folder.",
        ),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function
