"""Codes and factors read from files: .npz, .safetensors, .csv."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray
from scipy import sparse

from csae_bench.errors import DataError, did_you_mean, reason_of
from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.errors import MetricInputError
from csae_bench.support.regular_files import check_regular

CODES_SUFFIXES = (".npz", ".safetensors")
FACTORS_SUFFIXES = (".csv", ".npz")
_WIDENED = ("BF16", "F8_E4M3", "F8_E5M2")
"""Number formats of safetensors that numpy does not have."""


def read_codes(path: Path) -> Codes:
    """Read codes [n, d_sae] from a file.

    An .npz with an array `codes`, an .npz that `scipy.sparse.save_npz` wrote, or a .safetensors
    with a tensor `codes`.

    Raises:
        DataError: the file cannot be read, holds no codes, or holds NaN or infinity.
    """
    suffix = _suffix(path, CODES_SUFFIXES, "codes")
    codes = _safetensors_codes(path) if suffix == ".safetensors" else _npz_codes(path)
    if codes.dtype == np.float16:
        codes = codes.astype(np.float32)  # scipy.sparse has no half precision
    try:
        return Codes.of(codes)
    except MetricInputError as error:
        raise DataError(f"{path}: {error}") from error


def read_factors(path: Path) -> Factors:
    """Read factors [n, n_factors] from a file, with their names and the names of their values.

    A .csv with a header, one column a factor and one line a sample; any text is a value. Or an
    .npz with an array `factors` [n, n_factors] of labels, and optionally `names` [n_factors].

    Raises:
        DataError: the file cannot be read, or a sample lacks a value of a factor.
    """
    suffix = _suffix(path, FACTORS_SUFFIXES, "factors")
    labels, names = (_csv_columns(path), None) if suffix == ".csv" else _npz_factors(path)
    try:
        return Factors.of(labels, names)
    except MetricInputError as error:
        raise DataError(f"{path}: {error}") from error


def read_samples(codes_path: Path, factors_path: Path) -> tuple[Codes, Factors]:
    """Read both, which must describe the same samples row by row.

    Raises:
        DataError: one of them cannot be read, or they differ in length.
    """
    codes, factors = read_codes(codes_path), read_factors(factors_path)
    if codes.n != factors.n:
        header = " below its header" if factors_path.suffix.lower() == ".csv" else ""
        raise DataError(
            f"{codes_path} has {codes.n} samples and {factors_path} has {factors.n}{header}; row i "
            f"of both must be the same sample."
        )
    return codes, factors


def _suffix(path: Path, allowed: tuple[str, ...], kind: str) -> str:
    if not path.exists():
        raise DataError(f"{path}: there is no such file.")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; {kind} are read from {' or '.join(allowed)} files.")
    suffix = path.suffix.lower()
    if suffix not in allowed:
        raise DataError(
            f"{path}: ends in '{path.suffix}'; {kind} are read from {' or '.join(allowed)} files."
        )
    return suffix


@contextmanager
def _arrays(path: Path) -> Generator[Mapping[str, Any]]:
    """Read the arrays of an .npz, and bytes for any entry that is not an array.

    Any fault of the file that shows while it is open is a DataError.
    """
    try:
        check_regular(path)
        with path.open("rb") as file:  # numpy leaves a broken file open that it opens itself
            # pickles would run code of whoever wrote the file
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise DataError(f"{path}: is a single array; it must be written by numpy.savez.")
            with loaded as arrays:
                yield arrays
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as .npz: {_sentence(error)}") from error


def _npz_codes(path: Path) -> NDArray[Any] | sparse.csr_array:
    with _arrays(path) as arrays:
        if "codes" in arrays:
            return _array(arrays, "codes")
        if not {"format", "shape", "data"} <= set(arrays):
            raise DataError(f"{path}: {_missing('codes', arrays)}")
    return _sparse_codes(path)


def _sparse_codes(path: Path) -> sparse.csr_array:
    try:
        check_regular(path)
        codes = sparse.csr_array(sparse.load_npz(path))
        codes.check_format(full_check=True)
    except (OSError, ValueError, TypeError, IndexError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: cannot be read as a scipy.sparse matrix: {_sentence(error)}"
        ) from error
    return codes


def _safetensors_codes(path: Path) -> NDArray[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        check_regular(path)
        with safe_open(path, framework="numpy") as file:
            if "codes" not in file.keys():  # noqa: SIM118 - not a mapping
                raise DataError(f"{path}: {_missing('codes', file.keys())}")
            if file.get_slice("codes").get_dtype() not in _WIDENED:
                return file.get_tensor("codes")
        with safe_open(path, framework="pt") as file:
            return file.get_tensor("codes").float().numpy()
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as .safetensors: {_sentence(error)}") from error


def _npz_factors(path: Path) -> tuple[NDArray[Any], list[str] | None]:
    with _arrays(path) as arrays:
        if "factors" not in arrays:
            raise DataError(f"{path}: {_missing('factors', arrays)}")
        names = _array(arrays, "names").ravel() if "names" in arrays else None
        return _array(arrays, "factors"), None if names is None else [str(name) for name in names]


def _array(arrays: Mapping[str, Any], name: str) -> NDArray[Any]:
    array = arrays[name]
    if not isinstance(array, np.ndarray):
        raise ValueError(f"'{name}' in it is no array")
    return array


def _csv_columns(path: Path) -> dict[str, Shaped[NDArray[Any], " n"]]:
    try:
        check_regular(path)
        # utf-8-sig: spreadsheets write a mark at the start that would become part of a name
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV in UTF-8: {_sentence(error)}") from error
    while rows and not any(rows[-1][1]):
        rows.pop()
    if not rows:
        raise DataError(f"{path}: is empty; its first line must name the factors.")
    names = rows[0][1]
    _check_names(names, f"{path}, line {rows[0][0]}")
    if len(rows) == 1:
        raise DataError(f"{path}: has a header and no samples below it.")
    for line, cells in rows[1:]:
        _check_cells(cells, names, f"{path}, line {line}")
    return {name: np.array([cells[k] for _, cells in rows[1:]]) for k, name in enumerate(names)}


def _check_names(names: list[str], place: str) -> None:
    for k, name in enumerate(names):
        if not name:
            raise DataError(
                f"{place}: column {k + 1} has no name; every factor needs one. (A table's index "
                f"is no factor: leave it out.)"
            )
        if name in names[:k]:
            raise DataError(f"{place}: two factors are named '{name}'; names must differ.")


def _check_cells(cells: list[str], names: list[str], place: str) -> None:
    if len(cells) != len(names):
        raise DataError(f"{place}: has {len(cells)} values; the header names {len(names)} factors.")
    for name, cell in zip(names, cells, strict=True):
        if not cell:
            raise DataError(f"{place}: factor '{name}' is empty; every sample needs a value.")


def _missing(name: str, names: Iterable[str]) -> str:
    names = list(names)
    return (
        f"there is no array '{name}'; its arrays are {', '.join(names) or 'none'}."
        f"{did_you_mean(name, names)}"
    )


def _sentence(error: Exception) -> str:
    return f"{' '.join(reason_of(error).split())}."
