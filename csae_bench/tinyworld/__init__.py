"""TinyWorld: a small language model of a synthetic language whose ground truth is known.

The corpus, facts and questions here are pure Python and numpy; training and judging
the model (`lm`, `quality`) need torch and transformers and are imported by name.
"""

from pathlib import Path

from csae_bench.tinyworld.corpus import (
    SPLITS,
    DocumentSplit,
    documents,
    forget_corpus,
    retain_corpus,
)
from csae_bench.tinyworld.factor_grid import FactorGrid, FactorPrompt, factor_grid, paraphrases
from csae_bench.tinyworld.facts import Fact, facts
from csae_bench.tinyworld.questions import FactQuestion, questions
from csae_bench.tinyworld.sentences import FactorValues, FollowUp
from csae_bench.tinyworld.subjects import FORGET_SUBJECT, RETAIN_SUBJECTS
from csae_bench.tinyworld.words import FACTORS

MODEL_NAME = "tiny-gemma2-it"
DEFAULT_HOOK = "blocks.2.hook_resid_post"
"""After two thirds of the model's four layers."""


def model_dir() -> Path:
    """Return the folder of the shipped model, in Hugging Face's layout."""
    return Path(__file__).parent / MODEL_NAME


__all__ = [
    "DEFAULT_HOOK",
    "FACTORS",
    "FORGET_SUBJECT",
    "MODEL_NAME",
    "RETAIN_SUBJECTS",
    "SPLITS",
    "DocumentSplit",
    "Fact",
    "FactQuestion",
    "FactorGrid",
    "FactorPrompt",
    "FactorValues",
    "FollowUp",
    "documents",
    "factor_grid",
    "facts",
    "forget_corpus",
    "model_dir",
    "paraphrases",
    "questions",
    "retain_corpus",
]
