"""Plain text: a stream of rows with the one column `text`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from csae_bench.corpora.files import (
    SUFFIXES,
    data_files,
    file_stamps,
    is_folder,
    rows,
    sha256,
)
from csae_bench.corpora.hub import hub_stream
from csae_bench.corpora.named import NAMED_CORPORA, CorpusSplit
from csae_bench.errors import DataError, UsageError, did_you_mean
from csae_bench.support import old_names

if TYPE_CHECKING:
    from datasets import IterableDataset


def open_corpus(dataset: str, *, split: CorpusSplit, seed: int = 0) -> IterableDataset:
    """Open a stream of rows with the one column `text`.

    Of a named corpus the seed decides the text, or its order: tinyworld's never ends,
    sae_probes's documents come each once. Files of a folder are read in the order of their names.
    A hub dataset is streamed, its split `train`, and no code of it is ever run.

    Raises:
        DataError: what `dataset` names is not there, empty or malformed. A broken row is found
            only when it is reached, and reported with its file and line.
        UsageError: the package that a named corpus is read from is not installed.
    """
    dataset = old_names.value_of("dataset", dataset)
    if dataset in NAMED_CORPORA:
        named = NAMED_CORPORA[dataset]
        named.check()
        return _stream(named.rows, split=split, seed=seed)
    if is_folder(dataset):
        return _stream(_file_rows, files=[str(path) for path in _checked_files(dataset)])
    return hub_stream(dataset, ["text"], names=NAMED_CORPORA)


def corpus_status(dataset: str) -> tuple[Literal["ok", "problem", "unknown"], str]:
    """Check a corpus quickly: of a folder only its files and their first rows are looked at.

    `unknown`: it is on the hub.
    """
    if dataset in NAMED_CORPORA:
        try:
            return "ok", NAMED_CORPORA[dataset].summary()
        except UsageError as error:
            return "problem", f"dataset '{dataset}': {error}"
    if not is_folder(dataset):
        suggestion = did_you_mean(dataset, NAMED_CORPORA)
        return "unknown", f"dataset '{dataset}' is on the hub: not checkable here.{suggestion}"
    try:
        files = _checked_files(dataset)
    except DataError as error:
        return "problem", str(error)
    size = sum(path.stat().st_size for path in files) / 2**20
    return "ok", f"{dataset}: {len(files)} files, {size:.1f} MiB"


def corpus_fingerprint(dataset: str, split: CorpusSplit) -> str:
    """Return a fingerprint of the text, as far as possible without reading it.

    For tinyworld it covers the code that writes it and its tokenizer, for sae_probes the package's
    version and files and the code that selects from them, for a folder the files'
    names, sizes and times of change (none where it is missing), for a hub dataset no more than its
    name.
    """
    if dataset in NAMED_CORPORA:
        parts = NAMED_CORPORA[dataset].parts()
    elif is_folder(dataset):
        parts = file_stamps(data_files(dataset))
    else:
        parts = [dataset]
    return sha256("\n".join([split, *parts]).encode())


def _stream(examples: Any, **arguments: Any) -> IterableDataset:
    from datasets import IterableDataset
    from datasets.iterable_dataset import ExamplesIterable

    # not IterableDataset.from_generator: it leaves a lock file in Hugging Face's cache
    return IterableDataset(ExamplesIterable(examples, arguments))


def _file_rows(files: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    for file in files:
        for place, row in rows(Path(file), ["text"]):
            if not isinstance(row["text"], str):
                raise DataError(f"{place}: text is {row['text']!r}; it must be a string.")
            yield place, {"text": row["text"]}


def _checked_files(dataset: str) -> list[Path]:
    """Return the folder's files, each with at least one sound row."""
    folder = Path(dataset).expanduser()
    if not folder.exists():
        raise DataError(f"dataset '{dataset}': there is no such folder.")
    if not folder.is_dir():
        raise DataError(f"dataset '{dataset}': is a file; name the folder that holds it.")
    files = data_files(dataset)
    if not files:
        raise DataError(f"dataset '{dataset}': holds no {' or '.join(SUFFIXES)} file.")
    for path in files:
        if next(_file_rows([str(path)]), None) is None:
            raise DataError(f"{path}: is empty; remove it, or fill it with rows that have a text.")
    return files
