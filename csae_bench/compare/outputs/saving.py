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

    Raises:
        UsageError: the folder cannot be made or written.
    """
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
            f"{path}: cannot be written: {error.strerror or error}. Name another place, or free "
            "space there."
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
