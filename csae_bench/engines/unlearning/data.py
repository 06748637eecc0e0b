"""Data of an unlearning eval: questions by subject, and two kinds of running text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

FORGET = "wmdp-bio"
RETAIN = (
    "high_school_us_history",
    "college_computer_science",
    "high_school_geography",
    "human_aging",
)
SUBJECTS = (FORGET, *RETAIN)
"""Names by which SAE-Bench asks for questions: WMDP's, to forget, and four of MMLU, to retain."""

N_CHOICES = 4

MIN_CHARACTERS = 50
"""Texts of at most so many characters are not read; SAE-Bench's `min_len`."""


class Scale(NamedTuple):
    """Amount of text that is read, batch size, and strength of the clamping."""

    dataset_size: int
    """Sequences of each kind of text, at most."""
    seq_len: int
    """Tokens in a sequence."""
    llm_batch_size: int
    """Sequences in a forward pass."""
    n_features_list: tuple[int, ...]
    """Numbers of latents that are clamped."""
    multipliers: tuple[int, ...]
    """Multipliers; active latents are clamped to minus these."""


SAE_BENCH_SCALE = Scale(1024, 1024, 4, (10, 20), (25, 50, 100, 200))
"""SAE-Bench's, with the batch it has for gemma-2-2b-it."""
TINYWORLD_SCALE = Scale(256, 128, 32, (3, 10), (4, 8, 12, 16))
"""For the bundled model, whose context is 256 and whose codes are smaller than Gemma's: at
SAE-Bench's multipliers every setting damages what is to be retained, and trained SAEs score 0."""


class Question(NamedTuple):
    """A row as in WMDP and MMLU."""

    question: str
    choices: tuple[str, ...]
    """Four."""
    answer: int
    """Index of the right choice."""


@dataclass(frozen=True, kw_only=True)
class UnlearningData:
    """Questions and texts, all in memory."""

    name: str
    """`tinyworld`, `hub`, or the folder's path."""
    description: str
    """Topic of the questions, in plain words, for the result."""
    questions: Mapping[str, tuple[Question, ...]]
    """By subject, in the order of `SUBJECTS`."""
    forget_texts: tuple[str, ...]
    """Running text about what is to be forgotten: it says which latents know it."""
    retain_texts: tuple[str, ...]
    """Running text about everything else: latents that fire here are let be."""

    @cached_property
    def questions_digest(self) -> str:
        """SHA-256 of the questions."""
        return _digest({name: list(rows) for name, rows in self.questions.items()})

    @cached_property
    def texts_digest(self) -> str:
        """SHA-256 of the texts, in their order."""
        return _digest({"forget": self.forget_texts, "retain": self.retain_texts})


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
