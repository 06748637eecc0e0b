"""SAE-Bench's own opinion of a result: its pydantic model and its shipped JSON schema."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from csae_bench.errors import EvalError


def validate_core(result: dict[str, Any]) -> None:
    """Checks a core `eval_result` as SAE-Bench would.

    Raises:
        EvalError: it does not fit the model or the schema; the message names the place.
    """
    from sae_bench.evals.core.eval_output import CoreEvalOutput

    try:
        TypeAdapter(CoreEvalOutput).validate_python(result)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EvalError(
            f"SAE-Bench does not accept this core result: {place}: {first['msg']}."
        ) from error
    problem = next(_core_schema().iter_errors(result), None)
    if problem is not None:
        raise EvalError(
            f"SAE-Bench's schema does not accept this core result: {problem.json_path}: "
            f"{problem.message}."
        )


@cache
def _core_schema() -> Draft202012Validator:
    text = files("sae_bench").joinpath("evals/core/eval_output_schema_core.json").read_text()
    return Draft202012Validator(json.loads(text))
