"""A probing page with invented numbers and everything on it that a page can have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from csae_bench.engines.probing.browser.content import (
    BestLatent,
    Effect,
    Factor,
    Headline,
    Latent,
    ProbeScores,
    ProbingPage,
    Prompt,
    ShownAbsorption,
    ShownNumber,
    Value,
    ValueName,
)

EVIL = "<script>alert(1)</script>"
CLOSING = "</script><!--"
KS = (1, 2, 5, 20)
FACTORS = {
    "tense": ("past", "present", "future"),
    "gender": ("feminine", "masculine"),
    "domain": ("science", "sport", "art"),
    "topic": ("astronomy", "medicine", "football", "tennis", "music", "theatre"),
}
WORDS = (
    " the physician that she saw wrote down yesterday how a comet will fade , which nobody in "
    "town had ever believed .\n"
)
ROUND = ShownNumber(None, reason="no prompt has another value")


@dataclass(frozen=True)
class _Draw:
    rng: np.random.Generator

    def share(self, low: float = 0.0, high: float = 1.0) -> float:
        return float(self.rng.uniform(low, high))

    def estimate(self, low: float, high: float, width: float = 0.04) -> ShownNumber:
        value = self.share(low, high)
        return ShownNumber(value, value - width, value + width)


def example_page(
    *,
    n_latents: int = 40,
    factors: dict[str, tuple[str, ...]] | None = None,
    d_sae: int = 1024,
    n_prompts: int = 4,
) -> ProbingPage:
    """Latent 17 is active in texts that would like to be code; latent 18 in none.

    The last value of the first factor has no probe scores and no intervention.
    """
    draw = _Draw(np.random.default_rng(0))
    chosen = factors or FACTORS
    names = [ValueName(factor, value) for factor, values in chosen.items() for value in values]
    indices = [
        17,
        18,
        *draw.rng.choice(np.arange(19, d_sae), n_latents - 2, replace=False).tolist(),
    ]
    return ProbingPage(
        title="Probing of example",
        sae_id="example",
        model="tiny-gemma2-it",
        hook_name="blocks.2.hook_resid_post",
        d_sae=d_sae,
        facts={"data": "tinyworld, test split", "prompts": "2592 of 24 templates", EVIL: CLOSING},
        headline=(
            Headline(
                title="Probe AUROC, k = 1",
                description="Mean over values, on templates that no probe was fitted on.",
                estimate=ShownNumber(0.8712, 0.8533, 0.8874),
            ),
            Headline(
                title="Assigned latents",
                description="Share of active latents that stand for one value.",
                estimate=ShownNumber(0.0315),
            ),
            Headline(title="Absorption", description="Mean over pairs.", estimate=ROUND),
            Headline(
                title="Specificity",
                description="Own effect less others', over their sum.",
                estimate=ShownNumber(-0.1204, -0.2011, -0.0382),
            ),
        ),
        factors=tuple(
            Factor(
                name=factor,
                description="of the main verb" if factor == "tense" else "",
                values=tuple(
                    _value(draw, value, indices, is_undefined=(factor, value) == names[2])
                    for value in values
                ),
            )
            for factor, values in chosen.items()
        ),
        latents=tuple(
            _latent(draw, index, place, names, n_prompts) for place, index in enumerate(indices)
        ),
        absorption=tuple(
            ShownAbsorption(
                parent=parent,
                parent_latent=indices[3],
                child=child,
                child_latent=indices[4] if child != names[-1] else None,
                rate=draw.estimate(0.05, 0.6) if child != names[-1] else ROUND,
            )
            for parent, child in zip(names[-8:-6], names[-2:], strict=True)
        ),
        selectivity_description="Share of what a latent knows that is of one factor, 0 to 1.",
        entropy_description="Of a latent's information over factors, in bits.",
        specificity_description="(own - others) / (own + others), -1 to 1.",
        warnings=("648 samples are few: use at least 2000",),
    )


def _value(draw: _Draw, value: str, indices: list[int], *, is_undefined: bool) -> Value:
    def scores(low: float) -> ProbeScores:
        if is_undefined:
            return ProbeScores(accuracy=ROUND, balanced_accuracy=ROUND, auroc=ROUND)
        return ProbeScores(
            accuracy=draw.estimate(low, low + 0.1, 0.02),
            balanced_accuracy=draw.estimate(low, low + 0.1, 0.02),
            auroc=draw.estimate(low, low + 0.1, 0.03),
        )

    best = draw.rng.choice(len(indices), 5, replace=False)
    return Value(
        value=value,
        n_prompts=int(draw.rng.integers(100, 1200)),
        probes={k: scores(0.7 + 0.05 * place) for place, k in enumerate(KS)},
        dense=None if is_undefined else scores(0.87),
        best_latents=tuple(
            BestLatent(
                index=indices[place],
                information=ShownNumber(draw.share(0.1, 0.9)),
                firing_rate=draw.share(0.001, 0.3),
            )
            for place in best
        ),
        effects=()
        if is_undefined
        else tuple(
            Effect(
                operation=operation,
                latent=indices[best[0]],
                own=draw.estimate(*own, 0.3),
                others=draw.estimate(0.0, 0.4, 0.1),
                specificity=draw.estimate(0.2, 0.9, 0.1),
                control=draw.estimate(-0.1, 0.1, 0.1),
            )
            for operation, own in (("ablate", (-3.0, -0.5)), ("clamp", (0.5, 4.0)))
        ),
        no_effect_reason="its later word is no single token" if is_undefined else "",
    )


def _latent(draw: _Draw, index: int, place: int, names: list[ValueName], n_prompts: int) -> Latent:
    information: list[float | None] = [draw.share(0, 0.12) for _ in names]
    information[place % len(names)] = draw.share(0.3, 0.95)
    if index == 18:
        information[0] = None
    prompts = tuple(_prompt(draw, index, number) for number in range(n_prompts))
    return Latent(
        index=index,
        firing_rate=draw.share(0.0005, 0.3),
        max_activation=max(max(prompt.activations) for prompt in prompts),
        selectivity=ROUND if index == 18 else ShownNumber(draw.share()),
        entropy=ROUND if index == 18 else ShownNumber(draw.share(0, 2)),
        assigned_values=(names[place % len(names)],) if place % 3 == 0 else (),
        information=tuple(information),
        prompts=() if index == 18 else prompts,
    )


def _prompt(draw: _Draw, index: int, number: int) -> Prompt:
    words = [f" {word}" for word in WORDS.split(" ")[1:]]
    tokens = tuple(
        ["<bos>", f" n{draw.rng.integers(2000)}"]
        + (draw.rng.permutation(words).tolist() if number else words)
    )
    if index == 17 and number == 0:
        tokens = (*tokens[:5], f" {EVIL}", CLOSING, "\n", "&lt;b&gt;", *tokens[5:])
    activations = draw.rng.exponential(1.0, len(tokens)) * (draw.rng.random(len(tokens)) < 0.25)
    activations[2 + number % 5] = 6.0 / (number + 1)
    return Prompt(
        tokens=tokens,
        activations=tuple(activations.tolist()),
        pooled=float(activations.mean()),
    )
