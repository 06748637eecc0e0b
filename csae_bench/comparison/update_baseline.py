"""`--update-baseline`: makes a folder's results the baseline, as a diff that a person can review.

What is written is what comparing needs: results without their details and without what differs from
one run to the next of the same thing (ids, times, memory, places on the machine), keys in order.
Values are not rounded: SAE-Bench's numbers stay SAE-Bench's numbers.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, cast

from csae_bench.comparison.model import Reading, ResultSet
from csae_bench.comparison.outputs.saving import written
from csae_bench.comparison.reading.json_files import MAX_BYTES, load_object
from csae_bench.comparison.reading.layout import NOT_RESULTS, real
from csae_bench.comparison.reading.values import values_of
from csae_bench.errors import ResultError, UsageError
from csae_bench.results.identity import digest
from csae_bench.results.store import Store
from csae_bench.support.regular_files import read_regular

VOLATILE = frozenset(
    {"eval_id", "datetime_epoch_millis", "wall_seconds", "peak_memory_gib", "started"}
)
"""Keys that are left out at any depth."""

_WITH_ITS_PATHS = "eval_config"
"""Keys whose path is a condition of the numbers, and is kept as it is."""
_IS_FOLDER = re.compile(r"[^/\\\0]+")
_MAX_VALUES = 5
"""Number of changed values of one file that are named."""


def renew_baseline(candidate: ResultSet, folder: Path) -> tuple[str, ...]:
    """Write the results into `folder` and return what changed, one line per file.

    Files of the baseline without a counterpart in the results are kept, and named. No file is
    replaced before all new files have been written next to them.

    Raises:
        ResultError: a run failed, an SAE is invalid, a file is broken or has no place of its own in
            a baseline; nothing is written.
        UsageError: the folder cannot be written, or is one in which results of `candidate` lie.
    """
    _check_place(candidate, folder)
    problems = list(_problems(candidate))
    if problems:
        raise ResultError(
            "\n".join([*problems, f"{folder}: the baseline is as it was; it is made of good runs."])
        )
    texts = dict(_files(candidate, Store(folder)))
    for path in texts:
        _check_regular(path)
    lines: list[str] = []
    with ExitStack() as stack:
        for path, text in texts.items():
            line = _change(path, text, folder)
            if line is not None:
                temporary = stack.enter_context(written(path))
                temporary.write_text(text, encoding="utf-8")
                lines.append(line)
    kept = sorted(path for path in _json_files(folder) if path not in texts)
    return (*lines, *(f"kept, not among the results: {p.relative_to(folder)}" for p in kept))


def check_writable(folder: Path) -> None:
    """Refuse a folder into which no baseline can be written.

    Raises:
        UsageError: it, or what it would be made in, is not a folder or cannot be written.
    """
    place = folder
    while not _is_there(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        why = f"{place} is not a folder"
    elif not os.access(place, os.W_OK | os.X_OK):
        why = f"{place} is not writable"
    else:
        return
    raise UsageError(f"--baseline {folder}: cannot be written: {why}. Name another folder.")


def reviewable(value: Mapping[str, Any]) -> str:
    """Return a result or a record as text: keys in order, nothing volatile, NaN as null."""
    kept = {
        key: inner if key == _WITH_ITS_PATHS else _without_volatile(inner)
        for key, inner in value.items()
        if key not in VOLATILE
    }
    return json.dumps(_without_nan(kept), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _check_place(candidate: ResultSet, folder: Path) -> None:
    """Refuse a folder inside the results that holds some of the compared results."""
    root, place = real(candidate.root), real(folder)
    inside = [r.path for r in candidate.readings if real(r.path).is_relative_to(place)]
    if inside and place.is_relative_to(root):
        raise UsageError(
            f"--baseline {folder}: {inside[0]}, which is compared, lies in it; name a folder of "
            f"its own, such as {candidate.root / 'baseline'}."
        )


def _is_there(path: Path) -> bool:
    """Return whether something has this name, even a link that leads nowhere.

    Raises:
        UsageError: that cannot be seen.
    """
    try:
        path.lstat()
        path.stat()
    except FileNotFoundError:
        return path.is_symlink()
    except NotADirectoryError:
        return False
    except OSError as error:
        raise UsageError(
            f"--baseline {path}: cannot be written: {error.strerror}. Name another folder."
        ) from error
    return True


def _problems(candidate: ResultSet) -> Iterator[str]:
    for run in candidate.runs:
        if run.status in ("failed", "invalid"):
            yield f"{run.path}: {run.sae_id} {run.status}: {'; '.join(run.problems)}."
    for reading in candidate.readings:
        if reading.invalid:
            yield f"{reading.path}: {reading.sae_id} is invalid: {'; '.join(reading.invalid)}."
    for broken in candidate.broken:
        yield broken.message
    yield from _misplaced(candidate)


def _misplaced(candidate: ResultSet) -> Iterator[str]:
    """Yield a sentence for each result without a place of its own in a baseline."""
    taken: dict[Path, Path] = {}
    for reading in candidate.readings:
        name = reading.eval_name
        if name in NOT_RESULTS or name.startswith(".") or not _IS_FOLDER.fullmatch(name):
            yield (
                f"{reading.path}: eval_type_id is {name!r}; it must be the name of an eval, such "
                "as 'core', for its folder in a baseline is called so. Correct or delete the file."
            )
            continue
        place = _place(reading, Store(Path()))
        other = taken.setdefault(place, reading.path)
        if other != reading.path:
            yield (
                f"{reading.path}: would be {place} in a baseline, as {other} would; rename one of "
                "the two SAEs."
            )


def _check_regular(path: Path) -> None:
    """Refuse to replace a FIFO or similar: writing into it would block."""
    try:
        is_odd = path.exists() and not path.is_file()
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}.") from error
    if is_odd:
        raise UsageError(
            f"{path}: is not a regular file, so no result is written there; delete it."
        )


def _files(candidate: ResultSet, store: Store) -> Iterator[tuple[Path, str]]:
    for reading in candidate.readings:
        yield _place(reading, store), _text_of(reading.path, with_details=False)
    for run in candidate.runs:
        path = store.run_record(run.family.release, run.sae_id)
        yield path, _text_of(run.path, with_details=True)


def _place(reading: Reading, store: Store) -> Path:
    """Return the result's path in a baseline; a further one of its SAE and eval has hex digits."""
    variant = reading.family.variant
    digits = reading.variant or (digest({"variant": variant})[:8] if variant else "")
    return store.eval_result(
        reading.eval_name, reading.family.release, reading.sae_id, digits or None
    )


def _text_of(path: Path, *, with_details: bool) -> str:
    try:
        return reviewable(load_object(path, with_details=with_details))
    except RecursionError:
        raise ResultError(f"{path}: is nested too deeply for a baseline.") from None


def _change(path: Path, text: str, folder: Path) -> str | None:
    """Return what replacing the file changes; None if nothing."""
    name = path.relative_to(folder)
    if not path.exists():
        return f"new: {name}"
    try:
        if read_regular(path, at_most=MAX_BYTES) == text.encode():
            return None
        old = load_object(path)
    except (OSError, ResultError):
        return f"replaced, could not be read: {name}"
    values = list(_changed_values(old, json.loads(text)))
    more = f", and {len(values) - _MAX_VALUES} more" if len(values) > _MAX_VALUES else ""
    what = f": {', '.join(values[:_MAX_VALUES])}{more}" if values else ""
    return f"changed: {name}{what}"


def _changed_values(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if "eval_result_metrics" not in new:
        return
    eval_name = str(new.get("eval_type_id"))
    before, after = (values_of(result, eval_name).values for result in (old, new))
    for metric in {**before, **after}:
        if before.get(metric) != after.get(metric):
            yield f"{metric} {_shown(before.get(metric))} -> {_shown(after.get(metric))}"


def _json_files(folder: Path) -> Iterator[Path]:
    return folder.glob("*/*.json")


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_volatile(inner)
            for key, inner in cast(dict[str, Any], value).items()
            if key not in VOLATILE
        }
    if isinstance(value, list):
        return [_without_volatile(inner) for inner in cast(list[Any], value)]
    if isinstance(value, str):
        return _without_place(value)
    return value


def _without_place(text: str) -> str:
    """Return the last part of an absolute path; any other text as it is."""
    if "\n" not in text:
        for kind in (PurePosixPath, PureWindowsPath):
            path = kind(text)
            if path.is_absolute() and path.name:
                return path.name
    return text


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nan(inner) for k, inner in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in cast(list[Any], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6g}"
