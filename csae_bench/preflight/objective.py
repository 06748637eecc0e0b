"""Checks of the contrastive objective: its terms, the stages of the curriculum, the pairs."""

from __future__ import annotations

from collections.abc import Iterator

from csae_bench.config import Contrastive, GeneratorActivations, RunConfig
from csae_bench.config.loss_terms import POSITIVE_KINDS, TermSettings
from csae_bench.config.pairs import fewest_pairs
from csae_bench.errors import ConfigError
from csae_bench.pair_texts import PAIR_TEXTS
from csae_bench.preflight.check import Finding, Findings
from csae_bench.runs.resolving import ResolvedSae
from csae_bench.saes.curriculum import Curriculum


def objective(sae: ResolvedSae) -> Findings:
    """Yield the active terms; nothing for an architecture that has none."""
    config = sae.config
    if not isinstance(config.sae, Contrastive):
        return
    switched_on = config.sae.active_terms()
    kinds = config.pairs.in_batch()
    terms = {name: term for name, term in switched_on.items() if term.sees(kinds)}
    problems = [
        *_starts(config, terms),
        *_negatives(config, terms),
        *(_batch(config, terms) or _sizes(config, terms)),
    ]
    for text in problems:
        yield "problem", f"{sae.resolved.path}: {text}."
    for name in switched_on.keys() - terms.keys():
        of_term = switched_on[name].pairs or POSITIVE_KINDS
        seen = " and ".join(f"pairs.{kind}.weight is 0" for kind in of_term)
        yield "ok", f"{name} is off, as {seen}"
    if not terms:
        yield "ok", "no contrastive term is active; only the backbone is trained"
    elif not problems:
        weights = ", ".join(f"{name} {term.weight:g}" for name, term in terms.items())
        yield "ok", f"{weights}; weighting by {config.training.weighting.kind}"


def curriculum(sae: ResolvedSae) -> Findings:
    """Yield the stages; nothing if there are none."""
    config, training = sae.config, sae.config.training
    if not training.curriculum or not training.n_steps:
        return
    problems = [*_lengths(config), *_pairs_of_stages(config)]
    for text in problems:
        yield "problem", f"{sae.resolved.path}: {text}."
    if not problems:
        yield "ok", ", then ".join(stage.name for stage in training.curriculum)


def pairs(sae: ResolvedSae) -> Findings:
    """Yield the kinds of pairs that are on, and what they are made from."""
    config, path = sae.config, sae.resolved.path
    shares = config.pairs.shares()
    if not config.training.curriculum and (problem := _too_few(config, shares)) is not None:
        yield "problem", f"{path}: {problem}."
    if "same_sequence" in shares:
        problems = list(_distances(config))
        for text in problems:
            yield "problem", f"{path}: {text}."
        if not problems:
            yield "ok", f"same_sequence {shares['same_sequence']:.0%}"
    for kind in shares:
        if kind in PAIR_TEXTS:
            yield _texts(kind, shares[kind], sae)


def _texts(kind: str, share: float, sae: ResolvedSae) -> Finding:
    config, path, settings = sae.config, sae.resolved.path, getattr(sae.config.pairs, kind)
    if isinstance(config.activations, GeneratorActivations):
        return (
            "problem",
            f"{path}: pairs.{kind}.weight is {settings.weight:g}; generated activations have no "
            "texts. Set it to 0, or activations.kind to model.",
        )
    outcome, message = PAIR_TEXTS[kind].status(settings)
    if outcome == "problem":
        return outcome, f"{path}: {message}"
    shuffled = "; shuffled, as a control" if kind in config.pairs.shuffled_kinds else ""
    return outcome, f"{kind} {share:.0%}: {message}{shuffled}"


def _batch(config: RunConfig, terms: dict[str, TermSettings]) -> list[str]:
    if not terms or config.training.batch_size > 2:
        return []
    return [
        "training.batch_size is 2, which is one pair, but a term compares each pair with others: "
        f"with {', '.join(terms)} switched on it must be at least 4"
    ]


def _starts(config: RunConfig, terms: dict[str, TermSettings]) -> Iterator[str]:
    """Yield the terms that never start, or whose warm-up does not end."""
    n_steps = config.training.n_steps
    stages = Curriculum.of(config)
    for name, term in terms.items():
        first = stages.first_step_of(name, terms)
        if first is None:
            if n_steps:
                yield (
                    f"sae.losses.{name}.weight is {term.weight:g}, but no stage of "
                    f"training.curriculum gives {name} a strength above 0; set the weight to 0 to "
                    "leave the term out"
                )
        elif term.warm_up_steps > n_steps - first:
            yield (
                f"sae.losses.{name}.warm_up_steps is {term.warm_up_steps}; it must be at most the "
                f"{n_steps - first} steps "
                + ("of the training" if first == 0 else f"from step {first} on, where it starts")
            )


def _negatives(config: RunConfig, terms: dict[str, TermSettings]) -> Iterator[str]:
    """Yield the terms that take minimal pairs as negatives where no batch has any."""
    if config.pairs.threes:
        return
    for prefix, _, term in _as_set(config, terms):
        if getattr(term, "minimal_negatives", False):
            yield (
                f"{prefix}.minimal_negatives is true, but no batch has groups of an anchor, its "
                "paraphrase and a minimal pair; set pairs.minimal.weight above 0 and "
                "pairs.minimal.with_paraphrases=true"
            )


def _sizes(config: RunConfig, terms: dict[str, TermSettings]) -> Iterator[str]:
    """Yield the settings that no batch of this size, or no SAE of this width, can satisfy."""
    n_pairs = config.training.batch_size // 2
    d_sae: int = getattr(config.sae, "d_sae")  # noqa: B009 (every architecture with terms has it)
    limits = {
        "min_firings": (n_pairs, f"{n_pairs}, the pairs of a batch"),
        "min_latents": (d_sae, f"d_sae={d_sae}"),
    }
    for prefix, name, term in _as_set(config, terms):
        for setting, (limit, what) in limits.items():
            value = getattr(term, setting, 0)
            if value > limit:
                yield f"{prefix}.{setting} is {value}; it must be at most {what}"
        share = getattr(term, "latent_fraction", None)
        if share is not None and round(share * d_sae) < 2 and prefix == f"sae.losses.{name}":
            yield (
                f"{prefix}.latent_fraction is {share}; it must leave at least 2 of the {d_sae} "
                "latents, since the cosine of a single one says nothing"
            )


def _as_set(
    config: RunConfig, terms: dict[str, TermSettings]
) -> Iterator[tuple[str, str, TermSettings]]:
    """Yield key, name and settings of each term, of the base and of each stage that changes it."""
    for name, term in terms.items():
        yield f"sae.losses.{name}", name, term
    for index, stage in enumerate(config.training.curriculum):
        for name, term in Curriculum.of(config).objective(terms, stage).items():
            if name in stage.settings:
                yield f"training.curriculum.{index}.settings.{name}", name, term


def _lengths(config: RunConfig) -> Iterator[str]:
    n_steps = config.training.n_steps
    stages = Curriculum.of(config)
    for stage, length in zip(stages.stages, stages.lengths, strict=True):
        if length == 0:
            yield (
                f"training.curriculum: stage '{stage.name}' has 0 of the {n_steps} steps; move "
                "its until, or raise training.n_tokens"
            )


def _pairs_of_stages(config: RunConfig) -> Iterator[str]:
    reported: set[str] = set()
    for index, stage in enumerate(config.training.curriculum):
        shares = config.pairs.shares(stage.pairs)
        if not shares:
            kinds = stage.pairs or ()
            yield (
                f"training.curriculum.{index}.pairs of stage '{stage.name}' is "
                f"[{', '.join(kinds)}], but "
                + " and ".join(f"pairs.{kind}.weight is 0" for kind in kinds)
                + "; set that above 0, or name a kind in the stage that is on"
            )
        elif (problem := _too_few(config, shares)) is not None and problem not in reported:
            reported.add(problem)
            yield f"training.curriculum.{index}.pairs of stage '{stage.name}': {problem}"


def _too_few(config: RunConfig, shares: dict[str, float]) -> str | None:
    """Return the pair stream's message on shares that amount to less than a pair."""
    n_pairs = config.training.batch_size // 2
    fewest = fewest_pairs(config.pairs.shuffled_kinds, config.pairs.threes)
    if min(shares.values()) * n_pairs >= max(fewest.values(), default=1):
        return None
    from csae_bench.pairs.shares import pairs_of_each_kind  # imports torch

    try:
        pairs_of_each_kind(shares, shares, n_pairs=n_pairs, fewest=fewest)
    except ConfigError as error:
        return str(error).rstrip(".")
    return None


def _distances(config: RunConfig) -> Iterator[str]:
    same, context = config.pairs.same_sequence, config.activations.context_size
    if same.max_distance is not None and same.max_distance < same.min_distance:
        yield (
            f"pairs.same_sequence.max_distance is {same.max_distance}; it must be at least "
            f"min_distance={same.min_distance}"
        )
    if same.min_distance > context - 2:
        yield (
            f"pairs.same_sequence.min_distance is {same.min_distance}; it must be at most "
            f"context_size - 2 = {context - 2}, or no sequence holds a pair"
        )
