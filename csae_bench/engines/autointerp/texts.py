"""The text that latents are read on, and the judge that suits it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from csae_bench.corpora import SAE_PROBES, TINYWORLD, open_corpus
from csae_bench.engines.autointerp.judges import AutoJudge, JudgeSettings, RuleJudge
from csae_bench.evals.inputs import CorpusInput, FactorInput, Input

AUTO = "auto"
FACTORS = "factors"
"""Setting of the text: the sentences of the judge's factor dataset."""
SENTENCES_IN_DOCUMENT = 6
SAE_BENCH_TOKENS = 2_000_000
KNOWN_TOKENS = 200_000
"""Tokens of text whose factors are known: it repeats itself sooner."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text, resolved."""

    dataset: str
    """Name or path of a corpus, or of a factor dataset."""
    is_of_factors: bool
    """Whether it is the sentences of a factor dataset."""

    @property
    def name(self) -> str:
        """Its name in a result."""
        return f"{FACTORS}:{self.dataset}" if self.is_of_factors else self.dataset

    @property
    def usual_tokens(self) -> int:
        """Tokens that are read unless a setting says otherwise."""
        return KNOWN_TOKENS if self.factors else SAE_BENCH_TOKENS

    @property
    def factors(self) -> str | None:
        """The factor dataset whose factors are known of it; None: none are known."""
        return self.dataset if self.is_of_factors or self.dataset == TINYWORLD else None

    def inputs(self) -> tuple[Input, ...]:
        """Return what an eval says that it reads."""
        if self.is_of_factors:
            return (FactorInput(self.dataset, key="dataset"),)
        return (CorpusInput(self.dataset, split="core"),)

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield documents under `text`.

        Raises:
            DataError: the data are missing or malformed.
        """
        yield from (
            _documents(self.dataset)
            if self.is_of_factors
            else open_corpus(self.dataset, split="core")
        )


def chosen_text(dataset: str, judge: JudgeSettings, model: str) -> Text:
    """Return the text that is read.

    Args:
        dataset: a corpus; `factors`; or `auto`: text whose factors the judge knows, where it does,
            else what suits the model.

    Raises:
        UnknownNameError: there is no such model.
    """
    from csae_bench.factors import chosen_factors

    factors = judge.dataset(model) if isinstance(judge, RuleJudge) else chosen_factors(AUTO, model)
    knows = isinstance(judge, RuleJudge | AutoJudge)
    if dataset == FACTORS or (dataset == AUTO and knows and factors != TINYWORLD):
        return Text(dataset=factors, is_of_factors=True)
    if dataset != AUTO:
        return Text(dataset=dataset, is_of_factors=False)
    of_model = TINYWORLD if chosen_factors(AUTO, model) == TINYWORLD else SAE_PROBES
    return Text(dataset=TINYWORLD if knows else of_model, is_of_factors=False)


def chosen_judge(judge: JudgeSettings, text: Text, model: str) -> JudgeSettings | str:
    """Return the judge, `auto` resolved; or a sentence that says why there is none."""
    if not isinstance(judge, AutoJudge):
        return judge
    rules = RuleJudge()
    if not unknown_because(rules, text, model):
        return rules
    return (
        f"no factors are known of the text {text.name}, so somebody must judge: set "
        "evals.autointerp.judge.kind to openai (a server, with base_url, model and api_key_env) or "
        "to local (a small model on this machine), or leave evals.autointerp.dataset at auto"
    )


def unknown_because(judge: RuleJudge, text: Text, model: str) -> str | None:
    """Return why a judge by rules does not know the factors of a text; None if it does."""
    factors = judge.dataset(model)
    if text.factors == factors:
        return None
    return (
        f"dataset is '{text.dataset}', and the rule judge knows the factors of {factors} alone; "
        "set evals.autointerp.dataset=auto, or another judge.kind"
    )


def _documents(name: str) -> Iterator[dict[str, str]]:
    """Yield the sentences of a factor dataset in random order, some to a document."""
    from csae_bench.engines.autointerp.world import factor_texts

    sentences = [prompt for dataset in factor_texts(name) for prompt in dataset.prompts]
    Random(f"autointerp/{name}").shuffle(sentences)
    for start in range(0, len(sentences), SENTENCES_IN_DOCUMENT):
        yield {"text": " ".join(sentences[start : start + SENTENCES_IN_DOCUMENT])}
