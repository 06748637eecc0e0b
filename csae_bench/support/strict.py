"""The base of every block of settings: frozen, nothing unknown, and no truth value as a number."""

from __future__ import annotations

from typing import Any, cast, get_args

from pydantic import BaseModel, ConfigDict, model_validator


class Strict(BaseModel):
    """Base of settings: an unknown key is an error, and `true` is not accepted as 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: Any) -> Any:
        given = cast(dict[Any, Any], value) if isinstance(value, dict) else {}
        for name, one in given.items():
            if isinstance(one, bool) and name in cls.model_fields:
                allowed = _flat(cls.model_fields[name].annotation)
                if bool not in allowed and (int in allowed or float in allowed):
                    raise ValueError(f"{name} is {one}; it must be a number")
        return value


def _flat(annotation: Any) -> set[Any]:
    """Return a type and all types within it."""
    inner = get_args(annotation)
    return {annotation} if not inner else {part for one in inner for part in _flat(one)}
