"""Writing what a person asked for so that nothing is ever half there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

from csae_bench.errors import UsageError


@contextlib.contextmanager
def written(path: Path) -> Generator[Path, None, None]:
    """Yields a file beside `path` to write to, which takes its place on leaving without an error.

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
        # the suffix is kept: matplotlib tells a format by it
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix
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
        raise UsageError(
            f"{asked}: cannot be written: {error.strerror or error}. Name another place, or free "
            "space there."
        ) from error


def is_stream(path: Path) -> bool:
    """Whether it is a device, a pipe or a name of an open file, whose place no file must take."""
    is_special = path.exists() and not (path.is_file() or path.is_dir())
    # /dev/stdout leads to a plain file where the shell sends it to one
    return is_special or (path.is_symlink() and path.absolute().parts[1] in ("dev", "proc"))


@contextlib.contextmanager
def _copied_into(path: Path) -> Generator[Path, None, None]:
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, f"output{path.suffix}")
        yield temporary
        try:
            with path.open("ab") as stream:
                stream.write(temporary.read_bytes())
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written: {error.strerror or error}. Name another place."
            ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
