"""Check that a tokenizer suits SAE-Bench's questions, by how it splits a few strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from csae_bench.engines.unlearning.data import N_CHOICES

LETTERS = "ABCD"
N_SPELLINGS = 2
"""Each letter by itself, and after a space."""
ANSWERS = (*LETTERS, *(f" {letter}" for letter in LETTERS))
MARKERS = ("<bos>", "<start_of_turn>", "<end_of_turn>")
"""Parts of SAE-Bench's prompt for Gemma."""

assert len(LETTERS) == N_CHOICES


def chat_problems(encode: Callable[[str], Sequence[int]], model_name: str) -> list[str]:
    """List what keeps the model from being asked; empty if nothing does.

    Args:
        encode: a text's tokens, without any that the tokenizer adds by itself.
    """
    split = [answer for answer in ANSWERS if len(encode(answer)) != 1]
    missing = [marker for marker in MARKERS if len(encode(marker)) != 1]
    problems: list[str] = []
    if split:
        shown = ", ".join(f"'{answer}' ({len(encode(answer))})" for answer in split)
        problems.append(
            f"{model_name}: its tokenizer splits the answers {shown} into several tokens or none; "
            "SAE-Bench reads the answer off one token, so name another model with "
            "evals.unlearning.model."
        )
    if missing:
        problems.append(
            f"{model_name}: its tokenizer has no token {', '.join(missing)}; SAE-Bench asks in "
            "Gemma's chat format, so name a model that speaks it, such as google/gemma-2-2b-it, "
            "with evals.unlearning.model."
        )
    return problems
