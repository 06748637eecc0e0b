"""SAE-Bench's own opinion of a result: its pydantic model and its shipped JSON schema."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from csae_bench.errors import EvalError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


def validate_core(result: dict[str, Any]) -> None:
    """Check a core `eval_result` as SAE-Bench would.

    Raises:
        EvalError: it does not fit the model or the schema; the message names the place.
    """
    from sae_bench.evals.core.eval_output import CoreEvalOutput

    _validate(result, "core", CoreEvalOutput)


def validate_unlearning(result: dict[str, Any]) -> None:
    """Check an unlearning `eval_result` as SAE-Bench would.

    Raises:
        EvalError: it does not fit the model or the schema; the message names the place.
    """
    from sae_bench.evals.unlearning.eval_output import UnlearningEvalOutput

    _validate(result, "unlearning", UnlearningEvalOutput)


def _validate(result: dict[str, Any], name: str, model: type[Any]) -> None:
    try:
        TypeAdapter(model).validate_python(result)
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


@cache
def _schema(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    path = f"evals/{name}/eval_output_schema_{name}.json"
    return Draft202012Validator(json.loads(files("sae_bench").joinpath(path).read_text()))
