"""Real English text: the documents of the datasets that the package sae-probes ships.

A document is a text of one of the datasets of PROSE. Two texts whose first 40 words are the same,
whatever their case and spaces, are one document; the first is kept. A document is in the split
`core` or `sae` by a hash of these words, and in neither if a dataset that is kept for probing has
it. So neither split, nor the probing datasets, share a document with another of the three.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from csae_bench.corpora import sae_probes_sources
from csae_bench.corpora.files import file_stamps, sha256
from csae_bench.corpora.probing_files import (
    OF_PACKAGE,
    SUFFIX,
    installed_version,
    package_datasets,
    read_rows,
)
from csae_bench.corpora.sae_probes_sources import PROBING_DATASETS, Source, sources
from csae_bench.errors import DataError, UsageError
from csae_bench.support.hashes import kept_counts, kept_hash

CORE_PERCENT = 5
"""Documents of `core`, in percent of all."""
MIN_WORDS = 30
"""Words of the shortest document."""
MIN_ENGLISH = 0.15
"""Least share of `ENGLISH_WORDS` among a document's first words; code, lists and other languages
have less. In prose it is a third, in the tersest news a sixth."""
_SMALL_WORDS = (
    "the of and to a in is was that for it on with as be by at this are from i he you she we they "
    "not or have had but an my his her their so if which has were been will would there what when "
    "who all about"
)
ENGLISH_WORDS = frozenset(_SMALL_WORDS.split())
_KEY_WORDS = 40
_PROSE_WORDS = 200
"""Words of a document that are looked at to tell whether it is English prose."""


class Documents(NamedTuple):
    """Texts of both splits, in the order of the datasets."""

    sae: tuple[str, ...]
    core: tuple[str, ...]


def sae_probes_rows(
    split: Literal["sae", "core"], seed: int
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the documents of a split in random order, so that each part of it has all genres.

    Raises:
        UsageError: sae-probes is not installed.
        DataError: one of its files is missing or broken.
    """
    texts: tuple[str, ...] = getattr(documents(), split)
    order = list(range(len(texts)))
    Random(f"sae_probes/{split}/{seed}").shuffle(order)
    for index in order:
        yield index, {"text": texts[index]}


def documents() -> Documents:
    """Read the documents of the installed package; once, and in some three seconds.

    Raises:
        UsageError: sae-probes is not installed.
        DataError: one of its files is missing or broken.
    """
    paths = _paths()
    return _read(paths, tuple(file_stamps(paths)))


def sae_probes_summary() -> str:
    """Say how much text there is.

    Raises:
        UsageError: sae-probes is not installed.
        DataError: one of its files is missing or broken.
    """
    n_sae, n_core, sae_characters, core_characters = kept_counts(
        f"documents of sae-probes, {_code()}", _paths(), _count
    )
    return (
        f"English prose of sae-probes {installed_version()}: {n_sae:,} documents of "
        f"{sae_characters / 1e6:.1f} million characters to train on, {n_core:,} of "
        f"{core_characters / 1e6:.1f} million for core"
    )


def sae_probes_parts() -> list[str]:
    """Return what decides the text: the package's version and files, and the code that selects.

    A package that is missing or broken has no files; preflight says so.
    """
    try:
        paths = _paths()
        return [installed_version(), _code(), files_hash(paths)]
    except (UsageError, OSError):
        return [_code()]


def dataset_paths(names: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files of datasets of the installed package.

    Raises:
        UsageError: sae-probes is not installed.
        DataError: it has no such dataset.
    """
    folder = package_datasets()
    paths = tuple(folder / f"{name}{SUFFIX}" for name in names)
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path}: there is no such file. {OF_PACKAGE}")
    return paths


def files_hash(paths: tuple[Path, ...]) -> str:
    """Hash the contents of files."""
    return kept_hash(
        "files of sae-probes, 1",
        paths,
        lambda: sha256("\n".join(sha256(path.read_bytes()) for path in paths).encode()),
    )


def prompts(path: Path, target: str | None = None) -> list[str]:
    """Return the texts of a dataset in order, of one class if it is given.

    Raises:
        DataError: the file is broken.
    """
    rows = read_rows(path, remedy=OF_PACKAGE)
    if target is not None:
        rows = rows[rows["target"].astype(str) == target]
    # pandas reads an empty cell, and words such as NA, as a number
    return [text for text in rows["prompt"] if isinstance(text, str)]


def document_key(text: str) -> str:
    """Return what texts of the same document have in common: their first 40 words, lower case."""
    return " ".join(text.split(None, _KEY_WORDS)[:_KEY_WORDS]).casefold()


def is_english_prose(text: str) -> bool:
    """Test whether a text is long enough, and has as many small words as English prose."""
    words = text.casefold().split(None, _PROSE_WORDS)[:_PROSE_WORDS]
    if len(words) < MIN_WORDS:
        return False
    return sum(word in ENGLISH_WORDS for word in words) >= MIN_ENGLISH * len(words)


def _paths() -> tuple[Path, ...]:
    """List the files of the corpus, and those of the probing datasets after them."""
    return dataset_paths((*(source.name for source in sources()), *PROBING_DATASETS))


@lru_cache(maxsize=1)
def _read(paths: tuple[Path, ...], stamps: tuple[str, ...]) -> Documents:
    """Read files that have these stamps, see `_paths`."""
    of_corpus = sources()
    seen = {document_key(text) for path in paths[len(of_corpus) :] for text in prompts(path)}
    sae: list[str] = []
    core: list[str] = []
    for source, path in zip(of_corpus, paths, strict=False):
        for text in _texts(source, path):
            key = document_key(text)
            if key in seen:
                continue
            seen.add(key)
            if is_english_prose(text):
                (core if _is_of_core(key) else sae).append(text)
    return Documents(tuple(sae), tuple(core))


def _texts(source: Source, path: Path) -> Iterator[str]:
    for text in prompts(path, source.target):
        yield text.replace("\\n", "\n") if source.has_escapes else text


def _is_of_core(key: str) -> bool:
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 100 < CORE_PERCENT


def _count() -> list[int]:
    """Count documents and then characters, of each split."""
    splits = documents()
    return [*map(len, splits), *(sum(map(len, texts)) for texts in splits)]


def _code() -> str:
    """Hash the code that selects the documents."""
    files = (Path(__file__), Path(str(sae_probes_sources.__file__)))
    return sha256("".join(sha256(path.read_bytes()) for path in files).encode())
