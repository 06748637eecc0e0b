"""Read files that somebody names: regular ones only, and none larger than it may be.

A FIFO would block for ever and `/dev/zero` would fill memory, so both are refused before a byte is
read. Every refusal is an OSError with a `strerror` for a sentence, as the system's own errors are.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MIB = 2**20

LONGEST_NAME = 255
LONGEST_PATH = 4095
"""Bytes of one name and of a whole path, of the file systems in use."""


def read_regular(path: Path, *, at_most: int) -> bytes:
    """Return the bytes of a regular file; links are followed.

    Args:
        at_most: the largest size that is read, in bytes.

    Raises:
        OSError: there is no such file, it cannot be read, it is a folder, a FIFO or a device, or
            it has more than `at_most` bytes.
    """
    with _opened(path) as file:
        content = file.read(at_most + 1)  # not st_size, which is 0 for files of /proc
    if len(content) > at_most:
        raise OSError(
            errno.EFBIG, f"Is larger than the {at_most / MIB:g} MiB that are read", str(path)
        )
    return content


def read_regular_text(path: Path, *, at_most: int) -> str:
    """Return the same as text in UTF-8, without a byte order mark.

    Raises:
        OSError: as `read_regular`.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read_regular(path, at_most=at_most).decode("utf-8-sig")


def check_regular(path: Path) -> None:
    """Check a file that a library will open itself: it is a regular one and may be read.

    Raises:
        OSError: there is no such file, it cannot be read, or it is a folder, a FIFO or a device.
    """
    _opened(path).close()


def _opened(path: Path) -> BinaryIO:
    try:
        # a FIFO without a writer would block in open
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, f"Is no regular file but {_kind(status)}", str(path))
    except OSError:
        os.close(descriptor)
        raise
    return open(descriptor, "rb")


def impossible_path(text: str) -> str | None:
    """Return why a text cannot be a path on any file system; None if it can."""
    encoded = text.encode("utf-8", "surrogatepass")
    if "\0" in text:
        return "holds a NUL, which no path may"
    if text.startswith("~"):
        try:
            Path(text).expanduser()
        except RuntimeError:
            return f"names the home of a user '{text[1:].split('/')[0]}' that is not known here"
    if len(encoded) > LONGEST_PATH:
        return f"is {len(encoded)} bytes long; a path has at most {LONGEST_PATH}"
    longest = max(len(part) for part in encoded.split(b"/"))
    if longest > LONGEST_NAME:
        return f"has a part of {longest} bytes; a file's name has at most {LONGEST_NAME}"
    return None


def _kind(status: os.stat_result) -> str:
    if stat.S_ISFIFO(status.st_mode):
        return "a FIFO"
    if stat.S_ISSOCK(status.st_mode):
        return "a socket"
    return "a device"
