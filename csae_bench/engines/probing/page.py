"""Results of the probing eval, as its page shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from csae_bench.engines.factors.reporting import FactorReport
from csae_bench.engines.probing.browser import content
from csae_bench.engines.probing.browser.content import ProbingPage, ShownNumber, ValueName
from csae_bench.engines.probing.details import value_names
from csae_bench.engines.probing.effects import OPERATIONS
from csae_bench.engines.probing.fields import METRICS, N_LATENTS
from csae_bench.engines.probing.measuring import DENSE, Probing, probe_name
from csae_bench.evals import EvalContext
from csae_bench.metrics.classification import MEASURES, NO_PROBE
from csae_bench.metrics.score import none_if_nan
from csae_bench.metrics.specificity import EffectEstimate

if TYPE_CHECKING:
    from csae_bench.factors.encoding import TopPrompt
    from csae_bench.factors.token_codes import TokenCodes

N_BEST = 5
"""Latents shown for a value."""
MAX_LATENTS = 160
MAX_READ_AGAIN = 240
"""Prompts that the model reads again, for the codes at their tokens."""
PROMPTS_OF_A_LATENT = 6
HEADLINE = (
    "top_1_balanced_accuracy",
    "top_5_balanced_accuracy",
    "dense_balanced_accuracy",
    "assigned_latents",
    "value_coverage",
    "selectivity",
    "absorption",
    "clamp_effect",
    "clamp_specificity",
    "random_clamp_effect",
    "ablation_effect",
    "ablation_specificity",
)
EFFECT = (
    "Change of the log-odds of the value's later word against the factor's other words, in nats, "
    "with 95% intervals from resampling whole templates: above 0 where clamping makes the word "
    "likelier, or ablating less likely. Others: the mean magnitude of the change of the right "
    "words of unrelated factors. Control: a random latent that fires about as often."
)
NOT_KNOWING = "it is no more informative about any value than under permuted factors"


class FilledPage(NamedTuple):
    """The page, and the number of prompts read for it."""

    page: ProbingPage
    n_prompts_read: int
    """Prompts that the model read again."""


def probing_page(ctx: EvalContext, probing: Probing, report: FactorReport) -> FilledPage:
    """Make the probing page; the model reads the top prompts of the shown latents again."""
    best = _best_latents(probing)
    shown = _shown_latents(probing, best)
    top = {latent: probing.samples.top_prompts(latent, PROMPTS_OF_A_LATENT) for latent in shown}
    at_tokens = _at_tokens(ctx, probing, top)
    page = ProbingPage(
        title=f"Probing of {ctx.sae_id}, {probing.samples.unit}",
        sae_id=ctx.sae_id,
        model=ctx.model_name if probing.samples.encoded.dataset.prompts else "",
        hook_name=ctx.hook_name,
        d_sae=probing.samples.codes.d_sae,
        facts={
            key.replace("_", " "): str(value) for key, value in probing.samples.describe().items()
        },
        headline=_headline(report),
        factors=_factors(probing, best),
        latents=tuple(
            _latent(probing, latent, top[latent], at_tokens.get(latent, {})) for latent in shown
        ),
        absorption=tuple(
            content.ShownAbsorption(
                parent=ValueName(*one.parent),
                parent_latent=one.parent_latent,
                child=ValueName(*one.child),
                child_latent=one.child_latent,
                rate=ShownNumber(one.rate, reason=one.reason),
            )
            for one in probing.absorption.children
        ),
        no_absorption_reason=""
        if probing.absorption.children
        else probing.absorption.rate.reason or "",
        selectivity_description=METRICS["selectivity"].description,
        entropy_description=METRICS["factor_entropy"].description,
        specificity_description=METRICS["clamp_specificity"].description,
        effect_description=EFFECT,
        warnings=(*probing.samples.warnings(), *probing.samples.notes_on_intervals()),
    )
    read = {row for of_latent in at_tokens.values() for row in of_latent}
    return FilledPage(page, len(read))


def _best_latents(probing: Probing) -> list[list[int]]:
    """For each value the best latent, then those with the most information on it."""
    best: list[list[int]] = []
    for value, latent in enumerate(probing.latents.value_latents):
        shares = np.nan_to_num(probing.latents.shares[:, value])
        order = [int(i) for i in np.argsort(-shares, kind="stable")[:N_BEST] if shares[i] > 0]
        first = [] if latent is None else [latent]
        best.append(list(dict.fromkeys(first + order))[:N_BEST])
    return best


def _shown_latents(probing: Probing, best: list[list[int]]) -> list[int]:
    """Order latents: the best of all values, the next ones, then controls and probes' latents."""

    def wanted() -> Iterator[int]:
        for place in range(N_BEST):
            yield from (latents[place] for latents in best if place < len(latents))
            if place == 0:
                yield from probing.intervened.controls.values()
        for of_values in probing.probe_latents.values():
            yield from (latent for latents in of_values for latent in latents)

    return list(dict.fromkeys(wanted()))[:MAX_LATENTS]


def _at_tokens(
    ctx: EvalContext, probing: Probing, top: dict[int, tuple[TopPrompt, ...]]
) -> dict[int, dict[int, tuple[tuple[str, ...], tuple[float, ...]]]]:
    """Latent -> row -> tokens and the latent's codes, of as many latents as may be read again."""
    dataset = probing.samples.encoded.dataset
    if not dataset.prompts:
        return {}
    from csae_bench.factors.token_codes import codes_at_tokens

    rows: dict[int, None] = {}
    latents: list[int] = []
    for latent, prompts in top.items():
        more = rows | dict.fromkeys(prompt.row for prompt in prompts)
        if len(more) <= MAX_READ_AGAIN:
            rows = more
            latents.append(latent)
    read: dict[int, TokenCodes] = codes_at_tokens(
        ctx.sae, ctx.model(), dataset, ctx.hook_name, list(rows), latents
    )
    return {
        latent: {
            prompt.row: (read[prompt.row].tokens, tuple(read[prompt.row].codes[:, place].tolist()))
            for prompt in top[latent]
        }
        for place, latent in enumerate(latents)
    }


def _headline(report: FactorReport) -> tuple[content.Headline, ...]:
    fields = {name: value for each in report.categories().values() for name, value in each.items()}
    return tuple(
        content.Headline(
            title=METRICS[name].title,
            description=METRICS[name].description,
            estimate=_estimate(
                fields[name],
                fields.get(f"{name}_low"),
                fields.get(f"{name}_high"),
                report.measured[name].score.reason or "",
            ),
        )
        for name in HEADLINE
    )


def _factors(probing: Probing, best: list[list[int]]) -> tuple[content.Factor, ...]:
    factors = probing.samples.factors
    made: list[content.Factor] = []
    for k, name in enumerate(factors.names):
        first = int(factors.value_ptr[k])
        parent = probing.samples.parents.get(name)
        made.append(
            content.Factor(
                name=name,
                description=f"child of {parent}" if parent else "",
                values=tuple(
                    _value(probing, first + place, value, best[first + place])
                    for place, value in enumerate(factors.value_names[k])
                ),
            )
        )
    return tuple(made)


def _value(probing: Probing, value: int, name: str, best: list[int]) -> content.Value:
    effects = tuple(
        effect
        for operation in OPERATIONS
        if (effect := _effect(probing, operation, value)) is not None
    )
    nothing = probing.intervened.best[OPERATIONS[0]].by_value[value]["own"].reason
    return content.Value(
        value=name,
        n_prompts=int(probing.samples.factors.value_counts[value]),
        probes={k: _scores(probing, probe_name(k), value) for k in N_LATENTS},
        dense=_scores(probing, DENSE, value) if DENSE in probing.probes else None,
        best_latents=tuple(
            content.BestLatent(
                index=latent,
                information=_information(probing, latent, value),
                firing_rate=float(probing.samples.codes.firing_rates[latent]),
            )
            for latent in best
        ),
        effects=effects,
        no_effect_reason="" if effects else nothing,
    )


def _scores(probing: Probing, probe: str, value: int) -> content.ProbeScores:
    if probe not in probing.probes:
        why = ShownNumber(None, reason=probing.why_no_probe(probe))
        return content.ProbeScores(**dict.fromkeys(MEASURES, why))
    of_probe = probing.probes[probe]
    estimates: dict[str, ShownNumber] = {}
    for name in MEASURES:
        low, high = of_probe.value_intervals[name][:, value]
        score = none_if_nan(of_probe.by_value[name][value])
        estimates[name] = _estimate(score, none_if_nan(low), none_if_nan(high), NO_PROBE)
    return content.ProbeScores(**estimates)


def _effect(probing: Probing, operation: str, value: int) -> content.Effect | None:
    best = probing.intervened.best[operation].by_value[value]
    latent = probing.latents.value_latents[value]
    if latent is None or best["own"].value is None:
        return None
    return content.Effect(
        operation=operation,
        latent=latent,
        own=_of_effect(best["own"]),
        others=_of_effect(best["others"]),
        specificity=_of_effect(best["specificity"]),
        control=_of_effect(probing.intervened.random[operation].by_value[value]["own"]),
    )


def _latent(
    probing: Probing,
    latent: int,
    top: tuple[TopPrompt, ...],
    at_tokens: dict[int, tuple[tuple[str, ...], tuple[float, ...]]],
) -> content.Latent:
    assigned = int(probing.latents.assigned_value[latent])
    names = [ValueName(*name) for name in value_names(probing)]
    shares = probing.latents.shares[latent]
    alone = probing.latents.mean_selectivity.reason
    why = NOT_KNOWING if not probing.latents.is_informative[latent] else alone or NOT_KNOWING
    codes = probing.samples.codes
    return content.Latent(
        index=latent,
        firing_rate=float(codes.firing_rates[latent]),
        max_activation=float(codes.extremes[1][latent]),
        selectivity=_estimate(none_if_nan(probing.latents.selectivity[latent]), None, None, why),
        entropy=_estimate(none_if_nan(probing.latents.entropy[latent]), None, None, why),
        assigned_values=(names[assigned],) if assigned >= 0 else (),
        information=tuple(none_if_nan(share) for share in shares),
        prompts=tuple(_prompt(one, at_tokens.get(one.row)) for one in top),
    )


def _prompt(
    top: TopPrompt, at_tokens: tuple[tuple[str, ...], tuple[float, ...]] | None
) -> content.Prompt:
    """Show a prompt with its codes at tokens or, if these were not read, with its pooled code."""
    tokens, activations = at_tokens or ((top.text,), (top.value,))
    return content.Prompt(tokens=tokens, activations=activations, pooled=top.value)


def _information(probing: Probing, latent: int, value: int) -> ShownNumber:
    return _estimate(
        none_if_nan(probing.latents.shares[latent, value]), None, None, "all samples have one value"
    )


def _of_effect(effect: EffectEstimate) -> ShownNumber:
    return _estimate(effect.value, effect.low, effect.high, effect.reason)


def _estimate(
    value: float | None, low: float | None, high: float | None, reason: str
) -> ShownNumber:
    return ShownNumber(value, low, high, "" if value is not None else reason)
