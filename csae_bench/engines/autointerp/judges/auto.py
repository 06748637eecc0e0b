"""The judge that suits the text: rules where factors are known, none elsewhere."""

from __future__ import annotations

from typing import Literal

from typing_extensions import override

from csae_bench.engines.autointerp.judges.judge import Judge, JudgeSettings, Opening


class AutoJudge(JudgeSettings):
    """Rules where the text's factors are known; elsewhere the eval is skipped."""

    kind: Literal["auto"] = "auto"

    @override
    def open(self, opening: Opening) -> Judge:
        raise AssertionError("auto is resolved before a judge is opened")

    @override
    def called(self, model: str) -> str:
        raise AssertionError("auto is resolved before a judge is called by its name")
