"""Reads a folder of results, ours or published: values, meaningless results, broken files.

A value is named `<eval>.<metric>`, see `values`. Details are read only when asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from csae_bench.comparison.model import Broken, OtherSet, Reading, ResultSet, RunReading
from csae_bench.comparison.reading import questions
from csae_bench.comparison.reading.index import Cache, Entry, index_for
from csae_bench.comparison.reading.json_files import DETAILS, load_object
from csae_bench.comparison.reading.layout import (
    SUFFIX,
    LeftOut,
    ResultFile,
    Unreadable,
    result_files,
)
from csae_bench.comparison.reading.record import run_of
from csae_bench.comparison.reading.repetitions import averaged
from csae_bench.comparison.reading.result import of_other_weights, propagated, reading_of
from csae_bench.comparison.reading.variants import separated
from csae_bench.errors import ResultError, UsageError
from csae_bench.support import old_names

_MAX_SAID = 3
"""Files and folders that an error names."""


class NotAResult(ResultError):
    """A JSON file that is not meant to be a result."""


def read_results(root: Path, *, cache: Cache = "auto") -> ResultSet:
    """Read everything in the folder `root`; broken files are listed, and the rest is read.

    Of two results of one SAE and eval under the same conditions the newer one counts, by
    `datetime_epoch_millis`; under other conditions both do, see `variants`. Results that differ in
    the seed of the eval alone are one, see `repetitions`. An SAE that its core
    result or its run found invalid is invalid in every other eval, too: a dead SAE has a perfect
    absorption score. A result of other weights than the record of its run names is invalid: the SAE
    was trained again since.

    Args:
        cache: where what was read is kept for the next time, see `index.index_for`.

    Raises:
        UsageError: there is no such folder, or it holds neither results nor run records.
    """
    looked_at = list(result_files(root))
    files = [file for file in looked_at if isinstance(file, ResultFile)]
    broken = [Broken(file.path, file.why) for file in looked_at if isinstance(file, Unreadable)]
    ignored = [Broken(file.path, file.why) for file in looked_at if isinstance(file, LeftOut)]
    other_sets = tuple(file for file in looked_at if isinstance(file, OtherSet))
    entries: list[Entry] = []
    index = index_for(root, cache, files)
    for file in files:
        try:
            entries.append(Entry(file, index.recall(file) or read_file(file)))
        except NotAResult as error:
            ignored.append(Broken(file.path, str(error)))
        except ResultError as error:
            broken.append(Broken(file.path, str(error)))
    index.remember(entries)
    readings = [read for _, read in entries if isinstance(read, Reading)]
    runs = [read for _, read in entries if isinstance(read, RunReading)]
    if not (readings or runs or broken):
        raise UsageError(_nothing(root, ignored, other_sets))
    kept = separated(averaged(readings))
    return ResultSet(
        root=root,
        readings=_judged(kept.readings, runs),
        runs=tuple(runs),
        broken=tuple(broken),
        ignored=(*ignored, *kept.older),
        other_sets=other_sets,
    )


def read_file(file: ResultFile) -> Reading | RunReading:
    """Read one result or run record.

    Raises:
        NotAResult: it is JSON, but neither says of which eval it is nor is named like a result.
        ResultError: it cannot be read.
    """
    value = old_names.of_result(load_object(file.path))
    if not (file.is_record or "eval_type_id" in value or file.path.name.endswith(SUFFIX)):
        raise NotAResult(f"{file.path}: has no eval_type_id, so it is not a result.")
    try:
        return (run_of if file.is_record else reading_of)(value, file.path)
    except RecursionError:
        raise ResultError(f"{file.path}: is nested too deeply to be a result.") from None


def read_result(path: Path) -> Reading:
    """Read one result of a known path.

    Raises:
        ResultError: it cannot be read, or is no result.
    """
    return reading_of(old_names.of_result(load_object(path)), path)


def read_details(reading: Reading) -> list[dict[str, Any]]:
    """Return the `eval_result_details` of a result: one per latent, letter, factor or dataset.

    Empty if the eval has none.

    Raises:
        ResultError: the file cannot be read any more, or its details are no list of objects.
    """
    details = load_object(reading.path, with_details=True).get(DETAILS)
    if details is None:
        return []
    if not isinstance(details, list) or not all(isinstance(detail, dict) for detail in details):
        raise ResultError(f"{reading.path}: {DETAILS} is not a list of objects.")
    return cast(list[dict[str, Any]], details)


def read_items(reading: Reading) -> list[dict[str, Any]]:
    """Return the items for intervals over factors, questions or datasets: mostly the details.

    Raises:
        ResultError: as `read_details`.
    """
    if reading.eval_name == questions.EVAL:
        return questions.forget_questions(load_object(reading.path, with_details=True))
    return read_details(reading)


def _judged(readings: list[Reading], runs: list[RunReading]) -> tuple[Reading, ...]:
    """Return the readings, marked invalid if anything says so about their SAE."""
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for reading in readings:
        # under other conditions, such as text in another language, an SAE may well be invalid
        if not reading.family.variant:
            reasons[reading.family.release, reading.sae_id] += reading.invalid
    for run in runs:
        reasons[run.family.release, run.sae_id] += _why_dead(run)
    records = {(run.family.release, run.sae_id): run for run in runs}
    judged: list[Reading] = []
    for reading in readings:
        sae = reading.family.release, reading.sae_id
        read, record = propagated(reading, tuple(reasons[sae])), records.get(sae)
        if record is not None and len({reading.weights_hash, record.weights_hash} - {None}) > 1:
            read = of_other_weights(read, record.path)
        judged.append(read)
    return tuple(judged)


def _why_dead(run: RunReading) -> list[str]:
    """Return why a run found its SAE invalid, whatever else failed in it; empty if it did not."""
    if "invalid" not in (run.status, run.cells.get("validity")):
        return []
    cell = "validity: "
    own = [problem.removeprefix(cell) for problem in run.problems if problem.startswith(cell)]
    return own or list(run.problems)


def _nothing(root: Path, ignored: Sequence[Broken], other_sets: Sequence[OtherSet]) -> str:
    said = [
        f"{file.path.relative_to(root)}: {file.why.rstrip('.')}" for file in ignored[:_MAX_SAID]
    ]
    said += [f"{other.path.relative_to(root)}: {other.n_results} results" for other in other_sets]
    there = f" Not counted: {'; '.join(said[:_MAX_SAID])}." if said else ""
    return (
        f"{root}: holds no results: no *{SUFFIX} at any depth, no runs/*.json, and no other *.json "
        f"that is one.{there} Name a folder that csae-bench run or SAE-Bench wrote."
    )
