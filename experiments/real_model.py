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

from experiments.eval_results import value_at
from experiments.pages import write_page

if TYPE_CHECKING:
    import torch

SAES = ("smollm2", "smollm2_batchtopk")
EVALS = ("core", "sparse_probing_sae_probes", "mig", "factor_vae", "feature_correlation",
         "factor_probing")  # fmt: skip
N_TELLING = 10
N_TEXTS = 3
N_DOCUMENTS, N_IN_BATCH, CONTEXT = 512, 32, 128
"""Documents of core's text that are read for the texts of latents, each to its 128th token."""
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


class FactorScores(NamedTuple):
    """Scores of one factor: balanced accuracy of probes, on templates that they were not fit on."""

    factor: str
    dense: float
    """Of a probe on the activations."""
    top_1: list[float]
    """Of a probe on one latent, by SAE."""
    information: list[float]
    """Of the best latent of the best value, a share of its entropy, by SAE."""


class Batch(NamedTuple):
    """Some documents, padded on the right."""

    tokens: torch.Tensor
    acts: torch.Tensor
    is_usable: torch.Tensor
    """False at special tokens, padding included."""


class Step(NamedTuple):
    """A step of `make real`."""

    name: str
    seconds: float


@click.command()
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/real"))
@click.option("--to", type=click.Path(path_type=Path), default=Path("docs/real_model.md"))
def main(results: Path, to: Path) -> None:
    """Write the page, and print the share of each step."""
    records = _records(results)
    steps = list(_steps(records))
    total = sum(step.seconds for step in steps)
    for step in steps:
        click.echo(f"{step.name:<45} {step.seconds / 60:5.1f} min  {step.seconds / total:4.0%}")
    write_page(
        Path(__file__).with_name("real_model.md.j2"),
        to,
        saes=SAES,
        records=records,
        logs={name: _last_line_of_log(results, record) for name, record in records.items()},
        rows=list(_rows(results, records)),
        probing=_by_dataset(results, records),
        factors=_by_factor(results, records),
        telling=_telling(results, records),
        n_documents=N_DOCUMENTS,
        steps=steps,
        total=total,
    )


def _records(results: Path) -> dict[str, dict[str, Any]]:
    """Return each SAE's run record, largest by the configuration that it was made from."""
    every = [json.loads(path.read_text("utf-8")) for path in (results / "runs").glob("*.json")]
    by_source = {record["source"]: record for record in every}
    for name in SAES:
        missing = [
            eval_name
            for eval_name in ("validity", *EVALS)
            if by_source.get(name, {}).get("cells", {}).get(eval_name, {}).get("status") != "ok"
        ]
        if missing:
            raise click.ClickException(
                f"{results} holds no {', '.join(missing)} of {name} that is ok; run make real."
            )
    return {name: by_source[name] for name in SAES}


def _result(results: Path, record: Mapping[str, Any], eval_name: str) -> dict[str, Any]:
    return json.loads((results / record["cells"][eval_name]["result"]).read_text("utf-8"))


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


def _rows(results: Path, records: Mapping[str, Mapping[str, Any]]) -> Iterator[Row]:
    """Yield the headline of each eval, with its interval and its null where it has them."""
    from csae_bench.evals import get_eval
    from csae_bench.evals.metric_values import values

    for eval_name in EVALS:
        spec = get_eval(eval_name)
        by_name = {value.name: value for value in values(spec.metrics)}
        of_saes = [_result(results, record, eval_name) for record in records.values()]
        for name in spec.shown:
            places = {
                part: by_name[f"{name}_{part}"].place if f"{name}_{part}" in by_name else None
                for part in ("low", "high", "null_mean")
            }
            cells = tuple(
                Cell(
                    value_at(result, by_name[name].place),
                    *(value_at(result, place) for place in places.values()),
                )
                for result in of_saes
            )
            yield Row(eval_name, by_name[name].title, cells)


def _by_dataset(
    results: Path, records: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, list[float | None], float | None]]:
    """Return each dataset with the AUROC of probes on 5 latents of both SAEs, and of the dense."""
    of_saes = [
        {
            row["dataset_name"]: row
            for row in _result(results, record, EVALS[1])["eval_result_details"]
        }
        for record in records.values()
    ]
    return [
        (
            dataset,
            [of_sae[dataset].get("sae_top_5_test_auc") for of_sae in of_saes],
            of_saes[0][dataset].get("llm_test_auc"),
        )
        for dataset in of_saes[0]
    ]


def _by_factor(results: Path, records: Mapping[str, Mapping[str, Any]]) -> list[FactorScores]:
    """Return what the activations and single latents know of each factor."""
    of_saes = [
        _result(results, record, "factor_probing")["eval_result_details"]
        for record in records.values()
    ]
    return [
        FactorScores(
            of_each[0]["factor"],
            of_each[0]["dense_balanced_accuracy"],
            [one["top_1_balanced_accuracy"] for one in of_each],
            [max(value["information"] or 0.0 for value in one["values"]) for one in of_each],
        )
        for of_each in zip(*of_saes, strict=True)
    ]


def _telling(results: Path, records: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Telling]]:
    import torch

    from csae_bench import models
    from csae_bench.activations.sources import special_token_ids
    from csae_bench.cli.terminal import prepare_process
    from csae_bench.corpora import open_corpus
    from csae_bench.pairs import activations_at

    prepare_process()
    record = records[SAES[0]]
    model: Any = models.load(record["model"])
    activations = activations_at(model, record["hook_name"], device="cpu")
    texts = [row["text"] for row in open_corpus("sae_probes", split="core").take(N_DOCUMENTS)]
    special = torch.tensor(special_token_ids(model.tokenizer))
    batches: list[Batch] = []
    for start in range(0, N_DOCUMENTS, N_IN_BATCH):
        some = texts[start : start + N_IN_BATCH]
        tokens = model.to_tokens(some, padding_side="right")[:, :CONTEXT]
        batches.append(Batch(tokens, activations(tokens), ~torch.isin(tokens, special)))
    return {
        name: list(_of_sae(results, record, model, batches)) for name, record in records.items()
    }


def _of_sae(
    results: Path, record: Mapping[str, Any], model: Any, batches: Sequence[Batch]
) -> Iterator[Telling]:
    import torch

    from csae_bench.saes.loading import load_sae

    sae: Any = load_sae(results / record["training"]["checkpoint"])
    best = _most_telling(_result(results, record, "factor_probing")["eval_result_details"])
    latents = [latent for latent, *_ in best]
    with torch.no_grad():
        codes = [
            sae.encode(batch.acts)[:, :, latents].where(batch.is_usable[..., None], 0.0)
            for batch in batches
        ]
    for i, (latent, factor, value, information) in enumerate(best):
        largest = [
            (float(code), batch.tokens[row, : int(at) + 1])
            for batch, of_batch in zip(batches, codes, strict=True)
            for row, (code, at) in enumerate(zip(*of_batch[:, :, i].max(1), strict=True))
        ]
        top = sorted(largest, key=lambda entry: -entry[0])[:N_TEXTS]
        shown = [_shown(model, tokens) for code, tokens in top if code > 0]
        yield Telling(latent, factor, value, information, shown)


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


def _shown(model: Any, tokens: torch.Tensor) -> str:
    """Return the last of some tokens in bold, and those before it that are not `<bos>`."""
    before = model.to_string(tokens[1:-1][-N_AROUND:]) if len(tokens) > 2 else ""
    token = model.to_string(tokens[-1:])
    last = _plain(token) if token.strip() else token.replace(" ", "␣").replace("\n", "↵")
    return f"{_plain(before).lstrip()}{' ' * last.startswith(' ')}**{last.strip()}**"


def _plain(text: str) -> str:
    """Return text that stands in a cell of a Markdown table."""
    for mark in "\\`*_|<>[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split("\n"))


if __name__ == "__main__":
    main()
