"""The only file of the golden tests that calls csae_bench: mend it after a change there.

Each function takes stored inputs and returns plain numbers. What lies between may change.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pydantic import BaseModel
    from sae_lens import SAE
    from torch import Tensor
    from transformer_lens import HookedTransformer

    from csae_bench.evals import EvalContext
    from csae_bench.factors.encoding import FactorCodes
    from csae_bench.pairs import Pairs

MODEL = "tiny-gemma2-it"
HOOK = "blocks.2.hook_resid_post"
SEED = 0


class Result(NamedTuple):
    """What an eval returned."""

    metrics: Mapping[str, Any]
    details: Sequence[Mapping[str, Any]]
    unstructured: Mapping[str, Any]


# Versions that golden numbers belong to


def training_version() -> int:
    """Return the version that is raised when the same configuration trains to other weights."""
    from csae_bench.results.identity import TRAINING_VERSION

    return TRAINING_VERSION


def engine_version() -> int:
    """Return the version that is raised when the unlearning engine gives other numbers."""
    from csae_bench.upstream.unlearning import ENGINE_VERSION

    return ENGINE_VERSION


# Evals


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredCodes:
    """Codes of labelled samples, as if an SAE had just encoded them."""

    codes: Any
    """scipy csr_array float32 [n, d_sae]."""
    factors: NDArray[Any]
    """Indices of values [n, n_factors]."""
    values: Mapping[str, tuple[str, ...]]
    """Factor -> names of its values, in the order of the columns."""
    parents: Mapping[str, str]
    templates: tuple[str, ...]
    """Template of each sample."""
    acts: NDArray[Any]
    """What a dense probe is fitted on, [n, d_in]."""
    features: NDArray[Any]
    """True features [n, n_features]."""


def evaluate_codes(name: str, stored: StoredCodes, settings: Mapping[str, Any]) -> Result:
    """Run an eval on codes; no SAE and no language model is there."""
    from csae_bench.factors import FactorDataset, TrueFeatures
    from csae_bench.factors.encoding import FactorCodes

    n, n_features = stored.features.shape
    dataset = FactorDataset(
        name="stored",
        factors=stored.factors.astype(np.int64),
        names=tuple(stored.values),
        value_names=tuple(stored.values.values()),
        templates=stored.templates,
        split="test",
        acts=stored.acts,
        features=TrueFeatures(
            values=stored.features,
            directions=np.zeros((n_features, stored.acts.shape[1])),
            bias=np.zeros(stored.acts.shape[1]),
        ),
        parents=stored.parents,
    )
    result = FactorCodes(
        codes=stored.codes,
        dataset=dataset,
        pooling="mean",
        n_tokens=np.ones(n, dtype=np.int64),
        n_truncated=0,
        acts=stored.acts,
    )
    encoded = {("stored", "test", SEED, None, "", ""): result}
    return _run(name, {**settings, "factors": "stored"}, sae=None, model=None, encoded=encoded)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An SAE on the bundled model, for several evals; codes of a dataset are made once."""

    sae: Path
    """Its folder."""
    _encoded: dict[tuple[Any, ...], FactorCodes] = field(default_factory=dict[Any, Any])

    def evaluate(self, name: str, settings: Mapping[str, Any]) -> Result:
        """Run an eval on the SAE."""
        return _run(name, settings, sae=_sae(self.sae), model=_model(), encoded=self._encoded)

    def evaluate_on_grid(self, name: str, n: int, settings: Mapping[str, Any]) -> Result:
        """Run a factor eval on n prompts of tinyworld's grid.

        Unlike those of a file they have a hierarchy, and words that the model says a value with.
        """
        from csae_bench.factors.encoding import codes_by_pooling

        if _grid_key(None) not in self._encoded:
            from tests.integration.evals.planted import part_of_tinyworld

            dataset = part_of_tinyworld("test", n)
            codes = codes_by_pooling(
                _sae(self.sae), _model(), dataset, HOOK, poolings=("last", "mean", "max")
            )
            self._encoded[_grid_key(None)] = codes.pop(dataset.pooling)
            self._encoded.update({_grid_key(pooling): each for pooling, each in codes.items()})
        return self.evaluate(name, {**settings, "factors": "grid"})


def _grid_key(pooling: str | None) -> tuple[Any, ...]:
    return ("grid", "test", SEED, pooling, MODEL, HOOK)


@cache
def _model() -> HookedTransformer:
    from csae_bench import models

    return models.load(MODEL)


@cache
def _sae(folder: Path) -> SAE[Any]:
    from csae_bench.saes.loading import load_sae

    return load_sae(folder)


def _run(
    name: str,
    settings: Mapping[str, Any],
    *,
    sae: SAE[Any] | None,
    model: HookedTransformer | None,
    encoded: dict[tuple[Any, ...], FactorCodes],
) -> Result:
    """Do what the harness does around an eval, as far as numbers depend on it."""
    import torch

    from csae_bench.evals import get_eval

    spec = get_eval(name)
    torch.manual_seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002 - SAE-Bench draws from the global generator
    with tempfile.TemporaryDirectory() as artifacts:
        context = _context(sae, model, Path(artifacts), encoded)
        with torch.no_grad(), contextlib.redirect_stdout(sys.stderr):
            result = spec.run(context, spec.config.model_validate(settings))
    return Result(result.metrics, result.details, result.unstructured)


def _context(
    sae: SAE[Any] | None,
    model: HookedTransformer | None,
    artifacts: Path,
    encoded: dict[tuple[Any, ...], FactorCodes],
) -> EvalContext:
    from csae_bench.evals import EvalContext

    return EvalContext(
        sae=cast(Any, sae),
        sae_id="sae",
        model_name="" if model is None else MODEL,
        hook_name="" if model is None else HOOK,
        device="cpu",
        artifacts=artifacts,
        rng=np.random.default_rng(SEED),
        load_model=lambda _: cast(Any, model),
        encoded=encoded,
    )


# Training


@dataclass
class StoredPairs:
    """A kind of pairs, drawn in order and over again."""

    rows: Tensor
    """float32 [n_pairs, 2, d_in]."""
    sequence: Tensor
    group: Tensor
    epochs: int = 0

    @property
    def d_in(self) -> int:
        """Width of a row."""
        return self.rows.shape[2]

    @property
    def rows_per_epoch(self) -> int:
        """Rows of one pass."""
        return 2 * len(self.rows)

    def next_pairs(self) -> Pairs:
        """Return all pairs."""
        from csae_bench.pairs import Pairs

        self.epochs += 1
        return Pairs(self.rows, self.sequence, self.group)

    def state_dict(self) -> dict[str, Any]:
        """Return how often the pairs were given."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from there."""
        self.epochs = state["epochs"]


def train(
    config_name: str, sets: Sequence[str], pairs: Mapping[str, StoredPairs]
) -> list[dict[str, Any]]:
    """Train a configuration on stored pairs in float64; return what its log says of each step.

    Added is `gradient/<parameter>`, the norm of the gradient before clipping.

    Args:
        sets: as after `--set`.
        pairs: kind -> pairs.
    """
    from csae_bench.config.loading import load_config
    from csae_bench.saes.building import training_sae
    from csae_bench.training.log import TrainingLog
    from csae_bench.training.loop import ContrastiveSAETrainer
    from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
    from csae_bench.training.settings import trainer_config
    from csae_bench.training.state import seed_everything

    config = load_config(config_name, sets=sets).config
    seed_everything(config.seed)
    stream = _stream(config, pairs)
    # not in the configuration, which allows float32 and bfloat16
    settings = cast(Any, config.sae).model_copy(update={"dtype": "float64"})
    sae = training_sae(settings, d_in=stream.d_in, device="cpu", metadata={})
    norms = _watch_gradients(sae)
    gradients: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        ContrastiveSAETrainer(
            trainer_config(config, "cpu"),
            sae,
            stream,
            schedule=ObjectiveScheduleSettings.of(config),
            gradient_clip_norm=config.training.gradient_clip_norm,
            log=TrainingLog(log, every=1),
            after_step=lambda _: gradients.append(dict(norms)),
            progress=False,
        ).fit()
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [line | of_step for line, of_step in zip(lines, gradients, strict=True)]


def _stream(config: Any, pairs: Mapping[str, StoredPairs]) -> Any:
    from csae_bench.pairs import PairStream

    class InFloat64(PairStream):
        def __next__(self) -> Tensor:
            return super().__next__().double()

    shares = config.pairs.shares()
    return InFloat64(
        {kind: pairs[kind] for kind in shares},
        shares,
        batch_size=config.training.batch_size,
        pairs_in_buffer=config.activations.pairs_in_buffer,
        seed=config.seed,
    )


def _watch_gradients(module: Any) -> dict[str, float]:
    """Return a table that holds the norm of each parameter's gradient after a backward pass."""
    norms: dict[str, float] = {}

    def watch(name: str, parameter: Tensor) -> None:
        def note(_: Tensor) -> None:
            assert parameter.grad is not None
            norms[f"gradient/{name}"] = parameter.grad.norm().item()

        parameter.register_post_accumulate_grad_hook(note)

    for name, parameter in module.named_parameters():
        watch(name, parameter)
    return norms


# Keys of results


def eval_names() -> list[str]:
    """Return the names of the evals that run on an SAE of the bundled model."""
    from csae_bench.evals import discover, get_eval

    return [n for n in discover() if get_eval(n).config().needs("tiny-gemma2-it").skip is None]


def eval_config(name: str) -> type[BaseModel]:
    """Return the model of an eval's settings."""
    from csae_bench.evals import get_eval

    return get_eval(name).config


def result_keys(
    sae: Path, evals: Sequence[str], *, sets: Sequence[str] = (), seed: int | None = None
) -> dict[str, str]:
    """Return eval -> key of its result, as for `run --sae SAE --evals ... --set ... --seed ...`.

    Nothing is run and no model is loaded.
    """
    from csae_bench.runs import plan
    from csae_bench.runs.job import EvalJob
    from csae_bench.runs.request import RunRequest
    from csae_bench.runs.resolving import resolve_sae

    with tempfile.TemporaryDirectory() as results:
        request = RunRequest(
            source=str(sae), results=Path(results), evals=tuple(evals), sets=tuple(sets), seed=seed
        )
        # not plan(): some settings have a key and would be refused all the same
        jobs = plan._evals(resolve_sae(request), 1)  # pyright: ignore[reportPrivateUsage]
        return {job.eval_name: job.key or "" for job in jobs if isinstance(job, EvalJob)}
