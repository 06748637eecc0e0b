"""SAE-Bench's own opinion of a result: its pydantic model and its shipped JSON schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from csae_bench.errors import EvalError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


_OUTPUTS: Mapping[str, tuple[str, str]] = {
    "absorption_first_letter": ("absorption", "AbsorptionEvalOutput"),
    "autointerp": ("autointerp", "AutoInterpEvalOutput"),
    "core": ("core", "CoreEvalOutput"),
    "meta_structure_decoder_variance": ("meta_structure", "MetaStructureEvalOutput"),
    "ravel": ("ravel", "RAVELEvalOutput"),
    "scr": ("scr_and_tpp", "ScrEvalOutput"),
    "sparse_probing": ("sparse_probing", "SparseProbingEvalOutput"),
    "tpp": ("scr_and_tpp", "TppEvalOutput"),
    "unlearning": ("unlearning", "UnlearningEvalOutput"),
}
"""eval_type_id -> SAE-Bench's folder, and the name of its model of a result."""

SAE_BENCH_EVALS = frozenset(_OUTPUTS)
"""Evals whose results SAE-Bench reads; other names are our own evals'."""


def validate_as_sae_bench(result: dict[str, Any]) -> None:
    """Check an `eval_result` of one of SAE-Bench's own evals as SAE-Bench would.

    Raises:
        EvalError: it does not fit the model or the schema; the message names the place.
    """
    name = result["eval_type_id"]
    try:
        TypeAdapter(_model(name)).validate_python(result)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EvalError(
            f"SAE-Bench does not accept this {name} result: {place}: {first['msg']}."
        ) from error
    problem = next(_schema(name).iter_errors(result), None)
    if problem is not None:
        raise EvalError(
            f"SAE-Bench's schema does not accept this {name} result: {problem.json_path}: "
            f"{problem.message}."
        )


def _model(name: str) -> type[Any]:
    folder, model = _OUTPUTS[name]
    return getattr(import_module(f"sae_bench.evals.{folder}.eval_output"), model)


@cache
def _schema(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    path = f"evals/{_OUTPUTS[name][0]}/eval_output_schema_{name}.json"
    return Draft202012Validator(json.loads(files("sae_bench").joinpath(path).read_text()))
