"""Answers of the judge that knows rules alone."""

from __future__ import annotations

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
from csae_bench.engines.autointerp.world import World
from csae_bench.errors import EvalError


class RuleAnswers:
    """A judge that explains latents by rules over what a world knows.

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
