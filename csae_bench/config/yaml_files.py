"""YAML as configurations use it: a mapping, no key twice, and 1e-3 is a number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import yaml

from csae_bench.errors import ConfigError


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, reads 1e-3 as a float, and `on` as a word."""


# YAML 1.1 reads on, off, yes and no as booleans; `on` is a setting of the loss terms.
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    list("tTfF"),
)

# YAML 1.1 wants a dot in a float; without this, learning_rate: 1e-3 would be a string.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _mapping_without_repeats(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key '{key}' stands twice", key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping_without_repeats)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping.

    Raises:
        ConfigError: unreadable, not YAML, a key twice, or not a mapping; names file and line.
    """
    try:
        value = parse_value(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}."]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError([f"{path}:{line} {error.problem or 'is not YAML'}."]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: is not YAML: {error}."]) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError([f"{path}: holds a {type(value).__name__}; it must be a mapping."])
    return cast(dict[str, Any], value)


def parse_value(text: str) -> Any:
    """One YAML value, as in `--set key=value`."""
    return yaml.load(text, Loader=_StrictLoader)
