"""Writing what a person asked for so that nothing is ever half there."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path

from csae_bench.comparison.reading.layout import real
from csae_bench.errors import UsageError
from csae_bench.support.printable import shortened

_MAX_NAMED = 300
"""Characters of a path in a sentence before it is cut."""


@contextlib.contextmanager
def written(path: Path) -> Generator[Path, None, None]:
    """Yield a temporary file next to `path`, which replaces it on leaving without an error.

    Where `path` is a link, the file that it leads to is replaced; into a device or a pipe, such as
    /dev/stdout, what was written is copied.

    Raises:
        UsageError: the folder cannot be made or written.
    """
    if is_stream(path):
        with _copied_into(path) as temporary:
            yield temporary
        return
    asked, path = path, Path(os.path.realpath(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # the suffix is kept: matplotlib tells a format by it; a name near 255 bytes has no room
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem[:40]}.", suffix=path.suffix[:20]
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(_cannot(asked, error)) from error


def check_writable(path: Path, *, is_folder: bool) -> None:
    """Refuse, before anything is compared, what could not be written after.

    Raises:
        UsageError: it is of the other kind, or nothing can be written there.
    """
    try:
        status = _status(path)
        if status is not None and stat.S_ISDIR(status.st_mode) != is_folder:
            kind, other = ("file", "folder") if is_folder else ("folder", "file")
            raise UsageError(f"{_named(path)}: is a {kind}; name a {other} to write to.")
        if is_stream(path):
            return  # what it takes is seen when it is written
        place = real(path)
        place = place if is_folder else place.parent
        while _status(place) is None:
            place = place.parent
        if not place.is_dir():
            raise UsageError(f"{_named(path)}: cannot be written: {_named(place)} is not a folder.")
        # not os.access, which lets root write to a disk that is read-only
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UsageError(_cannot(path, error)) from error


def check_distinct(outputs: Mapping[str, Path]) -> None:
    """Refuse to write one output over another.

    Raises:
        UsageError: two options name one place.
    """
    taken: dict[Path, str] = {}
    for kind, path in outputs.items():
        other = taken.setdefault(real(path), kind)
        if other != kind and not is_stream(path):
            raise UsageError(
                f"--{kind} {_named(path)}: is where --{other} is written to; name another place."
            )


def is_one_place(path: Path, other: Path) -> bool:
    """Return whether two paths lead to one place, which need not exist."""
    return real(path) == real(other)


def is_stream(path: Path) -> bool:
    """Return whether it is a device, a pipe or an open file's name, which no file must replace.

    Raises:
        OSError: the name is too long, or its folder cannot be looked into.
    """
    status = _status(path)
    is_special = status is not None and not (
        stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    )
    # /dev/stdout leads to a plain file where the shell sends it to one
    return is_special or (path.is_symlink() and path.absolute().parts[1] in ("dev", "proc"))


def _status(path: Path) -> os.stat_result | None:
    """Return the status of the path, links followed; None if nothing is there."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextlib.contextmanager
def _copied_into(path: Path) -> Generator[Path, None, None]:
    try:
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder, f"output{path.suffix}")
            yield temporary
            with path.open("ab") as stream:
                stream.write(temporary.read_bytes())
    except OSError as error:
        raise UsageError(_cannot(path, error)) from error


def _cannot(path: Path, error: OSError) -> str:
    why = error.strerror or str(error)
    return f"{_named(path)}: cannot be written: {why}. Name another place, or free space there."


def _named(path: Path) -> str:
    return shortened(str(path), _MAX_NAMED)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
