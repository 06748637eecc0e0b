"""The settings of a model of pydantic, as rows of a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from pydantic import BaseModel

Schema = Mapping[str, Any]

_LONGEST = 120
_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}
_WORDS = {"number": "number", "integer": "whole number", "boolean": "true or false"}


class Setting(NamedTuple):
    """A setting."""

    name: str
    allowed: str
    """Its type, its values and its bounds, in words; Markdown."""
    default: str
    """As JSON; empty if it has none."""
    about: str


def settings_of(model: type[BaseModel]) -> list[Setting]:
    """Return a row for each setting of a model, in order."""
    schema = model.model_json_schema()
    definitions = cast(Schema, schema.get("$defs", {}))
    return [
        Setting(name, _allowed(one, definitions), _default(model, name), _about(one))
        for name, one in schema.get("properties", {}).items()
    ]


def shown(value: Any) -> str:
    """Return a value as JSON, cut where it is long."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _default(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    return "" if field.is_required() else shown(field.get_default(call_default_factory=True))


def _about(schema: Schema) -> str:
    return " ".join(str(schema.get("description", "")).split())


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    reference = schema.get("$ref")
    return schema if reference is None else definitions[str(reference).rpartition("/")[2]]


def _allowed(schema: Schema, definitions: Schema) -> str:
    schema = _resolved(schema, definitions)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            each = [_allowed(one, definitions) for one in schema[key]]
            return ", or ".join(dict.fromkeys(each))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = str(schema.get("type", ""))
    if kind == "array":
        items = cast(Schema, schema.get("items", {}))
        return f"list of: {_allowed(items, definitions)}" if items else "list"
    if kind == "object":
        return "block of settings" if "properties" in schema else "mapping"
    bounds = " and ".join(_bounds(schema))
    word = {"string": "text", "null": "`null`"}.get(kind, _WORDS.get(kind, kind))
    return f"{word} {bounds}" if bounds else word


def _bounds(schema: Schema) -> Iterator[str]:
    for key, words in _BOUNDS.items():
        if key in schema:
            yield words.format(f"{schema[key]:g}" if schema[key] < 1e6 else str(schema[key]))
