"""A judge by rules: it knows which word says which value of which factor, and nothing else.

Its explanations are rules over these values, chosen on the examples that it is shown; it predicts
by looking words up. So it is free, always answers the same, and can be scored itself, on latents
whose explanation is known. It cannot see what no value and no single word tells.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import override

from csae_bench.engines.autointerp.judges.judge import Judge, JudgeSettings, Opening
from csae_bench.evals.inputs import FactorInput, Input


class RuleJudge(JudgeSettings):
    """A program that knows the factors of the text."""

    kind: Literal["rule"] = "rule"

    factors: str = "auto"
    """Labelled texts from which it learns the words of each value: a name of `csae-bench list
    factors`, or a file; `auto`: what suits the model."""

    @override
    def open(self, opening: Opening) -> Judge:
        from csae_bench.engines.autointerp.rule_answers import RuleAnswers
        from csae_bench.engines.autointerp.world import world_of

        return RuleAnswers(world_of(self.dataset(opening.model_name)))

    @override
    def called(self, model: str) -> str:
        return f"rules of {self.dataset(model)}"

    @override
    def inputs(self, model: str) -> tuple[Input, ...]:
        return (FactorInput(self.dataset(model), key="judge.factors"),)

    @property
    @override
    def n_control(self) -> int:
        return 20

    def dataset(self, model: str) -> str:
        """Return the factor dataset, `auto` resolved."""
        from csae_bench.factors import chosen_factors

        return chosen_factors(self.factors, model)
