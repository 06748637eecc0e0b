"""A Hugging Face config.json, read key by key, with an error that names file, key and value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, cast

from csae_bench.errors import ModelError, reason_of
from csae_bench.support.regular_files import MIB, read_regular_text

_REQUIRED = object()


@dataclass(frozen=True)
class HfConfig:
    """The values of a config.json, and the place to name when one of them is wrong."""

    values: Mapping[str, Any]
    source: str

    @property
    def architecture(self) -> str:
        """The class that transformers would build, e.g. Gemma2ForCausalLM."""
        named: object = self.values.get("architectures")
        if not isinstance(named, list) or not named or not isinstance(named[0], str):
            raise self.wrong("architectures", 'a list with one name, e.g. ["Gemma2ForCausalLM"]')
        return named[0]

    def size(self, key: str, default: object = _REQUIRED) -> int:
        """Read a whole number of at least 1."""
        value = self._get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.wrong(key, "a whole number of at least 1")
        return value

    def count(self, key: str, default: int) -> int:
        """Read a whole number of at least 0."""
        value = self._get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.wrong(key, "a whole number of at least 0")
        return value

    def number(self, key: str, default: object = _REQUIRED) -> float:
        """Read a number above 0."""
        value = self._get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < inf:
            raise self.wrong(key, "a number above 0")
        return float(value)

    def optional_number(self, key: str, default: float | None) -> float | None:
        """Read a number above 0, or null."""
        return None if self._get(key, default) is None else self.number(key, default)

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        """Read one of the allowed words."""
        value = self._get(key, default)
        if value not in allowed:
            raise self.wrong(key, f"one of {', '.join(allowed)}")
        return cast(str, value)

    def must_be_off(self, key: str, reason: str = "HookedTransformer has no such setting") -> None:
        """Refuse a setting that would be silently lost."""
        if self.values.get(key):
            raise self.wrong(key, f"absent or false, since {reason}")

    def inner(self, key: str) -> HfConfig:
        """Read an object within this one; an empty one where it is absent or null."""
        value: object = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.wrong(key, "a JSON object")
        return HfConfig(cast(dict[str, Any], value or {}), f"{self.source}, {key}")

    def is_null(self, key: str) -> bool:
        """Whether the key is there and its value is null."""
        return key in self.values and self.values[key] is None

    def wrong(self, key: str, allowed: str) -> ModelError:
        """Make the error for a key whose value is not allowed."""
        shown = repr(self.values[key]) if key in self.values else "missing"
        return ModelError(f"{self.source}: {key} is {shown}; it must be {allowed}.")

    def _get(self, key: str, default: object) -> object:
        if key not in self.values and default is _REQUIRED:
            return None  # no check lets None pass, and `wrong` says that the key is missing
        return self.values.get(key, default)


def read_hf_config(folder: Path) -> HfConfig:
    """Read the config.json of a model's folder; ModelError if there is none that can be read."""
    if folder.is_file():
        raise ModelError(f"{folder} is a file; pass the model's folder, {folder.parent}.")
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; pass a Hugging Face model's folder.")
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(
            f"{folder} has no config.json; pass the folder of a model saved by transformers."
        )
    try:
        values: object = json.loads(read_regular_text(path, at_most=16 * MIB))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {reason_of(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} is not JSON: {reason_of(error)}; restore the model's own file."
        ) from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds a {type(values).__name__}; it must hold a JSON object.")
    return HfConfig(cast(dict[str, Any], values), str(path))
