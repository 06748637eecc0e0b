"""Files of bare arrays, .npz and .safetensors: headers and short values, without weights.

Importing this imports neither torch nor sae_lens. Objects, which numpy would unpickle, are refused.
"""

from __future__ import annotations

import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from safetensors import safe_open

from csae_bench.errors import SaeError
from csae_bench.saes.foreign.converting import type_name
from csae_bench.saes.weights_file import Tensor, read_header
from csae_bench.saes.wording import reason, shown
from csae_bench.support.regular_files import check_regular

if TYPE_CHECKING:
    import torch

_LONGEST_VALUE = 16_384
"""Bytes of a text or number that is read from an .npz file."""
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What zipfile and numpy raise on files that are damaged."""


class ArrayFile(NamedTuple):
    """A file's arrays by type and shape, and its texts and single numbers by value."""

    arrays: dict[str, Tensor]
    values: dict[str, Any]


def read_array_file(path: Path) -> ArrayFile:
    """Read the headers and the short values of a file.

    Raises:
        FileNotFoundError: there is none.
        SaeError: it cannot be read, is damaged, or holds objects.
    """
    if path.suffix == ".safetensors":
        arrays = read_header(path)
        with safe_open(path, framework="numpy") as file:
            return ArrayFile(arrays, dict(file.metadata() or {}))
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            return _of_archive(path, archive)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SaeError(f"{path} cannot be read: {reason(error)}.") from error
    except _BROKEN as error:
        raise SaeError(f"{path} is damaged or no file of numpy.savez: {reason(error)}.") from error


def read_arrays(path: Path, names: Mapping[str, Tensor]) -> dict[str, torch.Tensor]:
    """Read some of a file's arrays as tensors.

    Raises:
        SaeError: it is damaged.
    """
    import torch
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        held = load_file(path)
        return {name: held[name] for name in names}
    try:
        with _old_headers(), np.load(path, allow_pickle=False) as file:
            return {name: torch.from_numpy(_native(file[name])) for name in names}
    except (*_BROKEN, OSError, KeyError) as error:
        raise SaeError(f"{path} is damaged: {reason(error)}.") from error


def _of_archive(path: Path, archive: zipfile.ZipFile) -> ArrayFile:
    arrays: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    for part in archive.infolist():
        name = part.filename.removesuffix(".npy")
        with archive.open(part) as file:
            shape, dtype = _array_header(file)
            if dtype.hasobject:
                raise SaeError(
                    f"{path}: {shown(name)} holds Python objects, which are pickled, and "
                    "csae-bench unpickles nothing; save arrays of numbers and texts."
                )
            if part.file_size != file.tell() + dtype.itemsize * int(np.prod(shape, dtype=object)):
                raise ValueError(f"{shown(name)} has not the length that its header says")
            if shape == () and dtype.itemsize <= _LONGEST_VALUE:
                values[name] = _value(np.frombuffer(file.read(), dtype=dtype)[0])
            else:
                arrays[name] = Tensor(type_name(dtype.newbyteorder("=").name), shape)
    return ArrayFile(arrays, values)


def _array_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:  # 3.0: structured types with names that are not Latin
        raise ValueError(f"it holds an array of version {version}")
    with _old_headers():
        shape, _, dtype = read(file)
    return shape, dtype


@contextmanager
def _old_headers() -> Generator[None]:
    """Read headers of Python 2 (`10L`) without numpy's advice to save the file again."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Reading `.npy`", UserWarning)
        yield


def _value(value: Any) -> Any:
    """Return a text or number of numpy as one of Python."""
    plain = value.item()
    return plain.decode("utf-8", "replace") if isinstance(plain, bytes) else plain


def _native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
