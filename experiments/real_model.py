"""docs/real_model.md out of the results of `make real`: both SAEs on SmolLM2, side by side.

Every number is read from results/real, but for the texts of the most telling latents, which the
model reads again. The words between the tables are those of real_model.md.j2; what they claim of a
number stands next to it in a table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    import torch

SAES = ("smollm2", "smollm2_batchtopk")
EVALS = ("core", "sparse_probing_sae_probes", "mig", "factor_vae", "feature_correlation",
         "factor_probing")  # fmt: skip
N_TELLING = 10
N_TEXTS = 3
N_WINDOWS = 512
"""Windows of running text that are read for the texts of latents: 65,536 tokens."""
N_AROUND = 8
"""Tokens shown before the one at which a latent's code is largest."""


class Cell(NamedTuple):
    """A score of an SAE."""

    value: float | None
    low: float | None = None
    high: float | None = None
    null: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        text = f"{self.value:.3f}"
        if self.low is not None and self.high is not None:
            text += f" [{self.low:.3f}, {self.high:.3f}]"
        return text


class Row(NamedTuple):
    """A score of both SAEs."""

    eval_name: str
    title: str
    cells: tuple[Cell, ...]


class Telling(NamedTuple):
    """A latent that stands for a value of a factor."""

    latent: int
    factor: str
    value: str
    information: float
    """Share of the value's entropy, 0 to 1."""
    texts: list[str]
    """Running text up to the tokens of its largest codes, each of another window."""


class Step(NamedTuple):
    """A step of `make real`."""

    name: str
    seconds: float


@click.command()
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/real"))
@click.option("--to", type=click.Path(path_type=Path), default=Path("docs/real_model.md"))
def main(results: Path, to: Path) -> None:
    """Write the page, and print the share of each step."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    records = {name: _record(results, name) for name in SAES}
    steps = list(_steps(records))
    total = sum(step.seconds for step in steps)
    for step in steps:
        click.echo(f"{step.name:<45} {step.seconds / 60:5.1f} min  {step.seconds / total:4.0%}")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - the page is Markdown
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("real_model.md.j2").render(
        saes=SAES,
        records=records,
        logs={name: _last_line_of_log(results, record) for name, record in records.items()},
        rows=list(_rows(results)),
        probing=_by_dataset(results),
        telling=_telling(results, records),
        steps=steps,
        total=total,
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(page, encoding="utf-8")
    click.echo(f"wrote {to}")


def _record(results: Path, name: str) -> dict[str, Any]:
    paths = [
        path
        for path in sorted((results / "runs").glob("*.json"))
        if json.loads(path.read_text(encoding="utf-8"))["sae_id"] == name
    ]
    if not paths:
        raise click.ClickException(f"{results} holds no run of {name}; run make real.")
    return json.loads(paths[0].read_text(encoding="utf-8"))


def _result(results: Path, eval_name: str, sae: str) -> dict[str, Any]:
    path = next((results / eval_name).glob(f"*_sae_{sae}_eval_results.json"), None)
    if path is None:
        raise click.ClickException(f"{results} holds no {eval_name} of {sae}; run make real.")
    return json.loads(path.read_text(encoding="utf-8"))


def _last_line_of_log(results: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    lines = (results / record["training"]["training_log"]).read_text(encoding="utf-8").splitlines()
    return json.loads(lines[-1])


def _steps(records: Mapping[str, Mapping[str, Any]]) -> Iterator[Step]:
    """Yield the trainings, which went side by side and count once, then each eval of both."""
    trainings = [record["training"]["wall_seconds"] for record in records.values()]
    yield Step("both trainings, side by side", max(trainings))
    for eval_name in ("validity", *EVALS):
        cells = [record["cells"][eval_name] for record in records.values()]
        yield Step(eval_name, sum(cell["wall_seconds"] for cell in cells))


def _rows(results: Path) -> Iterator[Row]:
    """Yield the headline of each eval, with its interval and its null where it has them."""
    from csae_bench.evals import get_eval
    from csae_bench.evals.metric_values import values

    for eval_name in EVALS:
        spec = get_eval(eval_name)
        by_name = {value.name: value for value in values(spec.metrics)}
        of_saes = [_result(results, eval_name, name) for name in SAES]
        for name in spec.shown:
            places = {
                part: by_name[f"{name}_{part}"].place if f"{name}_{part}" in by_name else None
                for part in ("low", "high", "null_mean")
            }
            cells = tuple(
                Cell(
                    _at(result, by_name[name].place),
                    *(_at(result, place) for place in places.values()),
                )
                for result in of_saes
            )
            yield Row(eval_name, by_name[name].title, cells)


def _at(result: Mapping[str, Any], place: str | None) -> float | None:
    if place is None:
        return None
    value: Any = result
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _by_dataset(results: Path) -> list[tuple[str, list[float | None], float | None]]:
    """Return each dataset with the AUROC of probes on 5 latents of both SAEs, and of the dense."""
    of_saes = [
        {row["dataset_name"]: row for row in _result(results, EVALS[1], name)["eval_result_details"]}
        for name in SAES
    ]
    return [
        (
            dataset,
            [of_sae[dataset].get("sae_top_5_test_auc") for of_sae in of_saes],
            of_saes[0][dataset].get("llm_test_auc"),
        )
        for dataset in of_saes[0]
    ]


def _telling(
    results: Path, records: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Telling]]:
    import torch

    from csae_bench import models
    from csae_bench.cli.terminal import prepare_process
    from csae_bench.config.loading import load_config
    from csae_bench.training.data import activation_source

    prepare_process()
    config = load_config(SAES[0], sets=("activations.dataset=sae_probes",)).config
    model: Any = models.load(config.model)
    source: Any = activation_source(config, model)
    store = source._store
    batches: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    while sum(len(tokens) for tokens, _, _ in batches) < N_WINDOWS:
        tokens = store.get_batch_tokens()
        acts = store.get_activations(tokens)
        batches.append((tokens, acts.flatten(2), ~torch.isin(tokens, source._special)))
    return {
        name: _of_sae(results, name, record, model, batches) for name, record in records.items()
    }


def _of_sae(
    results: Path,
    name: str,
    record: Mapping[str, Any],
    model: Any,
    batches: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
) -> list[Telling]:
    import torch

    from csae_bench.saes.loading import load_sae

    sae: Any = load_sae(results / record["training"]["checkpoint"])
    best = _most_telling(_result(results, "factor_probing", name)["eval_result_details"])
    latents = torch.tensor([latent for latent, *_ in best])
    with torch.no_grad():
        codes = torch.cat(
            [
                sae.encode(acts)[:, :, latents].where(usable[..., None], 0.0)
                for _, acts, usable in batches
            ]
        )
    tokens = torch.cat([tokens for tokens, _, _ in batches])
    return [
        Telling(latent, factor, value, information, _top_texts(model, tokens, codes[:, :, i]))
        for i, (latent, factor, value, information) in enumerate(best)
    ]


def _most_telling(factors: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str, float]]:
    """Return the latents that know most of a value, each with the value it knows most of."""
    every = [
        (one["latent"], factor["factor"], one["value"], one["information"])
        for factor in factors
        for one in factor["values"]
        if one["latent"] is not None and one["information"] is not None
    ]
    best: dict[int, tuple[int, str, str, float]] = {}
    for entry in sorted(every, key=lambda entry: -entry[3]):
        best.setdefault(entry[0], entry)
    return list(best.values())[:N_TELLING]


def _top_texts(model: Any, tokens: torch.Tensor, codes: torch.Tensor) -> list[str]:
    """Return the text before, and in bold at, a latent's largest codes in different windows."""
    largest, position = codes.max(1)
    texts: list[str] = []
    for window in largest.argsort(descending=True)[:N_TEXTS].tolist():
        if largest[window] <= 0:
            break
        at = int(position[window])
        before = model.to_string(tokens[window, max(1, at - N_AROUND) : at])
        last = model.to_string(tokens[window, at : at + 1])
        texts.append(f"{_plain(before)}**{_plain(last).strip() or _plain(last)}**")
    return texts


def _plain(text: str) -> str:
    """Return text that stands in a cell of a Markdown table."""
    for mark in "\\`*_|<>[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split("\n"))


if __name__ == "__main__":
    main()
