"""Index of a folder's files, kept in a Parquet file that DuckDB reads and writes.

A file counts as unchanged while its size and its times do. The index is never needed: one that is
missing, damaged, of another version of the reader, or that cannot be written, costs time alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from csae_bench.comparison.model import Family, Reading, RunReading
from csae_bench.comparison.reading.layout import ResultFile
from csae_bench.results import validity
from csae_bench.support import old_names

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FOLDER = ".csae-bench-index"
"""Folder next to the results; it tells git to ignore it."""
MIN_FILES = 200
MIN_BYTES = 64 * 2**20
"""Folders with fewer files and bytes are read faster than an index is opened."""

Cache = Path | Literal["auto"] | None
Read = Reading | RunReading


class IndexRow(NamedTuple):
    """A file as the index keeps it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    content: str
    """The parsed content, as JSON."""


class Entry(NamedTuple):
    """A file as it was when it was read, and what it said."""

    file: ResultFile
    read: Read


class Index:
    """Remembered content of the files of one folder of results.

    Args:
        root: the folder; its files are kept by their place in it.
        file: the index; None remembers nothing.
    """

    def __init__(self, root: Path, file: Path | None) -> None:
        self._root = root
        self._file = file
        self._known = {} if file is None else _rows(file)

    def recall(self, file: ResultFile) -> Read | None:
        """Return the remembered content of the file, unless it is new or has changed."""
        row = self._fresh_row(file)
        try:
            return None if row is None else _unpacked(file, row.content)
        except (ValueError, TypeError, KeyError, AttributeError):
            del self._known[self._place(file)]
            return None

    def remember(self, entries: Iterable[Entry]) -> None:
        """Keep exactly these entries, if that changes anything and can be written."""
        if self._file is None:
            return
        rows = {
            self._place(file): self._fresh_row(file) or _row(file, read)
            for file, read in entries
            if _is_unicode(self._place(file))
        }
        if rows != self._known:
            _write(self._file, rows)

    def _fresh_row(self, file: ResultFile) -> IndexRow | None:
        row = self._known.get(self._place(file))
        unchanged = row is not None and row[:3] == (file.size, file.mtime_ns, file.ctime_ns)
        return row if unchanged else None

    def _place(self, file: ResultFile) -> str:
        return file.path.relative_to(self._root).as_posix()


def index_for(root: Path, where: Cache, files: Iterable[ResultFile]) -> Index:
    """Return the index of the results in `root`.

    Args:
        where: a folder, None for no index, or `auto`: next to the results, among the user's
            caches if that folder cannot be written, and none for few files.
        files: the files that are there now.
    """
    if where == "auto":
        sizes = [file.size for file in files]
        if len(sizes) < MIN_FILES and sum(sizes) < MIN_BYTES:
            return Index(root, None)
        if os.access(root, os.W_OK):
            return Index(root, root / FOLDER / "readings.parquet")
        where = _users_caches()
    return Index(root, None if where is None else where / f"readings-{_digest(root)}.parquet")


def reader_files() -> tuple[Path, ...]:
    """Return a digest of the code that reads results: other code may read a file differently."""
    here = Path(__file__).parent
    others = (here.parent / "model.py", Path(validity.__file__), Path(old_names.__file__))
    return (*sorted(here.glob("*.py")), *others)


def _users_caches() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("csae-bench", appauthor=False)


def _rows(file: Path) -> dict[str, IndexRow]:
    if not file.is_file():
        return {}
    import duckdb

    # DuckDB takes the path for a glob.
    literal = re.sub(r"([*?\[])", r"[\1]", str(file))
    try:
        with _connection() as connection:
            rows = connection.execute(
                "SELECT place, size, mtime_ns, ctime_ns, content FROM read_parquet(?) "
                "WHERE reader = ?",
                [literal, _reader()],
            ).fetchall()
    except duckdb.Error:
        return {}
    return {place: IndexRow(*row) for place, *row in rows}


def _write(file: Path, rows: Mapping[str, IndexRow]) -> None:
    """Replace the index atomically, so that another process finds the old one or the new one."""
    import duckdb

    temporary: str | None = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.parent.name == FOLDER:
            with (
                contextlib.suppress(FileExistsError),
                (file.parent / ".gitignore").open("x", encoding="utf-8") as ignored,
            ):
                ignored.write("*\n")
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        os.close(handle)
        columns = [list(column) for column in zip(*rows.values(), strict=True)] or [[]] * 4
        with _connection() as connection:
            connection.execute(
                "CREATE TABLE readings AS SELECT unnest(?::VARCHAR[]) AS place, "
                "unnest(?::BIGINT[]) AS size, unnest(?::BIGINT[]) AS mtime_ns, "
                "unnest(?::BIGINT[]) AS ctime_ns, unnest(?::VARCHAR[]) AS content, "
                "?::VARCHAR AS reader",
                [list(rows), *columns, _reader()],
            )
            connection.table("readings").write_parquet(temporary, compression="zstd")
        os.replace(temporary, file)
    except (OSError, duckdb.Error):
        pass  # the results were read all the same, and will be the next time
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _connection() -> DuckDBPyConnection:
    import duckdb

    return duckdb.connect(
        ":memory:",
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False},
    )


def _row(file: ResultFile, read: Read) -> IndexRow:
    values = {name: value for name, value in vars(read).items() if name != "path"}
    content = json.dumps({"kind": type(read).__name__, **values})
    return IndexRow(file.size, file.mtime_ns, file.ctime_ns, content)


def _unpacked(file: ResultFile, content: str) -> Read:
    values: dict[str, Any] = json.loads(content)
    kind: Any = {"Reading": Reading, "RunReading": RunReading}[values.pop("kind")]
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return kind(**{**values, **lists, "family": Family(*values["family"]), "path": file.path})


def _is_unicode(place: str) -> bool:
    """Return whether a path is text: Linux allows any bytes, which Python keeps as surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in place)


def _digest(root: Path) -> str:
    return hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]


@cache
def _reader() -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in reader_files())).hexdigest()
