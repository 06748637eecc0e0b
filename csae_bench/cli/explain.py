"""`csae-bench explain`: what a score is, its range, and when not to trust it."""

from __future__ import annotations

import dataclasses

import click

from csae_bench.cli import completing
from csae_bench.cli.arguments import Text
from csae_bench.cli.terminal import console, print_json


@click.command()
@click.argument("metric", type=Text(), metavar="METRIC", shell_complete=completing.metrics)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def explain(metric: str, as_json: bool) -> None:
    """Say what a score is, its range, what it hides, and when not to trust it.

    METRIC is an eval, as mig; a metric, as mig.value_mig; or a metric's bare name, where one eval
    alone has it.

    \b
    Examples:
      csae-bench explain mig.value_mig
      csae-bench explain core
    """
    from csae_bench.comparison.metric_names import resolve
    from csae_bench.comparison.outputs.explanation import explain as explained

    told = explained(resolve(metric))
    if as_json:
        print_json(dataclasses.asdict(told))
        return
    from csae_bench.comparison.outputs.explained import print_explanation

    print_explanation(told, console())
