"""For each setting of an eval a valid value that is not its default, found from its annotation."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tests.golden.make_data import DATA

SPECIAL: dict[tuple[str, str], Any] = {
    # names and paths that have to exist: their type says nothing of which do
    ("*", "model"): "gpt2",
    ("*", "factors"): "english",
    ("core", "dataset"): "user/some-text",
    ("autointerp", "judge"): {"kind": "rule", "factors": "tinyworld"},
    ("autointerp", "dataset"): "tinyworld",
    ("sparse_probing", "dataset_names"): ["tinyworld:tense"],
    ("tpp", "dataset_names"): ["tinyworld:tense"],
    ("scr", "dataset_names"): ["tinyworld:sentiment*gender"],
    ("ce_bench", "dataset"): "english",
    ("ce_bench", "group_column"): "id",
    ("ce_bench", "text_column"): "story",
    ("ce_bench", "changed_column"): "differs_in",
    ("ce_bench", "entity_column"): "city",
    ("ce_bench", "templates"): ["I live in {entity}."],
    ("ce_bench", "factors"): ["tense"],
    ("unlearning", "data"): str(DATA / "questions"),
    ("unlearning", "forget_corpus"): str(DATA / "questions" / "wikitext.jsonl"),
    ("sparse_probing_sae_probes", "data"): str(DATA / "probes"),
    ("sparse_probing_sae_probes", "datasets"): ["21_headline_istrump"],
}
"""(eval, or * for any, setting) -> another value."""

_INTS = (1, 2, 3, 5, 10, 20, 50, 100, 500, 2000, 20_000)
_FLOATS = (0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 2.0, 10.0)


class NoOtherValueError(Exception):
    """A setting for which no other value can be made."""


def other_values(eval_name: str, config: type[BaseModel]) -> dict[str, Any]:
    """Return setting -> a value, as JSON has it, that is valid and not the default.

    Raises:
        NoOtherValueError: there is none that can be found; the message names the setting.
    """
    return {field: _other_value(eval_name, config, field) for field in config.model_fields}


def _other_value(eval_name: str, config: type[BaseModel], field: str) -> Any:
    for key in ((eval_name, field), ("*", field)):
        if key in SPECIAL:
            return SPECIAL[key]
    default = getattr(config(), field)
    for value in _candidates(config.model_fields[field].annotation, default):
        try:
            checked = getattr(config.model_validate({field: value}), field)
        except ValidationError:
            continue
        if checked != default:
            return value
    raise NoOtherValueError(
        f"evals.{eval_name}.{field}: no value but the default, {default!r}, can be made from its "
        f"type; give it one in SPECIAL of {__file__}."
    )


def _candidates(annotation: Any, default: Any) -> Iterator[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _candidates(arguments[0], default)
    elif origin in (Union, types.UnionType):
        for one in arguments:
            yield from _candidates(one, default)
    elif origin is Literal:
        yield from arguments
    elif origin is tuple:
        yield from ([value] for value in _candidates(arguments[0], None))
    elif annotation is bool:
        yield from (False, True)
    elif annotation is int:
        yield from (default + 1, default - 1) if isinstance(default, int) else ()
        yield from _INTS
    elif annotation is float:
        yield from _FLOATS
