"""A judge by rules: it knows which word says which value of which factor, and nothing else.

Its explanations are rules over these values, chosen on the examples that it is shown; it predicts
by looking words up. So it is free, always answers the same, and can be scored itself, on latents
whose explanation is known. It cannot see what no value and no single word tells.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import override

from csae_bench.engines.autointerp.judges.judge import Judge, JudgeSettings, Opening
from csae_bench.engines.autointerp.messages import (
    Messages,
    explanation_answer,
    generation_examples,
    numbers_answer,
    scoring_request,
    words_of,
)
from csae_bench.engines.autointerp.rule_search import explain
from csae_bench.engines.autointerp.rules import Rule, fits, parsed_rule, rule_text
from csae_bench.engines.autointerp.world import World, world_of
from csae_bench.errors import EvalError
from csae_bench.evals.inputs import FactorInput, Input
from csae_bench.factors import chosen_factors


class RuleJudge(JudgeSettings):
    """A program that knows the factors of the text."""

    kind: Literal["rule"] = "rule"

    factors: str = "auto"
    """Labelled texts from which it learns the words of each value: a name of `csae-bench list
    factors`, or a file; `auto`: what suits the model."""

    @override
    def open(self, opening: Opening) -> Judge:
        return RuleAnswers(world_of(self.dataset(opening.model_name)))

    @override
    def called(self, model: str) -> str:
        return f"rules of {self.dataset(model)}"

    @override
    def inputs(self, model: str) -> tuple[Input, ...]:
        return (FactorInput(self.dataset(model), key="judge.factors"),)

    def dataset(self, model: str) -> str:
        """Return the factor dataset, `auto` resolved."""
        return chosen_factors(self.factors, model)


class RuleAnswers:
    """The judge itself.

    Args:
        world: what it knows.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, messages: Messages, max_tokens: int) -> str:
        """Return a rule, or the numbers of the examples that a rule fits."""
        examples = generation_examples(messages)
        if examples is not None:
            return explanation_answer(rule_text(explain(examples, self._world)))
        asked = scoring_request(messages)
        if asked is None:
            raise EvalError("autointerp: the rule judge was asked in a form that it cannot read.")
        rule = parsed_rule(asked.explanation)
        return numbers_answer(self._fits_any_word(rule, example) for example in asked.examples)

    def _fits_any_word(self, rule: Rule, example: str) -> bool:
        vocabulary = dict(self._world.vocabulary)
        words = [word.text for word in words_of(example)]
        read = self._world.read([words], vocabulary)
        return bool(fits(rule, read, self._world, vocabulary).any())
