"""docs/cost.md: what 1,000 SAEs on Gemma-2-2B cost on 1, 8 and 64 H100s, on paper and replayed.

Every number is computed here from benchmarks/README.md's figures of one H200, counted operations,
published rates, and the assumptions of `benchmarks.on_paper.cost`; `--set name=value` changes one
of those. The replay gives the shards of the executors'
own sharding to N workers, with the spread of job times that a run recorded.

`python -m benchmarks.on_paper.take` renews the seconds of jobs, evals and a run that are read here.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmarks.on_gpu.evaluation import PUBLISHED
from benchmarks.on_paper.cost import (
    BF16_PEAK,
    CONTEXT,
    H100_BANDWIDTH,
    H200_BANDWIDTH,
    MEASURED_WIDTH,
    SLOW,
    Assumptions,
    Bytes,
    Cost,
    Part,
    core_parts,
    cost,
    factor_parts,
    sizes,
    training_parts,
)
from benchmarks.on_paper.measured import (
    CARD,
    README,
    EvalCosts,
    JobSeconds,
    RealRun,
    card_figures,
    read_eval_costs,
    read_job_seconds,
    read_run,
)
from benchmarks.on_paper.replay import (
    Estimate,
    Replay,
    Sharding,
    estimate,
    replay,
    sharding_by_need,
    sharding_of_the_executors,
)
from benchmarks.operations import Operations, operations_of_shape
from experiments.pages import write_page

MODEL, CONFIG, LAYER = "google/gemma-2-2b", "gemma_2_2b_16k", 19
WIDTHS = {"16k": 16384, "65k": 65536}
N_WORKERS = (1, 8, 64)
PAGE = Path("docs/cost.md")


class Row(NamedTuple):
    """A run on N cards."""

    n_workers: int
    fast: Replay
    slow: Replay
    estimate: Estimate
    """At the fast end, of equal SAEs."""
    spread: Replay
    """At the fast end, of SAEs that differ as those of the recorded run."""
    by_need: Replay
    """As `spread`, with groups divided only as far as needed."""

    def off(self, seconds: float) -> float:
        """Return an estimate's difference from the replay of SAEs that differ, relative."""
        return seconds / self.spread.seconds - 1

    @property
    def rounds_off(self) -> float:
        """Return that of the estimate by rounds."""
        return self.off(self.estimate.rounds)

    @property
    def with_last_off(self) -> float:
        """Return that of even division and the last shard."""
        return self.off(self.estimate.with_last)


class Scenario(NamedTuple):
    """What is done with SAEs of one width."""

    name: str
    width: str
    parts: list[Part]
    rows: list[Row]
    own: Cost
    """At the fast end."""

    @property
    def metric_seconds(self) -> float:
        """Seconds of an SAE on a processor alone."""
        return sum(part.fast for part in self.parts if not (part.is_on_card or part.is_shared))


@click.command()
@click.option("--to", type=click.Path(path_type=Path), default=PAGE)
@click.option("--set", "sets", multiple=True, help="assumption=value")
def main(to: Path, sets: tuple[str, ...]) -> None:
    """Write the page."""
    write_page(Path(__file__).with_suffix(".md.j2"), to, **page_values(sets))


def page_values(sets: tuple[str, ...] = ()) -> dict[str, Any]:
    """Compute all that the page shows."""
    assumed = _assumed(sets)
    figures = card_figures(README.read_text(encoding="utf-8"))
    jobs, evals = read_job_seconds(), read_eval_costs()
    scenarios = [_scenario(name, width, assumed, figures, jobs, evals)
                 for width in WIDTHS for name in ("train and evaluate", "evaluate")]  # fmt: skip
    return {
        "assumed": assumed,
        "assumptions": _described(assumed),
        "scenarios": scenarios,
        "bytes": {width: _bytes(assumed, d_sae, evals) for width, d_sae in WIDTHS.items()},
        "side_by_side": {width: _fitting(d_sae) for width, d_sae in WIDTHS.items()},
        "operations": _counted(MEASURED_WIDTH),
        "figures": figures,
        "jobs": jobs,
        "evals": evals,
        "n_prompts": _prompts(),
        "run": (run := read_run()),
        "replayed": replayed(run),
        "published": PUBLISHED,
        "card": CARD,
        "peak": BF16_PEAK,
        "bandwidths": (H100_BANDWIDTH, H200_BANDWIDTH),
        "slow": SLOW,
        "n_workers": N_WORKERS,
    }


def _assumed(sets: tuple[str, ...]) -> Assumptions:
    assumed = Assumptions()
    kinds = {field.name: type(getattr(assumed, field.name)) for field in fields(assumed)}
    for one in sets:
        name, _, value = one.partition("=")
        if name not in kinds:
            raise click.UsageError(f"Unknown assumption '{name}'. Known: {', '.join(kinds)}.")
        assumed = replace(assumed, **{name: kinds[name](value)})
    return assumed


def _scenario(name: str, width: str, assumed: Assumptions, figures: dict[str, float],
              jobs: JobSeconds, evals: EvalCosts) -> Scenario:  # fmt: skip
    d_sae = WIDTHS[width]
    training = training_parts(figures, _counted(d_sae), assumed, width)
    of_model = training_parts(figures, _counted(MEASURED_WIDTH), assumed, "16k")[0]
    parts = core_parts(figures, _counted(MEASURED_WIDTH), of_model.share, d_sae)
    parts += factor_parts(figures, evals.all_seconds * _prompts() / evals.n_prompts, d_sae)
    is_trained = name != "evaluate"
    if is_trained:
        parts = training + parts
    # SAEs that are not trained share a model and a hook: one group
    n_groups = assumed.n_groups if is_trained else 1
    rows = [f"group {place % n_groups}" for place in range(assumed.n_saes)]
    fitting = _fitting(d_sae)
    costs = {speed: cost(parts, assumed, speed, fitting) for speed in ("fast", "slow")}
    fast = costs["fast"]
    drawing = (fast.drawing + fast.shared + fast.start) / fast.own
    runs = [_row(n, rows, costs, jobs.relative, drawing) for n in N_WORKERS]
    return Scenario(name, width, parts, runs, fast)


def _row(n: int, rows: list[str], costs: dict[str, Cost], relative: list[float],
         drawing: float) -> Row:  # fmt: skip
    spread = [relative[place % len(relative)] for place in range(len(rows))]
    equal = [1.0] * len(rows)

    def seconds(sharding: Sharding, speed: str, own: list[float]) -> list[float]:
        return [costs[speed].of_shard([own[place] for place in part]) for part in sharding(rows, n)]

    fast = seconds(sharding_of_the_executors, "fast", equal)
    by_need = partial(sharding_by_need, drawing=drawing)
    return Row(
        n_workers=n,
        fast=replay(fast, n),
        slow=replay(seconds(sharding_of_the_executors, "slow", equal), n),
        estimate=estimate(fast, n),
        spread=replay(seconds(sharding_of_the_executors, "fast", spread), n),
        by_need=replay(seconds(by_need, "fast", spread), n),
    )


def _prompts() -> int:
    """Return the number of prompts of the factor dataset that Gemma's SAEs are judged on."""
    from csae_bench.factors.opening import AUTO, chosen_factors, open_factors

    return open_factors(chosen_factors(AUTO, MODEL)).n


def replayed(run: RealRun) -> Replay:
    """Replay a real run's own job times, with the executors' sharding."""
    parts = sharding_of_the_executors(run.jobs.rows, run.n_workers)
    seconds = [sum(run.jobs.seconds[place] for place in part) for part in parts]
    return replay(seconds, run.n_workers)


def _counted(d_sae: int) -> Operations:
    from csae_bench.models.description import model_shape
    from csae_bench.models.names import resolve

    return operations_of_shape(model_shape(resolve(MODEL)), LAYER, CONTEXT, d_sae)


def _fitting(d_sae: int) -> int:
    """Return how many trainings fit an H100 side by side, as `training_groups` decides it."""
    from csae_bench import models
    from csae_bench.config.loading import load_config
    from csae_bench.hardware import memory
    from csae_bench.hardware.gpus import GPUS
    from csae_bench.runs.training_groups import SHARE_OF_FREE_MEMORY

    config = load_config(
        CONFIG, sets=(f"sae.d_sae={d_sae}",), model=None, seed=None, device=None, evals=None
    )
    parts = memory.estimate(
        config.config, models.describe(MODEL), eval_batch=0, eval_context=0
    ).training
    (card,) = (gpu for gpu in GPUS if gpu.name == "H100")
    free = SHARE_OF_FREE_MEMORY * card.memory_gib * memory.GIB - sum(parts.values())
    return 1 + int(free // sum(parts[name] for name in memory.OF_EACH_SAE))


def _bytes(assumed: Assumptions, d_sae: int, evals: EvalCosts) -> Bytes:
    from csae_bench import models
    from csae_bench.models.description import model_shape
    from csae_bench.models.names import resolve

    shape = model_shape(resolve(MODEL))
    n_parameters = models.describe(MODEL).n_parameters
    return sizes(shape, n_parameters, assumed, d_sae, evals.all_bytes)


def _described(assumed: Assumptions) -> list[tuple[str, str, str]]:
    """Return each assumption with its value and its docstring."""
    import ast
    import inspect

    body = ast.parse(inspect.getsource(Assumptions)).body[0]
    assert isinstance(body, ast.ClassDef)
    described: list[tuple[str, str, str]] = []
    for field, text in zip(body.body[1:], body.body[2:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            words = ast.literal_eval(text.value) if isinstance(text, ast.Expr) else ""
            value = getattr(assumed, field.target.id)
            described.append((field.target.id, f"{value:,}", words))
    return described


if __name__ == "__main__":
    main()
