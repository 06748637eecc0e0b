"""Words of a tokenizer by first letter: which are used, and whether there are enough of them.

Importing this imports neither torch nor transformers.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from csae_bench import models
from csae_bench.support.hashes import kept_counts

LETTERS = string.ascii_lowercase

MIN_WORDS = 20
"""Words of a letter below which its probe cannot be trained and tested, whatever the model."""

_MAX_NAMED = 5
_WORD_LEVEL = (0,)


def skip_reason(model: str) -> str | None:
    """Return why a model's tokenizer has no words to spell; None where it has, or is unknown here.

    A model on the hub is looked at when the eval runs.
    """
    info = models.describe(model)
    path = None if info.path is None else info.path / "tokenizer.json"
    if path is None or not path.is_file():
        return None
    counts = _kept_counts(path, path.stat().st_mtime_ns)
    if counts == _WORD_LEVEL:
        return (
            f"{info.name} has a word-level tokenizer: to the model a word is one sign, whose "
            "spelling it never sees"
        )
    return few_words(dict(zip(LETTERS, counts, strict=True)), info.name)


def few_words(counts: Mapping[str, int], model_name: str) -> str | None:
    """Return which letters have too few words; None if none has."""
    few = {letter: n for letter, n in counts.items() if n < MIN_WORDS}
    if not few:
        return None
    named = ", ".join(f"{letter} {n}" for letter, n in list(few.items())[:_MAX_NAMED])
    more = f" and {len(few) - _MAX_NAMED} more" if len(few) > _MAX_NAMED else ""
    return (
        f"the tokenizer of {model_name} has too few words that are one token for {len(few)} of "
        f"{len(LETTERS)} first letters ({named}{more}); each needs {MIN_WORDS}"
    )


def n_by_letter(words: Iterable[str]) -> dict[str, int]:
    """Count words by first letter."""
    counts = dict.fromkeys(LETTERS, 0)
    for word in words:
        counts[first_letter(word)] += 1
    return counts


def first_letter(word: str) -> str:
    """Return the first letter of a word, which may follow a space, in lower case."""
    return word.strip()[0].lower()


def chosen(words: Sequence[str], per_letter: int | None, seed: int) -> list[str]:
    """Return at most so many words of each letter, sorted; None for all of them.

    Args:
        seed: of the choice. The order of `words` does not matter: transformers lists a
            tokenizer's tokens in another order in every process.
    """
    ordered = sorted(set(words))
    if per_letter is None:
        return ordered
    rng = np.random.default_rng(seed)
    kept: list[str] = []
    for letter in LETTERS:
        of_letter = [word for word in ordered if first_letter(word) == letter]
        if len(of_letter) > per_letter:
            of_letter = [
                of_letter[i] for i in rng.choice(len(of_letter), per_letter, replace=False)
            ]
        kept += of_letter
    return sorted(kept)


@lru_cache(maxsize=16)
def _kept_counts(path: Path, _mtime_ns: int) -> tuple[int, ...]:
    """Return the number of words of each letter; `_WORD_LEVEL` where each word is one sign."""
    return tuple(kept_counts("words by first letter, 1", [path], lambda: _counts(path)))


def _counts(path: Path) -> Sequence[int]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    if type(tokenizer.model).__name__ == "WordLevel":
        return _WORD_LEVEL
    decode = tokenizer.decoder.decode if tokenizer.decoder is not None else "".join
    # as SAE-Bench's get_alpha_tokens
    texts = (decode([token]) for token in tokenizer.get_vocab())
    return list(n_by_letter(text for text in texts if is_word(text)).values())


def is_word(text: str) -> bool:
    """Test whether a text is letters of the English alphabet, after at most one space."""
    letters = text.removeprefix(" ")
    return letters.isascii() and letters.isalpha()
