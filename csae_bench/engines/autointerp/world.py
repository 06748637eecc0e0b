"""What a judge by rules knows of a world: which word says which value of which factor.

It is learnt from a dataset of labelled texts, and from nothing of any SAE: a word says a value if
all texts that hold the word have that value, more of them than chance allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from scipy import sparse

from csae_bench.corpora import TINYWORLD
from csae_bench.engines.autointerp.messages import words_of
from csae_bench.errors import DataError
from csae_bench.factors import FactorDataset, factor_fingerprint, open_factors

MAX_CHANCE = 1e-4
"""Chance, at most, that all texts with a word have one value though it says nothing of it."""
STORY = "story"
"""Value of tinyworld's factor `subject` in a text that is about none."""
N_SCENES, N_QUESTION_SEEDS = 2000, 10
"""So many that half of the texts are stories, and each word of either kind occurs often enough."""
N_BACKGROUND = 600
"""Labelled texts in which it is counted how often a rule fires."""

NOTHING = -1


class ReadWords(NamedTuple):
    """Words of some texts, one after the other, and what is known at each."""

    words: Int[NDArray[Any], " n_words"]
    """Places in the vocabulary that they were read with."""
    before: Int[NDArray[Any], " n_words"]
    """The word before each in its text; `NOTHING` for the first one."""
    says: Bool[NDArray[Any], "n_words n_values"]
    """Whether the word says the value."""
    holds: Bool[NDArray[Any], "n_words n_values"]
    """Whether the value is the last one of its factor that was said in the text so far."""


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """Words and the values of factors that they say."""

    values: tuple[str, ...]
    """`topic=music`, all values of a factor in a row."""
    factor_of: Int[NDArray[Any], " n_values"]
    """The factor that each value is of, by number."""
    vocabulary: Mapping[str, int]
    says: Bool[NDArray[Any], "n_vocabulary n_values"]
    background: ReadWords
    """Some of the labelled texts."""

    def read(
        self, texts: Iterable[Sequence[str]], vocabulary: dict[str, int] | None = None
    ) -> ReadWords:
        """Read texts, given as words.

        Args:
            vocabulary: this world's with others' words, to which new ones are added; None: new
                words are all one, which says nothing.
        """
        known = self.vocabulary if vocabulary is None else vocabulary
        ids: list[int] = []
        before: list[int] = []
        starts: list[int] = []
        for text in texts:
            starts.append(len(ids))
            last = NOTHING
            for word in text:
                if vocabulary is not None:
                    vocabulary.setdefault(word, len(vocabulary))
                before.append(last)
                last = known.get(word, len(known))
                ids.append(last)
        words = np.array(ids, dtype=np.int64)
        says = np.zeros((len(words), len(self.values)), dtype=bool)
        is_known = words < len(self.says)
        says[is_known] = self.says[words[is_known]]
        holds = _held(says, self.factor_of, starts)
        return ReadWords(words, np.array(before, dtype=np.int64), says, holds)


class Labelled(NamedTuple):
    """A text and the values that are known of it, by factor."""

    text: str
    values: Mapping[str, str]


def world_of(name: str) -> World:
    """Return the world of a factor dataset of texts; it is learnt once, in seconds.

    Raises:
        UnknownNameError: there is no such dataset.
        DataError: the dataset has activations and no texts, or none of its words says anything.
    """
    return _world(name, factor_fingerprint(name))


@lru_cache(maxsize=4)
def _world(name: str, fingerprint: str) -> World:
    datasets = factor_texts(name)
    factors = {
        factor: list(values)
        for factor, values in zip(datasets[0].names, datasets[0].value_names, strict=True)
    }
    texts = [text for dataset in datasets for text in _labelled(dataset)]
    if name == TINYWORLD:
        stories = [Labelled(text, {"subject": STORY}) for each in datasets for text in each.prompts]
        of_subjects = [*stories, *_tinyworld_texts()]
        factors["subject"] = list(dict.fromkeys(text.values["subject"] for text in of_subjects))
        texts += of_subjects
    world = _learnt(texts, factors)
    if not world.says.any():
        raise DataError(f"factor dataset '{name}': none of its words says a value of a factor.")
    return world


def factor_texts(name: str, *, seed: int = 0) -> tuple[FactorDataset, ...]:
    """Open all texts of a factor dataset: both splits, where it has two.

    Raises:
        DataError: it has activations and no texts.
    """
    test = open_factors(name, split="test", seed=seed)
    if not test.prompts:
        raise DataError(
            f"factor dataset '{name}' has activations; a judge by rules needs one of texts."
        )
    return (test,) if test.split == "all" else (test, open_factors(name, split="train", seed=seed))


def _labelled(dataset: FactorDataset) -> Iterator[Labelled]:
    rows = [
        {
            factor: names[value]
            for factor, names, value in zip(dataset.names, dataset.value_names, row, strict=True)
        }
        for row in dataset.factors.tolist()
    ]
    for text, values in zip(dataset.prompts, rows, strict=True):
        yield Labelled(text, values)
    for factor, readout in dataset.readouts.items():
        column = dataset.column(factor)
        for stem, words, value, row in zip(readout.stems, readout.words, column, rows, strict=True):
            yield Labelled(f"{stem}{words[value]}", row)


def _tinyworld_texts() -> Iterator[Labelled]:
    """Yield scenery of stories, facts in each wording, and questions on them, by subject."""
    from csae_bench.tinyworld.facts import facts
    from csae_bench.tinyworld.questions import prompt, questions
    from csae_bench.tinyworld.scenery import scene
    from csae_bench.tinyworld.subjects import SUBJECTS

    rng = Random("autointerp/scenery")
    for _ in range(N_SCENES):
        yield Labelled(scene(rng), {"subject": STORY})
    for subject, told in SUBJECTS.items():
        for fact in facts(subject):
            for wording in told.relations[fact.relation].statements:
                name = f"the {fact.thing} {told.kind}"
                yield Labelled(wording.format(e=name, v=fact.answer), {"subject": subject})
        for seed in range(N_QUESTION_SEEDS):
            for asked in questions(subject, seed):
                yield Labelled(prompt(subject, asked), {"subject": subject})


def _learnt(texts: Sequence[Labelled], factors: Mapping[str, Sequence[str]]) -> World:
    values = [f"{factor}={value}" for factor, names in factors.items() for value in names]
    place = {value: i for i, value in enumerate(values)}
    factor_of = np.repeat(np.arange(len(factors)), [len(names) for names in factors.values()])
    in_words = [tuple(word.text for word in words_of(text.text)) for text in texts]
    vocabulary = {word: i for i, word in enumerate(sorted({w for text in in_words for w in text}))}
    has_word = _one_hot([{vocabulary[w] for w in text} for text in in_words], len(vocabulary))
    labels = [{place[f"{f}={v}"] for f, v in text.values.items()} for text in texts]
    has_value = _one_hot(labels, len(values))
    counts = (has_word.T @ has_value).toarray()
    shares = np.asarray(has_value.sum(0)).ravel()
    says = np.zeros(counts.shape, dtype=bool)
    for factor in range(len(factors)):
        columns = factor_of == factor
        n, share = counts[:, columns].sum(1), shares[columns] / shares[columns].sum()
        is_only = counts[:, columns] == n[:, None]
        with np.errstate(under="ignore"):
            says[:, columns] = is_only & (share ** n[:, None] < MAX_CHANCE)
    bare = World(
        values=tuple(values),
        factor_of=factor_of,
        vocabulary=vocabulary,
        says=says,
        background=ReadWords(*(np.zeros(0, dtype=np.int64),) * 2, *(np.zeros((0, 0), bool),) * 2),
    )
    drawn = np.random.default_rng(0).permutation(len(texts))[:N_BACKGROUND]
    return World(
        values=bare.values,
        factor_of=factor_of,
        vocabulary=vocabulary,
        says=says,
        background=bare.read(in_words[i] for i in drawn.tolist()),
    )


def _one_hot(rows: Sequence[set[int]], n_columns: int) -> Any:
    """Return an int csr_array [n_rows, n_columns] with a 1 at each place."""
    ends = np.cumsum([0, *(len(row) for row in rows)])
    columns = np.fromiter((column for row in rows for column in sorted(row)), np.int64)
    ones = np.ones(len(columns), dtype=np.int64)
    return sparse.csr_array((ones, columns, ends), shape=(len(rows), n_columns))


def _held(
    says: Bool[NDArray[Any], "n_words n_values"],
    factor_of: Int[NDArray[Any], " n_values"],
    starts: Sequence[int],
) -> Bool[NDArray[Any], "n_words n_values"]:
    """Return which values hold at each word: the last that was said, from the text's start on."""
    holds = says.copy()
    first = set(starts)
    for i in range(1, len(says)):
        if i in first:
            continue
        said = np.isin(factor_of, factor_of[says[i]]) if says[i].any() else None
        holds[i] = holds[i - 1] if said is None else np.where(said, says[i], holds[i - 1])
    return holds
