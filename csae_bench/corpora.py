"""Text to read activations on: the embedded world's, a folder of files, a dataset on the hub.

Each is a stream of rows with a `text`; nothing is written to disk or to Hugging Face's cache.
Looking at a corpus (`corpus_status`, `corpus_fingerprint`) imports neither torch nor datasets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from csae_bench.errors import DataError

if TYPE_CHECKING:
    from datasets import IterableDataset

Split = Literal["sae", "core"]
"""What the text is for. The embedded world has separate documents for training SAEs (`sae`) and
for measuring them (`core`); of a folder or a hub dataset both are the same rows."""

EMBEDDED = "embedded"
SUFFIXES = (".jsonl", ".parquet")
_ENDLESS = 10**12
"""Documents in the embedded world's stream."""


def open_corpus(dataset: str, *, split: Split, seed: int = 0) -> IterableDataset:
    """A stream of rows with the one column `text`.

    The embedded world's text never ends and differs from seed to seed. Files of a folder are read
    in the order of their names. A hub dataset is streamed, its split `train`, and no code of it is
    ever run.

    Raises:
        DataError: what `dataset` names is not there, empty or malformed. A broken row is found
            only when it is reached, and reported with its file and line.
    """
    if dataset == EMBEDDED:
        return _stream(_embedded_rows, split=split, seed=seed)
    if is_folder(dataset):
        return _stream(_file_rows, files=[str(path) for path in _checked_files(dataset)])
    return _hub_stream(dataset)


def corpus_status(dataset: str) -> tuple[Literal["ok", "problem", "unknown"], str]:
    """What can be said of a corpus at a glance: its files and their first rows are looked at.

    `unknown`: it is on the hub.
    """
    if dataset == EMBEDDED:
        return "ok", "the embedded world's text"
    if not is_folder(dataset):
        return "unknown", f"dataset '{dataset}' is on the hub: not checkable here"
    try:
        files = _checked_files(dataset)
    except DataError as error:
        return "problem", str(error)
    size = sum(path.stat().st_size for path in files) / 2**20
    return "ok", f"{dataset}: {len(files)} files, {size:.1f} MiB"


def corpus_fingerprint(dataset: str, split: Split) -> str:
    """Changes when the text does, as far as can be seen without reading it.

    Of the embedded world the code that writes it and its tokenizer, of a folder the files' names,
    sizes and times of change (none where it is missing), of a hub dataset no more than its name.
    """
    if dataset == EMBEDDED:
        world = Path(__file__).parent / "tinyworld"
        files = sorted([*world.rglob("*.py"), *world.rglob("tokenizer*.json")])
        parts = [f"{path.relative_to(world)} {_sha256(path.read_bytes())}" for path in files]
    elif is_folder(dataset):
        stats = [(path.name, path.stat()) for path in _files(dataset)]
        parts = [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats]
    else:
        parts = [dataset]
    return _sha256("\n".join([split, *parts]).encode())


def is_folder(dataset: str) -> bool:
    """Whether this is a folder, or written as one: it is absolute or starts with . or ~."""
    return dataset.startswith((".", "~", "/")) or Path(dataset).exists()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _stream(rows: Any, **arguments: Any) -> IterableDataset:
    from datasets import IterableDataset
    from datasets.iterable_dataset import ExamplesIterable

    # not IterableDataset.from_generator: it leaves a lock file in Hugging Face's cache
    return IterableDataset(ExamplesIterable(rows, arguments))


def _embedded_rows(split: Split, seed: int) -> Iterator[tuple[int, dict[str, str]]]:
    from csae_bench.tinyworld import documents

    for index, text in enumerate(documents(split, _ENDLESS, seed=seed)):
        yield index, {"text": text}


def _file_rows(files: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    for file in files:
        path = Path(file)
        rows = _parquet_rows(path) if path.suffix.lower() == ".parquet" else _jsonl_rows(path)
        for place, row in rows:
            yield place, {"text": _text(place, row)}


def _jsonl_rows(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{path}, line {number}", _parsed(f"{path}, line {number}", line)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {error}.") from error


def _parquet_rows(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow.parquet
    from pyarrow import ArrowException

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            columns = table.schema_arrow.names
            if "text" not in columns:
                raise DataError(f"{path}: {_no_text(columns)}")
            for batch in table.iter_batches(batch_size=1024, columns=["text"]):
                for text in batch.column(0).to_pylist():
                    number += 1
                    yield f"{path}, row {number}", {"text": text}
    except (OSError, ArrowException) as error:
        raise DataError(f"{path}: cannot be read as parquet: {error}.") from error


def _parsed(place: str, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise DataError(f"{place}: is not JSON: {error}.") from error


def _text(place: str, row: Any) -> str:
    if not isinstance(row, dict):
        raise DataError(f'{place}: is {type(row).__name__}; it must be {{"text": "..."}}.')
    if "text" not in row:
        raise DataError(f"{place}: {_no_text(row)}")
    if not isinstance(row["text"], str):
        raise DataError(f"{place}: text is {row['text']!r}; it must be a string.")
    return row["text"]


def _no_text(columns: Any) -> str:
    return f"there is no column 'text'; its columns are {', '.join(columns) or 'none'}."


def _files(folder: str) -> list[Path]:
    return sorted(
        path for path in Path(folder).expanduser().glob("*") if path.suffix.lower() in SUFFIXES
    )


def _checked_files(dataset: str) -> list[Path]:
    """The folder's files, each with at least one sound row."""
    folder = Path(dataset).expanduser()
    if not folder.exists():
        raise DataError(f"dataset '{dataset}': there is no such folder.")
    if not folder.is_dir():
        raise DataError(f"dataset '{dataset}': is a file; name the folder that holds it.")
    files = _files(dataset)
    if not files:
        raise DataError(f"dataset '{dataset}': holds no {' or '.join(SUFFIXES)} file.")
    for path in files:
        if next(_file_rows([str(path)]), None) is None:
            raise DataError(f"{path}: is empty; remove it, or fill it with rows that have a text.")
    return files


def _hub_stream(name: str) -> IterableDataset:
    import datasets

    try:
        stream: Any = datasets.load_dataset(name, split="train", streaming=True)
        columns = stream.column_names or list(next(iter(stream), {}))
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"dataset '{name}': there is no such folder, and it cannot be had from the hub: {error}"
        ) from error
    if "text" not in columns:
        raise DataError(f"dataset '{name}': {_no_text(columns)}")
    # SAELens prefers a column of tokens where there is one, whatever tokenizer made them
    return stream.select_columns(["text"])
