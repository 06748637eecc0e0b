"""Requirements of the unlearning eval: a model that can be asked, and sound data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from csae_bench import models
from csae_bench.corpora import TINYWORLD
from csae_bench.engines.unlearning.chat import chat_problems
from csae_bench.engines.unlearning.sources import Status, data_fingerprint, data_status
from csae_bench.models import ModelInfo

_INSTRUCT_GEMMA = re.compile(r"(^|/)gemma-.*-it$")


def model_problems(name: str) -> list[str]:
    """List what keeps a model from being asked SAE-Bench's questions, as far as small files tell.

    Of a hub model its name alone is known here.
    """
    model = models.describe(name)
    if model.path is None:
        if _INSTRUCT_GEMMA.search(model.name):
            return []
        remedy = f"; set evals.unlearning.model={model.name}-it" if "gemma" in model.name else ""
        return [
            "SAE-Bench's questions are written for instruction-tuned Gemma models, and "
            f"{model.name} is none{remedy}"
        ]
    return _tokenizer_problems(model)


@dataclass(frozen=True, kw_only=True)
class QuestionsInput:
    """Questions and texts, and the model that is asked them."""

    name: str
    """The data, `auto` resolved."""
    model: str
    d_in_model: str | None
    """The SAE's own model, whose activations must be as wide; None: the same."""
    forget_corpus: str | None
    seq_len: int
    key: str = ""
    kind: str = "questions"

    def status(self) -> list[Status]:
        """Return what can be said of model and data, as far as small files tell."""
        return _status(self)

    def fingerprint(self) -> str:
        """Return a hash of questions and texts, or of their files' stamps."""
        return data_fingerprint(self.name, self.forget_corpus)


def _status(asked: QuestionsInput) -> list[Status]:
    model, data, d_in_model, seq_len = asked.model, asked.name, asked.d_in_model, asked.seq_len
    statuses: list[Status] = [("problem", problem) for problem in model_problems(model)]
    info = models.describe(model)
    if d_in_model is not None:
        own = models.describe(d_in_model)
        if own.d_model != info.d_model:
            statuses.append(
                (
                    "problem",
                    f"model is {info.name}, with d_model={info.d_model}; the SAE is of {own.name}, "
                    f"with {own.d_model}. Name a model of the same shape.",
                )
            )
    if data == TINYWORLD and info.kind == "hub":
        statuses.append(
            (
                "problem",
                f"data is 'tinyworld', invented facts that {info.name} cannot know; set "
                "evals.unlearning.data=hub",
            )
        )
    if seq_len > info.n_ctx:
        statuses.append(
            ("problem", f"seq_len is {seq_len}; {info.name} takes at most {info.n_ctx} tokens.")
        )
    return [*statuses, *data_status(data, asked.forget_corpus)]


def _tokenizer_problems(model: ModelInfo) -> list[str]:
    from tokenizers import Tokenizer

    assert model.path is not None
    path = model.path / "tokenizer.json"
    if not path.is_file():
        return []  # other kinds take transformers to read; the run looks again
    tokenizer = Tokenizer.from_file(str(path))

    def encode(text: str) -> Sequence[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    return chat_problems(encode, model.name)
