"""Standard output and error that survive a closed pipe or a full disk.

`csae-bench list | head -1` closes the pipe while there is more to print. The first failed write is
recorded and later output is dropped, so that a command returns the same exit code as without the
pipe. If stdout is on a full disk, this is an error of its own, reported once at the end.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

from typing_extensions import override

_READER_IS_GONE = {errno.EPIPE, errno.ECONNRESET}


@dataclass
class Streams:
    """The process's streams, replaced by ones whose writes never raise."""

    stdout: Outlet | None
    stderr: Outlet | None
    replaced: dict[str, TextIO | None] = field(default_factory=dict)

    @property
    def failure(self) -> str | None:
        """Reason why stdout could not be written; None if it could, or if its reader was gone."""
        error = self.stdout.failure if self.stdout is not None else None
        if error is None or error.errno in _READER_IS_GONE:
            return None
        return error.strerror or type(error).__name__

    def restore(self) -> None:
        """Put the original streams back."""
        for name, stream in self.replaced.items():
            flush(getattr(sys, name))
            setattr(sys, name, stream)


class Outlet(io.FileIO):
    """A descriptor whose first failed write is kept in `failure`; the rest goes to /dev/null."""

    failure: OSError | None = None

    @override
    def write(self, data: Any, /) -> int:
        try:
            # None: it is non-blocking, as another process may have made it, and full
            while (n_written := _written(super().write(data))) is None:
                select.select((), (self.fileno(),), ())
        except OSError as error:
            self.failure = error
            _point_at_nothing(self.fileno())
            return memoryview(data).nbytes
        return n_written


def outlive_readers() -> Streams:
    """Replace the process's own streams, but not those that a test or a caller installed.

    A closed descriptor (`>&-`) is opened on /dev/null; otherwise the next opened file would get its
    number and receive what is printed.
    """
    for descriptor in (0, 1, 2):
        if not _is_open(descriptor):
            _point_at_nothing(descriptor)
    streams = Streams(None, None)
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__"):
            continue
        streams.replaced[name] = stream
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            flush(stream)
            outlet = Outlet(stream.fileno(), "w", closefd=False)
            setattr(streams, name, outlet)
            setattr(sys, name, _text(outlet, like=stream))
    return streams


def flush(stream: TextIO | None) -> None:
    """Flush a stream unless it is closed."""
    if stream is not None and not stream.closed:
        stream.flush()


def _text(outlet: Outlet, *, like: io.TextIOWrapper) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=like.encoding,
        # on an ASCII-only terminal a name such as café is printed as caf\xe9
        errors="backslashreplace",
        line_buffering=like.line_buffering,
        write_through=like.write_through,
    )


def _written(n_bytes: int | None) -> int | None:
    """Return FileIO.write's result typed as possibly None, which its stub does not mention."""
    return n_bytes


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _point_at_nothing(descriptor: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
