"""The eval contract: what an eval gets, what it gives back, and how it is found.

An eval is one file in the repository's `evals/` folder, imported as `csae_bench.evals.<name>`:

    @register_eval("mig", config=MigConfig, metrics=METRICS)
    def mig(ctx: EvalContext, cfg: MigConfig) -> EvalResult: ...

METRICS has a row for each metric (`Metric`): models, schema, the line on the terminal and all that
`compare` knows of it come from there. The harness owns seeding, loading, skip-if-done, gradient
mode, provenance, JSON and clean-up; an eval owns its science. Third parties add theirs through the
entry-point group `csae_bench.evals`. Eval modules import torch, sae_lens and sae_bench inside
functions: listing them, and comparing their results, must stay fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pydantic import BaseModel

from csae_bench.eval_pages import ENTRY_POINT_GROUP, EVALS, FOLDER, PAGES
from csae_bench.inputs import Needs
from csae_bench.metric_rows import FORM, Category, Direction, Form, Metric
from csae_bench.metric_values import headline as headline_of
from csae_bench.shared import SharedPasses
from csae_bench.strict import Strict

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from csae_bench.factors import Pooling, Split
    from csae_bench.factors.encoding import FactorCodes
    from csae_bench.saes.attributes import AnySae

__path__ = [str(FOLDER)]

__all__ = [
    "ENTRY_POINT_GROUP",
    "EVALS",
    "Category",
    "Direction",
    "EvalConfig",
    "EvalContext",
    "EvalResult",
    "EvalSpec",
    "Form",
    "Metric",
    "discover",
    "get_eval",
    "register_eval",
]


_N_IN_HEADLINE = 4


class EvalConfig(Strict):
    """Base of an eval's settings: frozen, and an unknown key is an error."""

    model: str | None = None
    """Language model this eval uses instead of the run's."""

    def needs(self, model: str | None) -> Needs:
        """Return what this eval needs; small files may be read, weights may not.

        Args:
            model: name or path of the run's language model; None for an SAE without one.

        Raises:
            CsaeBenchError: a name in the settings is not known.
        """
        return Needs()


@dataclass(frozen=True, kw_only=True)
class EvalContext:
    """What an eval works on."""

    sae: AnySae
    """The SAE in its inference form, on `device`. Shared by the run's evals: do not change it."""
    sae_id: str
    """What the SAE is called, for titles."""
    model_name: str
    """Name or path of the language model that `model()` gives; empty where the SAE has none."""
    model_true_name: str = ""
    """The name under which results of the model are filed; empty: that of `model_name`."""
    model_fingerprint: str = ""
    """Hash of the model's weights; empty: that of the files of `model_name`."""
    hook_name: str
    """Where the SAE's activations are taken; empty where it has no model."""
    device: str
    artifacts: Path
    """A folder of this eval's own, empty at the start."""
    cache: Path | None = None
    """A folder of this eval's own that stays as it is between runs, for all SAEs; what is in it
    must be found by content. None: nothing is to be kept."""
    rng: np.random.Generator
    """Seeded from the run's seed and the eval's name."""
    load_model: Callable[[str], HookedTransformer]
    """Loads a model by name, once per run."""
    progress: bool = False
    """Whether to show progress on stderr."""
    encoded: dict[tuple[Any, ...], FactorCodes] = field(default_factory=dict)
    """Codes of factor datasets that were encoded already; shared by the evals of one SAE."""
    shared: SharedPasses = field(default_factory=SharedPasses)
    """Results of passes of the model that no SAE takes part in; shared by all SAEs of a session."""

    def model(self) -> HookedTransformer:
        """The language model, loaded at the first call."""
        return self.load_model(self.model_name)

    def codes_and_factors(
        self,
        dataset: str = "auto",
        *,
        split: Split = "reserved",
        seed: int = 0,
        pooling: Pooling | None = None,
    ) -> FactorCodes:
        """The SAE's codes of a factor dataset with its factors, encoded once per run.

        The model does not run for a dataset of activations. See `factors.open_factors` and
        `factors.encoding.codes_of_prompts`, for errors too.

        Args:
            dataset: a name of `csae-bench list factors`, a .csv or .jsonl file, or the folder of a
                synthetic model; `auto` suits the model, see `factors.chosen_factors`.
            seed: of what the dataset draws at random.
            pooling: none: the dataset's own.
        """
        from csae_bench.factors import chosen_factors, factor_fingerprint, open_factors
        from csae_bench.factors.encoding import codes_of_prompts

        dataset = chosen_factors(dataset, self.model_name or None)
        key = (dataset, split, seed, pooling, self.model_name, self.hook_name)
        if key not in self.encoded:
            found = self.shared.get_or_make(
                ("factors", dataset, factor_fingerprint(dataset), split, seed),
                lambda: open_factors(dataset, split=split, seed=seed),
            )
            model = self.model() if found.prompts else None
            self.encoded[key] = codes_of_prompts(
                self.sae, model, found, self.hook_name, pooling=pooling, shared=self.shared
            )
        return self.encoded[key]


@dataclass(frozen=True, kw_only=True)
class EvalResult:
    """What an eval measured; the harness makes an SAE-Bench `eval_result` JSON of it."""

    metrics: Mapping[str, Mapping[str, float | int | None]]
    """Category -> metric -> value. SAE-Bench's own values stay as SAE-Bench writes them; ours are
    null where undefined, with the reason in `unstructured["reasons"]`."""
    details: Sequence[Mapping[str, Any]] = ()
    unstructured: Mapping[str, Any] = field(default_factory=dict)
    eval_config: Mapping[str, Any] | None = None
    """What SAE-Bench's own output model wants as eval_config; none: the eval's settings."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EvalSpec:
    """An eval as registered."""

    name: str
    """Its name, its file's name and its eval_type_id."""
    run: Callable[[EvalContext, Any], EvalResult]
    config: type[EvalConfig]
    summary: str
    """First line of its docstring."""
    metrics: Mapping[str, Metric] = field(default_factory=dict[str, Metric])
    """The row of each of its metrics."""
    form: Form | None = field(default_factory=Form)
    """How results file them; None: as SAE-Bench's own model has it."""
    detail: type[BaseModel] | None = None
    """Model of each of its details, but for the metrics that are by factor."""
    validate: Callable[[dict[str, Any]], None] | None = None
    """Checks the whole JSON against SAE-Bench's own model; raises EvalError."""
    reported_config: type[BaseModel]
    """Model of the result's eval_config: the settings, or what SAE-Bench wants in their place."""
    shown: Sequence[str] = ()
    """The metrics in the line that a run prints, in order."""

    @property
    def metrics_model(self) -> type[BaseModel] | None:
        """Model that the metrics of a result are checked against; None: SAE-Bench's own."""
        return _metrics_model(self)

    @property
    def detail_model(self) -> type[BaseModel] | None:
        """Model that each of its details is checked against."""
        return _detail_model(self)

    @property
    def headline(self) -> dict[str, str]:
        """What a run prints: short title -> dotted place of the value in the JSON."""
        return headline_of(self.metrics, self.shown)

    @property
    def stem(self) -> str:
        """What the names of its models begin with."""
        return self.config.__name__.removesuffix("Config")


def register_eval(
    name: str,
    *,
    config: type[EvalConfig],
    metrics: Mapping[str, Metric] | None = None,
    headline: Sequence[str] | None = None,
    form: Form | None = FORM,
    detail: type[BaseModel] | None = None,
    validate: Callable[[dict[str, Any]], None] | None = None,
    reported_config: type[BaseModel] | None = None,
) -> Callable[[Callable[[EvalContext, Any], EvalResult]], Callable[[EvalContext, Any], EvalResult]]:
    """Registers the decorated function as the eval `name`.

    Args:
        metrics: the row of each metric; without rows nothing is known of what it measures.
        headline: the metrics in the line that a run prints, in order; none: the first four that
            are compared.
        form: how results file the metrics; None where SAE-Bench's own model, which `validate`
            checks, says so.
        detail: the model of each of its details; metrics that are by factor are added to it.
        reported_config: what the result has as eval_config, where that is not the settings.

    Raises:
        ValueError: the headline names a metric that has no row.
    """
    rows = metrics or {}
    shown = _first(rows) if headline is None else headline
    headline_of(rows, shown)

    def register(
        run: Callable[[EvalContext, Any], EvalResult],
    ) -> Callable[[EvalContext, Any], EvalResult]:
        summary = (run.__doc__ or "").strip().splitlines()[0] if run.__doc__ else ""
        EVALS.add(
            name,
            EvalSpec(
                name=name,
                run=run,
                config=config,
                summary=summary,
                metrics=rows,
                form=form,
                detail=detail,
                validate=validate,
                reported_config=reported_config or config,
                shown=shown,
            ),
        )
        return run

    return register


def discover() -> list[str]:
    """Names of all evals: files of `evals/` and installed entry points, without importing them."""
    return PAGES.names()


def get_eval(name: str) -> EvalSpec:
    """The eval called `name`, its module imported.

    Raises:
        UnknownNameError: no file and no entry point has this name.
        PluginError: the eval is of an installed package that cannot be imported.
    """
    PAGES.load(name, EVALS)
    return cast(EvalSpec, EVALS.get(name))


# made when asked for, and not at import: comparing needs the rows alone
@cache
def _metrics_model(spec: EvalSpec) -> type[BaseModel] | None:
    from csae_bench.metric_models import metrics_model

    if not spec.metrics or spec.form is None:
        return None
    return metrics_model(f"{spec.stem}Metrics", spec.metrics, spec.form)


@cache
def _detail_model(spec: EvalSpec) -> type[BaseModel] | None:
    from csae_bench.metric_models import detail_model

    if spec.detail is None:
        return None
    return detail_model(f"{spec.stem}Detail", spec.metrics, spec.detail)


def _first(rows: Mapping[str, Metric]) -> list[str]:
    compared = (name for name, metric in rows.items() if not metric.is_supporting)
    return list(compared)[:_N_IN_HEADLINE]
