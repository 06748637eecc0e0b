"""The datasets of sae-probes: its own, which its package ships, and others in the same form.

A dataset is a file `<name>.csv.zst` with the columns `prompt` and `target`, a row for each prompt
and two classes of equal size. Reading one imports neither torch nor sae_probes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from csae_bench.corpora.probing_files import (
    SUFFIX,
    installed_version,
    package_datasets,
    package_folder,
    read_rows,
)
from csae_bench.errors import CsaeBenchError, DataError, UnknownNameError

PACKAGE = "package"
"""Name of the datasets that the package ships: 113 in version 0.4."""
MAX_ROWS = 5000
"""Rows of a dataset that sae-probes looks at, from the first."""
MAX_TRAIN = 1024
N_HELD_OUT = 100
"""Rows that are at least kept from training."""
_LEAST_TRAIN = 4
_REMEDY = "Write it with pandas: template.to_csv(path, index=False, compression='zstd')."


def chosen_files(data: str, names: Sequence[str] | None) -> list[Path]:
    """Return the files of the requested datasets, in order.

    Args:
        data: `package`, or a folder.
        names: of the datasets; None: all of the folder, or all with two classes of the package.

    Raises:
        UsageError: sae-probes is not installed.
        DataError: there is no such folder, or no dataset in it.
        UnknownNameError: the folder has no such dataset; the message suggests the nearest.
    """
    folder = package_datasets() if data == PACKAGE else Path(data).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"data is '{data}'; it must be `{PACKAGE}` or a folder of <name>{SUFFIX} files with "
            "the columns prompt and target."
        )
    files = {path.name.removesuffix(SUFFIX): path for path in sorted(folder.glob(f"*{SUFFIX}"))}
    if names is None:
        names = _names_of_package() if data == PACKAGE else list(files)
    if not names:
        raise DataError(
            f"{folder}: there is no {SUFFIX} file in it; sae-probes reads zstd-compressed CSV "
            "files with the columns prompt and target."
        )
    for name in names:
        if name not in files:
            raise UnknownNameError("sae-probes dataset", name, files)
    return [files[name] for name in names]


def read_dataset(path: Path) -> Any:
    """Read a dataset as sae-probes does: a pandas DataFrame with `prompt` and `target`.

    Raises:
        DataError: it cannot be read, lacks a column or text, has no two classes, or too few rows
            of one of them.
    """
    rows = read_rows(path, remedy=_REMEDY)
    is_bad = ~rows["prompt"].map(lambda prompt: isinstance(prompt, str)) | rows["target"].isna()
    if is_bad.any():
        # the header is line 1; prompts may have line ends of their own, so it is a row, not a line
        raise DataError(
            f"{path}: row {int(is_bad.argmax()) + 1} has no text or no class; pandas reads an "
            "empty cell, and words such as NA, as nothing."
        )
    _check_classes(path, rows)
    return rows


def data_problem(data: str, names: Sequence[str] | None) -> str | None:
    """Describe what is wrong with the datasets, in a sentence; None if nothing is."""
    try:
        for path in chosen_files(data, names):
            read_dataset(path)
    except CsaeBenchError as error:
        return str(error)
    return None


def data_fingerprint(data: str, names: Sequence[str] | None) -> str:
    """Return a fingerprint that changes when a dataset or the version of sae-probes does.

    Raises:
        UsageError: as `chosen_files`.
    """
    total = hashlib.sha256(installed_version().encode())
    for path in chosen_files(data, names):
        with path.open("rb") as file:
            total.update(
                f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
            )
    return total.hexdigest()


def n_train(n_rows: int) -> int:
    """Count the prompts that sae-probes trains on, for a dataset with so many rows."""
    return min(n_rows - N_HELD_OUT, MAX_TRAIN)


def _check_classes(path: Path, rows: Any) -> None:
    seen = rows["target"][:MAX_ROWS]
    counts = seen.value_counts()
    if len(counts) != 2:
        raise DataError(
            f"{path}: target has {len(counts)} classes in the first {len(seen)} rows; sae-probes "
            "probes for two."
        )
    training = n_train(len(rows))
    if training < _LEAST_TRAIN:
        raise DataError(
            f"{path}: there are {len(rows)} rows; sae-probes keeps {N_HELD_OUT} from training and "
            f"needs at least {N_HELD_OUT + _LEAST_TRAIN}."
        )
    testing = len(seen) - training - 1
    least = math.ceil(training / 2) + math.ceil(testing / 2)
    if counts.min() < least:
        raise DataError(
            f"{path}: class {counts.idxmin()!r} has {counts.min()} of the first {len(seen)} rows; "
            f"sae-probes draws both classes equally and needs {least} of each. Leave out rows of "
            "the other."
        )


def _names_of_package() -> list[str]:
    """List the package's datasets with two classes, in its own order."""
    import pandas

    table = pandas.read_csv(
        package_folder() / "probing_datasets_MASTER.csv.zst", compression="zstd"
    )
    binary = table[table["Data type"] == "Binary Classification"]["Dataset save name"]
    return [Path(name).name.split(".")[0] for name in binary]
