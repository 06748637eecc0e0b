"""The judges of the autointerp eval: one module a kind, and their union here.

To add one: a module with its settings, a `JudgeSettings` with a `kind` of its own, and the name of
these settings in `AnyJudge`.
"""

from typing import Annotated

from pydantic import Field

from csae_bench.engines.autointerp.judges.auto import AutoJudge
from csae_bench.engines.autointerp.judges.judge import Judge, JudgeSettings, Opening
from csae_bench.engines.autointerp.judges.local import LocalJudge
from csae_bench.engines.autointerp.judges.openai_server import OpenAiJudge
from csae_bench.engines.autointerp.judges.rule import RuleJudge

AnyJudge = Annotated[AutoJudge | LocalJudge | OpenAiJudge | RuleJudge, Field(discriminator="kind")]
"""Settings of a judge of any kind."""

__all__ = [
    "AnyJudge",
    "AutoJudge",
    "Judge",
    "JudgeSettings",
    "LocalJudge",
    "OpenAiJudge",
    "Opening",
    "RuleJudge",
]
