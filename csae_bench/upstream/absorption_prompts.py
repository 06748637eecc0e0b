"""Which words are one token in SAE-Bench's prompts, at the place where it reads activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sae_bench.evals.absorption.prompting import first_letter_formatter
from transformer_lens import HookedTransformer

from csae_bench.errors import EvalError

_N_AT_ONCE = 4096
_LEAST_SHARE = 0.1
"""Of the words; fewer are one token by chance, at a place that is not the word's."""


def whole_words(
    model: HookedTransformer, words: Sequence[str], template: str, position: int
) -> list[str]:
    """Return the words that are one token, at `position` of the prompt that ends on them.

    SAE-Bench raises at the first letter among whose prompts one is longer than the others.

    Raises:
        EvalError: almost none is: the position does not fit the template and the tokenizer.
    """
    tokenizer: Any = model.tokenizer
    answer = first_letter_formatter()
    whole: list[str] = []
    shortest: int | None = None
    kept: list[tuple[str, int]] = []
    example = ""
    for start in range(0, len(words), _N_AT_ONCE):
        some = words[start : start + _N_AT_ONCE]
        texts = [f"\n{template.format(word=word)}" for word in some]
        asked = tokenizer(texts, add_special_tokens=False)["input_ids"]
        answered = tokenizer(
            [text + answer(word) for text, word in zip(texts, some, strict=True)],
            add_special_tokens=False,
        )["input_ids"]
        for word, ids, with_answer in zip(some, asked, answered, strict=True):
            token = tokenizer.convert_ids_to_tokens(ids[position]) if len(ids) >= -position else ""
            at_place = tokenizer.convert_tokens_to_string([token]).strip() if token else ""
            example = example or f"'{at_place}' in place of '{word.strip()}'"
            if at_place == word.strip():
                kept.append((word, len(with_answer)))
                shortest = min(shortest or len(with_answer), len(with_answer))
    whole = [word for word, length in kept if length == shortest]
    if len(whole) < _LEAST_SHARE * len(words):
        raise EvalError(
            f"evals.absorption_first_letter.prompt_token_pos is {position}, and there stands "
            f"{example}; it must be the place of the word in '{template}', counted from the end."
        )
    return whole
