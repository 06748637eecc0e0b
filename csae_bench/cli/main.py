"""The command line: parse, call, print. Results go to stdout, progress to stderr."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from csae_bench import __version__
from csae_bench.cli import completing
from csae_bench.cli.arguments import FilePath
from csae_bench.cli.cache import cache
from csae_bench.cli.completion import completion
from csae_bench.cli.ending import (
    name_files,
    name_next_step,
    records_as_json,
    show_scores,
    write_report,
)
from csae_bench.cli.explain import explain
from csae_bench.cli.init import init
from csae_bench.cli.options import compare_options, run_options
from csae_bench.cli.requests import requests_of
from csae_bench.cli.terminal import (
    Group,
    can_redraw,
    columns,
    console,
    prepare_process,
    print_json,
    shown_path,
)
from csae_bench.errors import EXIT_OK, EXIT_PRECEDENCE, EXIT_USAGE
from csae_bench.support.printable import printable
from csae_bench.support.progress import begin, reported

if TYPE_CHECKING:
    from csae_bench.executors.table import ExecutorSettings
    from csae_bench.runs.run import RunOutcome


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="csae-bench", help="Show the version and exit.")
def main() -> None:
    """Train contrastive sparse autoencoders and evaluate any SAE with SAE-Bench.

    \b
    Examples:
      csae-bench run --sae custom_sae       train an SAE and evaluate it
      csae-bench compare results            which SAE is better, and how sure that is
      csae-bench explain mig.value_mig      what a score means
      csae-bench init my_sae                a configuration of your own
    """
    prepare_process()


for command in (cache, completion, explain, init):
    main.add_command(command)


@main.command()
@run_options
def run(as_json: bool, quiet: bool, **flags: Any) -> None:
    """Train an SAE unless a checkpoint exists, evaluate it, and store the results.

    \b
    Examples:
      csae-bench run --sae custom_sae
      csae-bench run --sae my_sae.yaml --evals core,mig --preset quick
      csae-bench run --sae 'saes/*' --results results/all
    """
    with _announced("run", flags["sources"], quiet=quiet):
        executor = _executor(flags)
        from csae_bench.comparison.live import live_report
        from csae_bench.runs.run import run_all

        requests = requests_of(**flags)
        with live_report(requests[0].store) as live:
            outcomes = run_all(requests, executor=executor, follower=live)
        report, n_saes = write_report(requests[0].store)
    store = requests[0].store
    show_scores(outcomes, store, as_json=as_json)
    if not quiet:
        name_files(outcomes, store, report)
        name_next_step(outcomes, store, n_saes)
    _end(outcomes)


@main.command()
@run_options
def train(as_json: bool, quiet: bool, **flags: Any) -> None:
    """Train an SAE; the last line of stdout is the checkpoint's absolute path.

    \b
    Example:
      csae-bench train --sae topk --set sae.k=32 --seed 1
    """
    with _announced("train", flags["sources"], quiet=quiet):
        executor = _executor(flags)
        from csae_bench.runs.run import run_all

        outcomes = run_all(requests_of(**flags), train_only=True, executor=executor)
    if as_json:
        print_json(records_as_json(outcomes))
    for outcome in outcomes:
        if outcome.checkpoint is not None and outcome.error is None:
            click.echo(shown_path(outcome.checkpoint))
    _end(outcomes)


@main.command()
@run_options
def doctor(as_json: bool, quiet: bool, **flags: Any) -> None:
    """Report what would fail, before it costs anything; no weights are read.

    \b
    Example:
      csae-bench doctor --sae gemma_2_2b
    """
    executor = _executor(flags)
    from csae_bench.runs.plan import plan

    planned = executor.adjusted(plan(executor.prepared(requests_of(**flags))))
    planned = executor.examined(planned)
    if as_json:
        each = [
            {
                "ok": not sae.problems,
                "checks": [vars(check) for check in sae.checks],
                "stages": [vars(stage) for stage in sae.stages],
                "gpus": [vars(gpu) for gpu in sae.gpus],
            }
            for sae in planned.saes
        ]
        of_many = {"ok": not planned.problems, "saes": each}
        print_json(each[0] if len(each) == 1 else of_many)
    else:
        from csae_bench.preflight.table import print_checks

        for sae in planned.saes:
            if len(planned.saes) > 1:
                click.echo(f"{printable(sae.request.source)}:")
            print_checks(sae.checks, sae.stages, console())
    sys.exit(EXIT_USAGE if planned.problems else 0)


@main.command("list")
@click.argument(
    "kind",
    required=False,
    metavar="[evals|saes|models|factors|metrics]",
    shell_complete=completing.kinds,
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_names(kind: str | None, as_json: bool) -> None:
    """List all known evals, SAE configurations, models, factor datasets and metrics.

    \b
    Examples:
      csae-bench list
      csae-bench list evals --json
    """
    from csae_bench.cli.listing import listing, listing_lines

    entries = listing(kind)
    if as_json:
        print_json(entries)
        return
    for line in listing_lines(entries, columns()):
        click.echo(line)


@main.command()
@click.argument("codes", type=FilePath())
@click.argument("factors", type=FilePath())
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def metrics(codes: Path, factors: Path, as_json: bool) -> None:
    """Compute disentanglement metrics of codes and factors read from two files.

    CODES is an .npz with an array "codes" [n, d_sae], an .npz of scipy.sparse.save_npz, or a
    .safetensors with a tensor "codes". FACTORS is a .csv with a header, a column for each factor
    and a line for each sample, or an .npz with "factors" [n, n_factors] and, optionally, "names".
    Row i of both files must be the same sample.

    \b
    Example:
      csae-bench metrics codes.npz factors.csv
    """
    from csae_bench.metrics.files import read_samples
    from csae_bench.metrics.summary import all_metrics

    summary = all_metrics(*read_samples(codes, factors))
    if as_json:
        print_json(summary.to_json())
        return
    from csae_bench.cli.listing import gists
    from csae_bench.metrics.table import print_summary

    print_summary(summary, gists(), console())


@main.command()
@click.argument("folder", metavar="DIR", type=FilePath())
@compare_options
def compare(
    as_json: bool,
    md: Path | None,
    junit: Path | None,
    html: Path | None,
    plots: Path | None,
    **flags: Any,
) -> None:
    """Report what is better, worse or undecided in DIR, with its certainty, and gate CI on it.

    DIR is any folder of SAE-Bench results. Exit codes: 0 success, 1 a regression, 2 wrong usage,
    3 not comparable, 4 a failed or invalid run, 5 a result is missing; if several apply, the first
    of 2, 4, 5, 3, 1 is returned.

    \b
    Examples:
      csae-bench compare results
      csae-bench compare results --html report.html
      csae-bench compare results --baseline results/baseline --fail-on mig.value_mig:ci
    """
    from csae_bench.comparison.command import CompareRequest, run_compare

    outputs = {"md": md, "junit": junit, "html": html, "plots": plots}
    asked = {kind: path for kind, path in outputs.items() if path is not None}
    wants_all = as_json or html is not None
    outcome = run_compare(CompareRequest(outputs=asked, details=wants_all, **flags))
    if as_json:
        from csae_bench.comparison.outputs.as_json import to_json

        print_json(to_json(outcome.report))
    else:
        from csae_bench.comparison.outputs.terminal import print_report

        print_report(outcome.report, console())
    for line in outcome.changes:
        click.echo(f"baseline: {printable(line)}", err=True)
    for path in outcome.written:
        click.echo(f"wrote {printable(str(path))}", err=True)
    sys.exit(outcome.exit_code)


@main.command()
@click.argument("checkpoint", type=FilePath())
@click.option("--to", required=True, type=FilePath(), help="Folder to write; new or empty.")
@click.option("--stock", is_flag=True, help="Write a form that sae_lens loads without csae-bench.")
def export(checkpoint: Path, to: Path, stock: bool) -> None:
    """Write a checkpoint's cfg.json and weights for use elsewhere.

    \b
    Example:
      csae-bench export results/checkpoints/SAE/HASH --to my_sae --stock
    """
    from csae_bench.saes.export import export as export_sae

    click.echo(shown_path(export_sae(checkpoint, to, stock=stock)))


def _executor(flags: dict[str, Any]) -> ExecutorSettings:
    """Take the executor's name and options out of the flags; return its settings."""
    from csae_bench.executors.table import ExecutorOptions, executor_settings

    name = flags.pop("executor")
    options = ExecutorOptions(
        **{field.name: flags.pop(field.name) for field in fields(ExecutorOptions)}
    )
    return executor_settings(name, options)


@contextmanager
def _announced(what: str, sources: Sequence[str], *, quiet: bool) -> Generator[None]:
    """Report progress within; the first line comes before the imports, which take seconds."""
    if quiet:
        yield
        return
    with reported(is_terminal=can_redraw(sys.stderr)):
        begin(f"csae-bench {__version__}: planning to {what} {', '.join(sources)}")
        yield


def _end(outcomes: Sequence[RunOutcome]) -> NoReturn:
    """Print all errors and exit with the first code of the precedence that applies."""
    for outcome in outcomes:
        if outcome.error is not None:
            for sentence in str(outcome.error).splitlines():
                click.echo(f"error: {printable(sentence)}", err=True)
    codes = {outcome.exit_code for outcome in outcomes}
    sys.exit(next((code for code in EXIT_PRECEDENCE if code in codes), EXIT_OK))
