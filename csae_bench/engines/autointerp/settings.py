"""Settings of the autointerp eval."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator
from typing_extensions import override

from csae_bench.config.base import Count, NonNegative
from csae_bench.engines.autointerp.judges import AnyJudge, AutoJudge, JudgeSettings, RuleJudge
from csae_bench.engines.autointerp.texts import chosen_judge, chosen_text, unknown_because
from csae_bench.evals import EvalConfig
from csae_bench.evals.inputs import Needs


class AutointerpConfig(EvalConfig):
    """Settings of the autointerp eval, named as in SAE-Bench where it has them."""

    judge: AnyJudge = AutoJudge()
    """The judge that explains latents and predicts them: `kind: rule` (a program that knows the
    factors of the text), `openai` (a server: base_url, model, api_key_env), `local` (a small
    language model on this machine), or `auto`: rule where the factors are known, else the eval is
    skipped. Scores under different judges do not compare."""

    dataset: str = "auto"
    """The text: a corpus as in core, `factors` (the sentences of the judge's factor dataset), or
    `auto`: text whose factors the judge knows, or else what suits the model."""

    n_latents: Count = 1000
    """Latents that are judged, drawn among those alive."""

    total_tokens: Count | None = None
    """Tokens of the text; none: SAE-Bench's 2,000,000, or 200,000 of text whose factors are
    known."""

    llm_context_size: Annotated[int, Field(ge=3)] = 128
    """Tokens in a sequence."""

    llm_batch_size: Count = 32
    """Sequences in a forward pass."""

    dead_latent_threshold: NonNegative = 15
    """Latents that fire on at most so many tokens are not drawn."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of the latents and examples that are drawn, and of resamples."""

    buffer: Count = 10
    """Tokens on each side of the one that an example is about."""

    no_overlap: bool = True
    """Keep the strongest examples apart."""

    act_threshold_frac: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """A latent fires where its code exceeds this share of its largest one."""

    max_tokens_in_explanation: Count = 30
    """Length of an explanation, at most."""

    use_demos_in_explanation: bool = True
    """Show the judge some explanations."""

    n_top_ex_for_generation: Count = 10
    """Strongest examples that an explanation is made from."""

    n_iw_sampled_ex_for_generation: Count = 5
    """Examples drawn by the squares of their codes that an explanation is made from."""

    n_top_ex_for_scoring: Count = 2
    """Strongest examples among those that are predicted."""

    n_random_ex_for_scoring: Count = 10
    """Random examples among those that are predicted; SAE-Bench labels them silent."""

    n_iw_sampled_ex_for_scoring: Count = 2
    """Examples drawn by the squares of their codes among those that are predicted."""

    n_control: Annotated[int, Field(ge=0)] | None = None
    """Latents whose explanation is known, and as many random ones, that the judge itself is scored
    on, where factors of the text are known; none: 20 for the judge rule, 5 for local, 0 for
    openai."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Number of resamples of the latents, for the 95% intervals."""

    @model_validator(mode="after")
    def _fits_itself(self) -> AutointerpConfig:
        least = 2 * self.buffer + 1
        if self.llm_context_size < least:
            raise ValueError(
                f"llm_context_size is {self.llm_context_size}; it must be at least {least}, for "
                f"buffer={self.buffer} tokens on each side of one"
            )
        return self

    @override
    def needs(self, model: str | None) -> Needs:
        """Return text and judge, or why nobody can judge with this model."""
        from csae_bench import models

        asked = self.model or model
        if asked is None:
            return Needs()
        text = chosen_text(self.dataset, self.judge, asked)
        judge = chosen_judge(self.judge, text, asked)
        if isinstance(judge, str):
            return Needs(skip=judge)
        problems = list(judge.problems())
        unknown = unknown_because(judge, text, asked) if isinstance(judge, RuleJudge) else None
        problems += [] if unknown is None else [unknown]
        n_ctx = models.describe(asked).n_ctx
        if self.llm_context_size > n_ctx:
            problems.append(
                f"llm_context_size is {self.llm_context_size}; {asked} takes at most {n_ctx}."
            )
        # of one kind each, whatever is read twice
        inputs = {one.kind: one for one in (*judge.inputs(asked), *text.inputs())}
        return Needs(
            inputs=tuple(inputs.values()),
            batch_size=self.llm_batch_size,
            prompt_tokens=self.llm_context_size,
            n_logits=1,
            problems=tuple(problems),
        )

    def n_control_of(self, judge: JudgeSettings) -> int:
        """Return the number of known latents, resolved, if factors are known."""
        if self.n_control is not None:
            return self.n_control
        return judge.n_control
