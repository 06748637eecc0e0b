"""Quality of a model of the world: the figures of its model card."""

from itertools import islice, permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from csae_bench.tinyworld.corpus import DocumentSplit
from csae_bench.tinyworld.factor_grid import FactorGrid, factor_grid
from csae_bench.tinyworld.questions import LETTERS, FactQuestion, prompt, questions
from csae_bench.tinyworld.reading import next_logits, pooled_activations
from csae_bench.tinyworld.subjects import SUBJECTS
from csae_bench.tinyworld.token_stream import contexts
from csae_bench.tinyworld.tokenizer import token_ids
from csae_bench.tinyworld.trigram import fit_trigram, trigram_cross_entropy

if TYPE_CHECKING:
    from transformers import Gemma2ForCausalLM

DEFAULT_LAYER = 2
CONTEXT = 128
_BATCH = 32


class CrossEntropy(NamedTuple):
    """Nats a token on the same validation tokens."""

    model: float
    trigram: float


class LaterWord(NamedTuple):
    """Share of prompts at which a factor's later word is predicted."""

    overall: float
    """It is the likeliest of all tokens."""
    among_own: float
    """It is the likeliest of the factor's own later words."""


class Quality(NamedTuple):
    """All figures of a model."""

    questions: dict[str, float]
    """Per subject: share of questions right in all 24 orders of their choices."""
    cross_entropy: CrossEntropy
    probes: dict[str, float]
    """Per factor: accuracy on reserved templates of a probe fitted on training templates."""
    later_words: dict[str, LaterWord]
    """Per factor, on reserved templates."""


def judge(
    model: "Gemma2ForCausalLM",
    tokenizer: Tokenizer,
    *,
    n_questions: int | None = None,
    n_trigram_batches: int = 1200,
    n_validation_batches: int = 32,
    repeats: int = 3,
) -> Quality:
    """Measure all figures, in a few minutes on two cores; smaller numbers judge a sample.

    `n_questions`: the first so many of each subject, all by default; `n_trigram_batches`:
    4096 tokens each of the trigram's training text, which is the model's own; `repeats`: of
    the factor grid.
    """
    grid = factor_grid("test", repeats)
    return Quality(
        {s: question_accuracy(model, tokenizer, s, n_questions) for s in SUBJECTS},
        cross_entropy(model, tokenizer, n_trigram_batches, n_validation_batches),
        probe_accuracy(model, tokenizer, factor_grid("train", repeats), grid),
        later_word_accuracy(model, tokenizer, grid),
    )


def question_accuracy(
    model: "Gemma2ForCausalLM", tokenizer: Tokenizer, subject: str, n: int | None = None
) -> float:
    """Share of a subject's questions that are right in all 24 orders, read as SAE-Bench reads.

    The answer is the letter, with or without leading space, of highest probability.
    """
    asked = questions(subject)[:n]
    orders = list(permutations(range(len(LETTERS))))
    prompts = [prompt(subject, _reordered(q, order)) for q in asked for order in orders]
    letters = token_ids(tokenizer, [*LETTERS, *(f" {letter}" for letter in LETTERS)])
    logits = next_logits(model, tokenizer, prompts)[:, letters]
    said = logits.view(len(asked), len(orders), 2, len(LETTERS)).amax(2).argmax(-1)
    right = torch.tensor([[order.index(q.answer) for order in orders] for q in asked])
    return (said == right).all(1).double().mean().item()


def cross_entropy(
    model: "Gemma2ForCausalLM",
    tokenizer: Tokenizer,
    n_trigram_batches: int,
    n_validation_batches: int,
) -> CrossEntropy:
    """Score the model and a trigram model of its training text on the validation documents."""
    text = contexts(tokenizer, "lm", CONTEXT, _BATCH, seed=1)
    trigram = fit_trigram(
        (c.tokens for c in islice(text, n_trigram_batches)), tokenizer.get_vocab_size()
    )
    held_out = packed(tokenizer, "validation", n_validation_batches)
    return CrossEntropy(
        model_cross_entropy(model, held_out), trigram_cross_entropy(trigram, held_out)
    )


def packed(tokenizer: Tokenizer, split: DocumentSplit, n_batches: int) -> NDArray[np.int64]:
    """Return the first contexts of a split: [32 * n_batches, 128]."""
    batches = contexts(tokenizer, split, CONTEXT, _BATCH)
    return np.concatenate([c.tokens for c in islice(batches, n_batches)])


def model_cross_entropy(model: "Gemma2ForCausalLM", tokens: NDArray[np.int64]) -> float:
    """Mean nats of tokens[:, 2:], the ones that a trigram model can predict too."""
    total = 0.0
    for rows in torch.from_numpy(tokens).split(_BATCH):
        with torch.no_grad():
            logits = model(rows).logits[:, 1:-1]
        total += torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), rows[:, 2:].flatten(), reduction="sum"
        ).item()
    return total / tokens[:, 2:].size


def probe_accuracy(
    model: "Gemma2ForCausalLM", tokenizer: Tokenizer, train: FactorGrid, test: FactorGrid
) -> dict[str, float]:
    """Per factor: accuracy on `test` of logistic regression fitted on `train`.

    Input: mean-pooled activations at the default hook, standardised.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x_train, x_test = (
        pooled_activations(model, tokenizer, [p.text for p in g.prompts], DEFAULT_LAYER).numpy()
        for g in (train, test)
    )
    accuracy: dict[str, float] = {}
    for column, name in enumerate(train.names):
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        probe.fit(x_train, train.factors[:, column])
        accuracy[name] = float(probe.score(x_test, test.factors[:, column]))
    return accuracy


def later_word_accuracy(
    model: "Gemma2ForCausalLM", tokenizer: Tokenizer, grid: FactorGrid
) -> dict[str, LaterWord]:
    """Per factor: how often the model's next token is the later word that the factor asks for."""
    accuracy: dict[str, LaterWord] = {}
    for name in grid.names:
        follow_ups = [p.follow_ups[name] for p in grid.prompts]
        logits = next_logits(model, tokenizer, [p.later_prompt(name) for p in grid.prompts])
        own = torch.tensor([token_ids(tokenizer, f.words) for f in follow_ups])
        answer = torch.tensor([f.answer for f in follow_ups])
        target = own.gather(1, answer[:, None]).squeeze(1)
        accuracy[name] = LaterWord(
            (logits.argmax(1) == target).double().mean().item(),
            (logits.gather(1, own).argmax(1) == answer).double().mean().item(),
        )
    return accuracy


def _reordered(question: FactQuestion, order: tuple[int, ...]) -> FactQuestion:
    return FactQuestion(
        question.question, [question.choices[i] for i in order], order.index(question.answer)
    )
