"""Labelled datasets in the form of sae-probes, and those that its package ships.

A dataset is a file `<name>.csv.zst` with the columns `prompt` and `target`. The package is found,
never imported: importing it takes seconds, and torch.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from csae_bench.errors import DataError, UsageError, reason_of
from csae_bench.support.regular_files import check_regular

SUFFIX = ".csv.zst"
OF_PACKAGE = "Install sae-probes again: `pip install --force-reinstall --no-deps sae-probes`."
"""Remedy for a broken file of the package."""


def package_folder() -> Path:
    """Return the folder of the package's data.

    Raises:
        UsageError: sae-probes is not installed.
    """
    spec = find_spec("sae_probes")
    if spec is None or spec.origin is None:
        raise _not_installed()
    return Path(spec.origin).parent / "data"


def package_datasets() -> Path:
    """Return the folder of the package's datasets.

    Raises:
        UsageError: sae-probes is not installed.
    """
    return package_folder() / "cleaned_data"


def installed_version() -> str:
    """Return the version of sae-probes.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return version("sae-probes")
    except PackageNotFoundError:
        raise _not_installed() from None


def read_rows(path: Path, *, remedy: str) -> Any:
    """Read a dataset as sae-probes does: a pandas DataFrame with `prompt` and `target`.

    Args:
        remedy: what to do about a file that cannot be read.

    Raises:
        DataError: it cannot be read, or lacks a column.
    """
    import pandas
    import zstandard

    try:
        check_regular(path)
        rows = pandas.read_csv(path, compression="zstd")
    except (OSError, ValueError, pandas.errors.ParserError, zstandard.ZstdError) as error:
        reason = reason_of(error).splitlines()[0]
        raise DataError(
            f"{path}: cannot be read as zstd-compressed CSV: {reason}. {remedy}"
        ) from error
    missing = [name for name in ("prompt", "target") if name not in rows.columns]
    if missing:
        raise DataError(
            f"{path}: there is no column {' or '.join(missing)}; sae-probes needs prompt and "
            f"target. It has {', '.join(map(str, rows.columns))}."
        )
    return rows


def _not_installed() -> UsageError:
    return UsageError("sae-probes is not installed; `pip install sae-probes` brings it.")
