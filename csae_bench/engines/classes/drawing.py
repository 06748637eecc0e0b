"""Draws of as many texts of each class as an eval asks for; training and test share none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from csae_bench.engines.classes.names import dataset_name
from csae_bench.engines.classes.sources import LabelledRows, Pool, open_pool
from csae_bench.errors import CsaeBenchError, DataError

_TEST_SHARE = 5
"""One text in so many is for testing, of a dataset without a split of its own."""


class Sizes(NamedTuple):
    """Rows of a probe: half of them are of its class."""

    train: int
    test: int


SAE_BENCH_SIZES = Sizes(4000, 1000)
LEAST_SIZES = Sizes(40, 20)
"""Rows below which no probe is trained."""


@dataclass(frozen=True, kw_only=True)
class ClassTexts:
    """Texts by class."""

    name: str
    train: Mapping[str, tuple[str, ...]]
    test: Mapping[str, tuple[str, ...]]


class Quadrant(NamedTuple):
    """A text and its values of two labels."""

    text: str
    first: str
    second: str


@dataclass(frozen=True, kw_only=True)
class PairedTexts:
    """Texts with two labels, of which a probe confuses one with the other."""

    name: str
    first_pairs: tuple[tuple[str, str], ...]
    """Pairs of values of the first label; each is an experiment of its own."""
    second: tuple[str, str]
    """The second label's two values."""
    train: tuple[Quadrant, ...]
    """In random order."""
    test: tuple[Quadrant, ...]


def draw_classes(name: str, sizes: Sizes, seed: int) -> ClassTexts:
    """Draw `sizes.train // 2` and `sizes.test // 2` texts of each class, as SAE-Bench counts.

    Raises:
        DataError: the dataset is missing or malformed, or a class has fewer texts.
        UsageError: the package that it comes from is not installed.
    """
    pool = open_pool(dataset_name(name), n_labels=1)
    _check_least(sizes)
    n_train, n_test = sizes.train // 2, sizes.test // 2
    train: dict[str, tuple[str, ...]] = {}
    test: dict[str, tuple[str, ...]] = {}
    for value in pool.values[0]:
        rng = Random(f"{name}/{value}/{seed}")
        texts = _shuffled(pool.train, {0: value}, rng)
        if pool.test is None:
            _check(pool, value, len(texts), n_train + n_test, "of both")
            rest = texts[n_train:]
        else:
            rest = _shuffled(pool.test, {0: value}, rng)
            _check(pool, value, len(texts), n_train, "for training")
            _check(pool, value, len(rest), n_test, "for testing")
        train[value], test[value] = texts[:n_train], rest[:n_test]
    return ClassTexts(name=name, train=train, test=test)


def draw_pairs(name: str, sizes: Sizes, seed: int) -> PairedTexts:
    """Draw texts for SAE-Bench's spurious correlation: a quarter of the size in each quadrant.

    Twice as many, and one more, are drawn where both labels have their first value, or both their
    second: the biased probe learns on these alone.

    Raises:
        DataError: the dataset is missing or malformed, or has too few texts of a combination, or
            its second label has not two values.
        UsageError: the package that it comes from is not installed.
    """
    pool = open_pool(dataset_name(name), n_labels=2)
    _check_least(sizes)
    first, second = pool.values
    if len(second) != 2:
        raise DataError(
            f"dataset '{name}': '{pool.label_names[1]}', the label that is confused with "
            f"'{pool.label_names[0]}', has {len(second)} values; it must have two."
        )
    pairs = tuple((first[i], first[i + 1]) for i in range(0, len(first) - 1, 2))
    train: list[Quadrant] = []
    test: list[Quadrant] = []
    for pair in pairs:
        for value in pair:
            for other in second:
                twice = (value == pair[0]) == (other == second[0])
                needed = Sizes(*(2 * (n // 4) + 1 if twice else n // 4 for n in sizes))
                rng = Random(f"{name}/{value}/{other}/{seed}")
                drawn = _of_quadrant(pool, value, other, needed, rng)
                train += (Quadrant(text, value, other) for text in drawn[0])
                test += (Quadrant(text, value, other) for text in drawn[1])
    rng = Random(f"{name}/{seed}")
    rng.shuffle(train)
    rng.shuffle(test)
    return PairedTexts(
        name=name,
        first_pairs=pairs,
        second=(second[0], second[1]),
        train=tuple(train),
        test=tuple(test),
    )


def _of_quadrant(
    pool: Pool, first: str, second: str, needed: Sizes, rng: Random
) -> tuple[Sequence[str], Sequence[str]]:
    what = f"{first}, {second}"
    texts = _shuffled(pool.train, {0: first, 1: second}, rng)
    if pool.test is None:
        _check(pool, what, len(texts), sum(needed), "of both")
        rest = texts[needed.train :]
    else:
        rest = _shuffled(pool.test, {0: first, 1: second}, rng)
        _check(pool, what, len(texts), needed.train, "for training")
        _check(pool, what, len(rest), needed.test, "for testing")
    return texts[: needed.train], rest[: needed.test]


def _shuffled(rows: LabelledRows, wanted: Mapping[int, str], rng: Random) -> tuple[str, ...]:
    texts = _distinct(rows, wanted)
    rng.shuffle(texts)
    return tuple(texts)


def _distinct(rows: LabelledRows, wanted: Mapping[int, str]) -> list[str]:
    """Return the distinct texts with these values of the labels."""
    chosen = dict.fromkeys(
        text
        for i, text in enumerate(rows.texts)
        if all(rows.labels[label][i] == value for label, value in wanted.items())
    )
    return list(chosen)


def _check_least(sizes: Sizes) -> None:
    if sizes.train < LEAST_SIZES.train or sizes.test < LEAST_SIZES.test:
        raise DataError(
            f"the smallest class of all datasets has texts for {sizes.train} rows of training and "
            f"{sizes.test} of testing; probes need {LEAST_SIZES.train} and {LEAST_SIZES.test}. Add "
            "texts of it, or leave its dataset out."
        )


def _check(pool: Pool, what: str, n: int, needed: int, use: str) -> None:
    if n < needed:
        raise DataError(
            f"dataset '{pool.name}' has {n} distinct texts of '{what}' {use}; the sizes of the "
            f"training and test set ask for {needed}. Lower them, or add texts."
        )


def chosen_sizes(
    names: Sequence[str], train: int | None, test: int | None, *, has_two_labels: bool = False
) -> Sizes:
    """Return the sizes that are set, or else SAE-Bench's as far as all datasets have the texts.

    Of a dataset without a split of its own a fifth is for testing. A dataset that is missing or
    malformed counts for nothing here; `draw_classes` and `draw_pairs` say what is wrong.
    """
    sizes = SAE_BENCH_SIZES
    if train is not None and test is not None:
        return Sizes(train, test)
    for name in names:
        with suppress(CsaeBenchError):
            asked = dataset_name(name)
            if asked.kind != "hub":
                pool = open_pool(asked, n_labels=2 if has_two_labels else 1)
                largest = _largest_of_pairs(pool) if has_two_labels else _largest(pool)
                sizes = Sizes(*map(min, sizes, largest))
    return Sizes(train or sizes.train, test or sizes.test)


def _largest(pool: Pool) -> Sizes:
    counts = (_split_counts(pool, {0: value}) for value in pool.values[0])
    return Sizes(*(2 * min(of_use) for of_use in zip(*counts, strict=True)))


def _largest_of_pairs(pool: Pool) -> Sizes:
    first, second = pool.values
    largest: list[tuple[int, int]] = []
    for i, value in enumerate(first[: len(first) // 2 * 2]):
        for j, other in enumerate(second):
            counts = _split_counts(pool, {0: value, 1: other})
            twice = i % 2 == j % 2
            largest.append(tuple(4 * ((n - 1) // 2 if twice else n) for n in counts))  # pyright: ignore[reportArgumentType]
    return Sizes(*(min(of_use) for of_use in zip(*largest, strict=True)))


def _split_counts(pool: Pool, wanted: Mapping[int, str]) -> tuple[int, int]:
    n = len(_distinct(pool.train, wanted))
    if pool.test is None:
        return n - n // _TEST_SHARE, n // _TEST_SHARE
    return n, len(_distinct(pool.test, wanted))
