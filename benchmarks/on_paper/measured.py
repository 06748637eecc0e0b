"""What this project measured: figures of a card, and seconds of the jobs of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

README = Path(__file__).parents[1] / "README.md"
JOBS = Path(__file__).with_name("job_seconds.json")
EVALS = Path(__file__).with_name("eval_costs.json")
RUN = Path(__file__).with_name("run_of_two.json")
CARD = "NVIDIA H200"
FACTOR_EVALS = ("mig", "factor_vae", "feature_correlation")
_ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<value>[0-9.]+) \| [^|]+ \|$", re.MULTILINE)


def card_figures(text: str, card: str = CARD) -> dict[str, float]:
    """Return the figures of a card by name, read from the table of benchmarks/README.md.

    Raises:
        ValueError: no card of that name has a table.
    """
    _, heading, rest = text.partition(f"### Measured on an {card}\n")
    if not heading:
        raise ValueError(f"benchmarks/README.md has no section 'Measured on an {card}'.")
    return {row["name"]: float(row["value"]) for row in _ROW.finditer(rest.partition("\n#")[0])}


class JobSeconds(NamedTuple):
    """Seconds that the SAEs of a run took, each its own."""

    command: str
    """What was run."""
    rows: list[str]
    """Of each SAE, what its training reads: SAEs of one name shared their rows."""
    seconds: list[float]
    """Of each SAE: its share of a training side by side, validity and evals."""

    @property
    def relative(self) -> list[float]:
        """Seconds of each in units of their mean."""
        mean = sum(self.seconds) / len(self.seconds)
        return [one / mean for one in self.seconds]


def read_job_seconds(path: Path = JOBS) -> JobSeconds:
    """Read the seconds that were taken from a run's records."""
    return JobSeconds(**json.loads(path.read_text(encoding="utf-8")))


def job_seconds(results: Path, command: str) -> JobSeconds:
    """Take the seconds of each SAE from a folder's run records.

    SAEs that were trained side by side divide the time of the training among them.
    """
    rows, seconds = list[str](), list[float]()
    records = [json.loads(path.read_text(encoding="utf-8"))
               for path in (results / "runs").glob("*.json")]  # fmt: skip
    # the order of a sweep over seeds and k: SAEs next to each other are in one shard
    for record in sorted(records, key=lambda r: (r["config"]["seed"], r["config"]["sae"]["k"])):
        rows.append(f"seed {record['config']['seed']}")
        seconds.append(round(_own_seconds(record), 3))
    return JobSeconds(command, rows, seconds)


class RealRun(NamedTuple):
    """A run by several worker processes, which a replay is compared with."""

    jobs: JobSeconds
    n_workers: int
    wall_seconds: float
    """From the command's start to its end."""


def read_run(path: Path = RUN) -> RealRun:
    """Read what was measured of a run."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    jobs = JobSeconds(**content["jobs"])
    return RealRun(jobs, content["n_workers"], content["wall_seconds"])


class EvalCosts(NamedTuple):
    """Seconds and result files of the evals of one SAE of 16,384 latents, on a CPU."""

    command: str
    """What was run."""
    n_prompts: int
    """Prompts of the factor dataset."""
    seconds: dict[str, float]
    """Of the factor evals, which are computed on a processor everywhere."""
    result_bytes: dict[str, int]
    """Of each result file."""

    @property
    def all_seconds(self) -> float:
        """Seconds of the factor evals together."""
        return sum(self.seconds.values())

    @property
    def all_bytes(self) -> int:
        """Bytes of all result files together."""
        return sum(self.result_bytes.values())


def read_eval_costs(path: Path = EVALS) -> EvalCosts:
    """Read what was taken from a run's results."""
    return EvalCosts(**json.loads(path.read_text(encoding="utf-8")))


def eval_costs(results: Path, command: str) -> EvalCosts:
    """Take them from the folder of a run of one SAE of the bundled model.

    Raises:
        ValueError: the folder holds several SAEs.
    """
    (path,) = (results / "runs").glob("*.json")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    from csae_bench.factors.opening import open_factors

    return EvalCosts(
        command,
        open_factors("tinyworld").n,
        {name: round(cells[name]["wall_seconds"], 1) for name in FACTOR_EVALS},
        {
            name: (results / cell["result"]).stat().st_size
            for name, cell in cells.items()
            if cell["result"]
        },
    )


def _own_seconds(record: Mapping[str, Any]) -> float:
    training = record["training"]
    of_cells = [cell["wall_seconds"] or 0 for name, cell in record["cells"].items()
                if name != "training"]  # fmt: skip
    return training["wall_seconds"] / training["n_side_by_side"] + sum(of_cells)
