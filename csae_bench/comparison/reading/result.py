"""One result file as a Reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from csae_bench.comparison.model import Reading
from csae_bench.comparison.reading.conditions import (
    conditions_of,
    differs_of,
    eval_seed_of,
    settings_of,
)
from csae_bench.comparison.reading.names import names_of_result, overlong, variant_of
from csae_bench.comparison.reading.values import (
    categories_of,
    mapping,
    misshapen,
    number,
    undefined_by_mark,
    values_of,
)
from csae_bench.config.baselines import kind_of
from csae_bench.errors import ResultError
from csae_bench.results.validity import VitalSigns, reasons_invalid, vital_signs_of_core


def reading_of(result: Mapping[str, Any], path: Path) -> Reading:
    """Read a result, without its details.

    Raises:
        ResultError: it does not say which eval it is of, a name is overlong, or its metrics are no
            object of objects of numbers.
    """
    eval_name = result.get("eval_type_id")
    if not isinstance(eval_name, str) or not eval_name:
        raise ResultError(
            f"{path}: eval_type_id is {eval_name!r}; it must be the name of an eval, such as "
            "'core'. This is not an SAE-Bench result, or is damaged."
        )
    too_long = overlong(result, ("eval_type_id", "sae_lens_id", "sae_lens_release_id"))
    if too_long is not None:
        raise ResultError(f"{path}: {too_long}. Correct or delete the file.")
    values = values_of(result, eval_name)
    _check_metrics(result, has_values=bool(values.values), path=path)
    names = names_of_result(result, path)
    variant = variant_of(result)
    return Reading(
        path=path,
        eval_name=eval_name,
        **names._asdict(),
        values=values.values,
        reasons=values.reasons,
        conditions=conditions_of(result),
        invalid=_why_invalid(result, names.architecture) if eval_name == "core" else (),
        weights_hash=_hash(result, "weights_hash"),
        model_fingerprint=_hash(result, "model_fingerprint"),
        epoch_millis=_epoch(result.get("datetime_epoch_millis")),
        settings=settings_of(result),
        variant=variant,
        differs=differs_of(result) if variant else {},
        eval_seed=eval_seed_of(result),
    )


def of_other_weights(reading: Reading, record: Path) -> Reading:
    """Mark the reading of a result that is older than its SAE's last training as invalid."""
    why = (
        f"{reading.path} is of other weights than its run left, which {record} records: the SAE "
        "was trained again since. Run the eval again."
    )
    return replace(reading, invalid=(*reading.invalid, why))


def propagated(reading: Reading, reasons: tuple[str, ...]) -> Reading:
    """Return the reading of an SAE that another result or its run found invalid."""
    return replace(reading, invalid=tuple(dict.fromkeys((*reading.invalid, *reasons))))


def _check_metrics(result: Mapping[str, Any], *, has_values: bool, path: Path) -> None:
    if "eval_result_metrics" not in result and isinstance(result.get("eval_results"), list):
        raise ResultError(
            f"{path}: is in SAE-Bench's older form, with eval_results in place of "
            "eval_result_metrics; its mdl eval still writes that. compare does not read it, and "
            "running the eval again changes nothing: move the file out of this folder."
        )
    problem = misshapen(result.get("eval_result_metrics"))
    if has_values and problem is None:
        return
    what = "" if has_values else " holds no number, so there is nothing to compare"
    why = "" if problem is None else f"{what and ':'} {problem}"
    raise ResultError(
        f"{path}: eval_result_metrics{what}{why}. It must be an object of objects of numbers, "
        "where null stands for an undefined one. This is not an SAE-Bench result, or is damaged: "
        "run the eval again."
    )


def _why_invalid(result: Mapping[str, Any], architecture: str | None) -> tuple[str, ...]:
    signs = _vital_signs(result)
    return tuple(reasons_invalid(signs, is_control=kind_of(architecture) == "control"))


def _vital_signs(result: Mapping[str, Any]) -> VitalSigns:
    """Return the vital signs, NaN for values that are not numbers: such an SAE is not alive."""
    categories = categories_of(result)
    undefined = undefined_by_mark(categories, mapping(result.get("eval_result_unstructured")))
    metrics = {
        category: {
            name: float("nan") if name in undefined or number(value) is None else value
            for name, value in of_category.items()
            if isinstance(value, int | float)
        }
        for category, of_category in categories.items()
    }
    return vital_signs_of_core({"eval_result_metrics": metrics})


def _hash(result: Mapping[str, Any], name: str) -> str | None:
    provenance = mapping(mapping(result.get("eval_result_unstructured")).get("provenance"))
    hashed = provenance.get(name)
    return hashed if isinstance(hashed, str) and hashed else None


def _epoch(value: Any) -> int | None:
    """Return the milliseconds since 1970; some older results have them as a text."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    is_time = isinstance(value, int) and not isinstance(value, bool)
    return value if is_time and 0 <= value < 2**63 else None
