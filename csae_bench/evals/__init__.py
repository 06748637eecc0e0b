"""The eval contract: input, output and discovery of evals.

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
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from pydantic import BaseModel

from csae_bench.errors import PluginError, UnknownNameError
from csae_bench.evals.about import parts_of_about
from csae_bench.evals.contract import EvalConfig, EvalContext, EvalResult
from csae_bench.evals.metric_rows import FORM, Category, Direction, Form, Metric
from csae_bench.evals.metric_values import headline as headline_of
from csae_bench.evals.pages import ENTRY_POINT_GROUP, EVALS, FOLDER, PAGES
from csae_bench.evals.presets import PRESETS, Cost, Preset

__path__ = [*__path__, str(FOLDER)]

__all__ = [
    "ENTRY_POINT_GROUP",
    "EVALS",
    "Category",
    "Cost",
    "Direction",
    "EvalConfig",
    "EvalContext",
    "EvalResult",
    "EvalSpec",
    "Form",
    "Metric",
    "Preset",
    "discover",
    "get_eval",
    "preset_settings",
    "register_eval",
]


RunsEval = Callable[[EvalContext, Any], EvalResult]

_N_IN_HEADLINE = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class EvalSpec:
    """An eval as registered."""

    name: str
    """Its name, its file's name and its eval_type_id."""
    run: RunsEval
    config: type[EvalConfig]
    summary: str
    """First line of its docstring."""
    metrics: Mapping[str, Metric] = field(default_factory=dict[str, Metric])
    """The row of each of its metrics."""
    form: Form | None = field(default_factory=Form)
    """Form in which results store them; None: that of SAE-Bench's own model."""
    detail: type[BaseModel] | None = None
    """Model of each of its details, but for the metrics that are by factor."""
    reported_config: type[BaseModel]
    """Model of the result's eval_config: the settings, or what SAE-Bench wants in their place."""
    is_random: bool = True
    """Whether its numbers depend on a seed of the eval, so that they can be repeated."""
    presets: Mapping[str, Preset] = field(default_factory=dict[str, Preset])
    """Its settings under each name of `PRESETS`; one that is absent changes nothing."""
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
    def about(self) -> dict[str, str]:
        """The parts of its description by the names of `PARTS_OF_ABOUT`, as Markdown.

        A part is a paragraph of the docstring that begins with its name and a colon, and those
        that follow it.
        """
        return parts_of_about(self.run.__doc__)

    @property
    def headline(self) -> dict[str, str]:
        """Values that a run prints: short title -> dotted place of the value in the JSON."""
        return headline_of(self.metrics, self.shown)

    @property
    def stem(self) -> str:
        """Prefix of the names of its models."""
        return self.config.__name__.removesuffix("Config")


def register_eval(
    name: str,
    *,
    config: type[EvalConfig],
    metrics: Mapping[str, Metric] | None = None,
    headline: Sequence[str] | None = None,
    form: Form | None = FORM,
    detail: type[BaseModel] | None = None,
    reported_config: type[BaseModel] | None = None,
    presets: Mapping[str, Preset] | None = None,
    is_random: bool = True,
) -> Callable[[RunsEval], RunsEval]:
    """Register the decorated function as the eval `name`.

    Args:
        metrics: the row of each metric; without rows nothing is known of what it measures.
        headline: the metrics in the line that a run prints, in order; none: the first four that
            are compared.
        form: how results file the metrics; None for an eval of SAE-Bench's, whose own model of a
            result says so.
        detail: the model of each of its details; metrics that are by factor are added to it.
        reported_config: what the result has as eval_config, where that is not the settings.
        is_random: whether a seed decides any of its numbers; `--eval-seeds` repeats it if so.
        presets: its settings for `--preset`, by a name of `PRESETS`.

    Raises:
        ValueError: the headline names a metric that has no row, or a preset is not known or has a
            wrong setting.

    Examples:
        >>> norm = Metric(
        ...     title="Decoder norm", description="Mean norm of the decoder's rows.",
        ...     direction=Direction.NONE, high=None,
        ... )
        >>> @register_eval("decoder_norm", config=EvalConfig, metrics={"norm": norm})
        ... def decoder_norm(ctx: EvalContext, cfg: EvalConfig) -> EvalResult:
        ...     "Norms of the decoder's rows."
        ...     return EvalResult(metrics={"scores": {"norm": ctx.sae.W_dec.norm(dim=1).mean()}})
        >>> get_eval("decoder_norm").summary
        "Norms of the decoder's rows."
    """
    rows = metrics or {}
    shown = _first(rows) if headline is None else headline
    headline_of(rows, shown)
    _check_presets(name, config, presets or {})

    def register(run: RunsEval) -> RunsEval:
        EVALS.add(
            name,
            EvalSpec(
                name=name,
                run=run,
                config=config,
                summary=_first_line(run.__doc__),
                metrics=rows,
                form=form,
                detail=detail,
                reported_config=reported_config or config,
                presets=presets or {},
                is_random=is_random,
                shown=shown,
            ),
        )
        return run

    return register


def discover() -> list[str]:
    """Return the names of all evals, of `evals/` and installed entry points, without importing."""
    return PAGES.names()


def get_eval(name: str) -> EvalSpec:
    """Return the eval called `name`, its module imported.

    Raises:
        UnknownNameError: no file and no entry point has this name.
        UsageError: SAE-Bench has an eval of this name, and we do not.
        PluginError: the eval is of an installed package that cannot be imported.
    """
    PAGES.load(name, EVALS)
    return cast(EvalSpec, EVALS.get(name))


def preset_settings(preset: str) -> dict[str, dict[str, Any]]:
    """Return the settings of the evals that have some under a preset, by eval.

    An eval of an installed package that cannot be imported is left out; whoever asks for it is told
    so elsewhere.

    Raises:
        UnknownNameError: no preset has this name.
    """
    if preset not in PRESETS:
        raise UnknownNameError("preset", preset, PRESETS)
    settings: dict[str, dict[str, Any]] = {}
    for name in discover():
        with suppress(PluginError):
            own = get_eval(name).presets.get(preset)
            if own is not None:
                settings[name] = dict(own.settings)
    return settings


# made when asked for, and not at import: comparing needs the rows alone
@cache
def _metrics_model(spec: EvalSpec) -> type[BaseModel] | None:
    from csae_bench.evals.metric_models import metrics_model

    if not spec.metrics or spec.form is None:
        return None
    return metrics_model(f"{spec.stem}Metrics", spec.metrics, spec.form)


@cache
def _detail_model(spec: EvalSpec) -> type[BaseModel] | None:
    from csae_bench.evals.metric_models import detail_model

    if spec.detail is None:
        return None
    return detail_model(f"{spec.stem}Detail", spec.metrics, spec.detail)


def _check_presets(name: str, config: type[EvalConfig], presets: Mapping[str, Preset]) -> None:
    for preset, own in presets.items():
        if preset not in PRESETS:
            raise ValueError(f"{name}: preset '{preset}' is none of {', '.join(PRESETS)}.")
        config.model_validate(dict(own.settings))
        unknown = set(own.unverified) - set(config.model_fields)
        if unknown:
            raise ValueError(f"{name}: preset '{preset}': no setting {', '.join(sorted(unknown))}.")


def _first_line(text: str | None) -> str:
    return text.strip().splitlines()[0] if text else ""


def _first(rows: Mapping[str, Metric]) -> list[str]:
    compared = (name for name, metric in rows.items() if not metric.is_supporting)
    return list(compared)[:_N_IN_HEADLINE]
