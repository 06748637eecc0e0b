"""What an oracle and a random dictionary score on every eval, and whether it tells them apart.

A line of experiments/results/controls.jsonl has the headline of one eval of one SAE.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from csae_bench.comparison.model import Reading, ResultSet
from csae_bench.comparison.outputs.scores import ShownScore, scores_of
from csae_bench.comparison.reading.folder import read_results
from csae_bench.evals.pages import PAGES
from csae_bench.results.store import read_json

LINES = Path("experiments/results/controls.jsonl")
RESULTS = Path("results/controls")

_Z = 1.96


class World(NamedTuple):
    """A ceiling and a control on the same activations."""

    title: str
    oracle: str
    random: str
    """Configurations."""


WORLDS = (
    World("tinyworld", "oracle_tinyworld", "random"),
    World("English on SmolLM2", "oracle_english", "random_english"),
    World("synthetic, without a model", "oracle", "random_synthetic"),
)


class Verdict(NamedTuple):
    """Whether an eval tells the oracle from the random dictionary in one world."""

    score: str
    oracle: str
    random: str
    verdict: str


def measure(world: World) -> None:
    """Run all evals on both SAEs of a world and add the lines, in place of earlier ones."""
    saes = ["--sae", world.oracle, "--sae", world.random]
    command = ["run", *saes, "--evals", "all", "--preset", "quick", "--results", str(RESULTS)]
    # an eval that fails has a cell in the record, and so a line
    subprocess.run([sys.executable, "-m", "csae_bench.cli", *command], check=False)
    names = {world.oracle, world.random}
    kept = [line for line in lines() if line["sae"] not in names]
    new = [line for line in lines_of(read_results(RESULTS)) if line["sae"] in names]
    text = "".join(json.dumps(line) + "\n" for line in (*kept, *new))
    LINES.parent.mkdir(parents=True, exist_ok=True)
    LINES.write_text(text, encoding="utf-8")


def lines() -> list[dict[str, Any]]:
    """Return the lines that there are."""
    if not LINES.is_file():
        return []
    return [json.loads(line) for line in LINES.read_text(encoding="utf-8").splitlines()]


def lines_of(results: ResultSet) -> Iterator[dict[str, Any]]:
    """Yield a line for each eval of each SAE: its first score, or why there is none."""
    for run in results.runs:
        cells: Mapping[str, Any] = (read_json(run.path) or {})["cells"]
        readings = {r.eval_name: r for r in results.readings if r.sae_id == run.sae_id}
        for name in sorted(PAGES.shipped):
            if name in readings:
                yield {"sae": run.sae_id, "eval": name, **_scored(readings[name])}
            elif name in cells:
                why = "; ".join(reason["message"] for reason in cells[name]["reasons"])
                yield {"sae": run.sae_id, "eval": name, "status": cells[name]["status"], "why": why}


def verdicts(eval_name: str, of_lines: Sequence[Mapping[str, Any]], world: World) -> Verdict | None:
    """Compare the two SAEs on an eval's first score; None if nothing was measured."""
    of_eval = {line["sae"]: line for line in of_lines if line["eval"] == eval_name}
    pair = [of_eval.get(name) for name in (world.oracle, world.random)]
    if None in pair:
        return None
    oracle, random = (line for line in pair if line is not None)
    for line in (oracle, random):
        if line["status"] != "ok" or line["value"] is None:
            return Verdict("", _shown(oracle), _shown(random), f"no: {line['why']}")
    return Verdict(oracle["score"], _shown(oracle), _shown(random), _verdict(oracle, random))


def _verdict(oracle: Mapping[str, Any], random: Mapping[str, Any]) -> str:
    """Return `yes` where they differ beyond the eval's seeds and their intervals do not meet."""
    difference = oracle["value"] - random["value"]
    better = difference if oracle["better"] != "lower" else -difference
    noise = _Z * math.hypot(*(line["sd"] / math.sqrt(line["n"]) for line in (oracle, random)))
    intervals = [line["interval"] for line in (oracle, random) if line["interval"]]
    meet = len(intervals) == 2 and (
        min(high for _, high in intervals) >= max(low for low, _ in intervals)
    )
    if abs(difference) <= noise or meet:
        return "no: within its noise"
    return "yes" if better > 0 else "no: random is better"


def _scored(reading: Reading) -> dict[str, Any]:
    score: ShownScore = scores_of(reading)[0]
    better = "lower" if "lower is better" in score.scale else "higher"
    return {
        "status": "ok",
        "why": score.reason,
        "score": score.title,
        "value": score.value,
        "sd": score.sd_of_eval or 0.0,
        "n": reading.n_repetitions,
        "interval": score.interval,
        "better": better,
    }


def _shown(line: Mapping[str, Any]) -> str:
    if line["status"] != "ok" or line["value"] is None:
        return line["status"] if line["status"] != "ok" else "undefined"
    text = f"{line['value']:.3f}"
    if line["interval"]:
        low, high = line["interval"]
        text += f" [{low:.3f}, {high:.3f}]"
    return text + (f" ±{line['sd']:.3f}" if line["n"] > 1 else "")
