"""Checks of the unlearning eval: a model that can be asked, and data that is there and sound."""

from __future__ import annotations

import re
from collections.abc import Sequence

from csae_bench import models
from csae_bench.corpora import EMBEDDED
from csae_bench.models import ModelInfo
from csae_bench.unlearning.chat import chat_problems
from csae_bench.unlearning.sources import Status, data_status

_INSTRUCT_GEMMA = re.compile(r"(^|/)gemma-.*-it$")


def model_problems(name: str) -> list[str]:
    """What keeps a model from being asked SAE-Bench's questions, as far as small files tell.

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


def unlearning_status(
    *, model: str, d_in_model: str | None, data: str, forget_corpus: str | None, seq_len: int
) -> list[Status]:
    """What can be said before a run of the model and the data that the eval would use.

    Args:
        d_in_model: the SAE's own model, whose activations must be as wide; none: the same.
    """
    found: list[Status] = [("problem", problem) for problem in model_problems(model)]
    info = models.describe(model)
    if d_in_model is not None:
        own = models.describe(d_in_model)
        if own.d_model != info.d_model:
            found.append(
                (
                    "problem",
                    f"model is {info.name}, with d_model={info.d_model}; the SAE is of {own.name}, "
                    f"with {own.d_model}. Name a model of the same shape.",
                )
            )
    if data == EMBEDDED and info.kind == "hub":
        found.append(
            (
                "problem",
                f"data is 'embedded', invented facts that {info.name} cannot know; set "
                "evals.unlearning.data=hub",
            )
        )
    if seq_len > info.n_ctx:
        found.append(
            ("problem", f"seq_len is {seq_len}; {info.name} takes at most {info.n_ctx} tokens.")
        )
    return [*found, *data_status(data, forget_corpus)]


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
