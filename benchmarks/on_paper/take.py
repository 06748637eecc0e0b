"""Take what was measured from results folders into the files that the page of costs reads.

`python -m benchmarks.on_paper.take jobs DIR`, of a local run; `evals DIR`, of a run of one SAE of
16,384 latents on the bundled model; `run DIR --workers N --wall SECONDS`, of a run by N processes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from benchmarks.on_paper.measured import EVALS, JOBS, RUN, eval_costs, job_seconds


@click.command()
@click.argument("what", type=click.Choice(["jobs", "evals", "run"]))
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option("--command", required=True, help="what was run")
@click.option("--workers", type=int, default=2)
@click.option("--wall", type=float, default=0.0, help="seconds from the command's start to its end")
def main(what: str, results: Path, command: str, workers: int, wall: float) -> None:
    """Write the file."""
    if what == "jobs":
        _keep(JOBS, job_seconds(results, command)._asdict())
    elif what == "evals":
        _keep(EVALS, eval_costs(results, command)._asdict())
    else:
        jobs = job_seconds(results, command)._asdict()
        _keep(RUN, {"jobs": jobs, "n_workers": workers, "wall_seconds": wall})


def _keep(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    click.echo(f"wrote {path}")


if __name__ == "__main__":
    main()
