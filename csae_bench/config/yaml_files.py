"""YAML as configurations use it: a small mapping, no key twice, and 1e-3 is a number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import yaml
from typing_extensions import override
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from csae_bench.errors import ConfigError, reason_of
from csae_bench.support.regular_files import MIB, read_regular_text

MAX_LEVELS = 50
"""Largest number of levels of nesting; a configuration has about six."""

MAX_VALUES = 20_000
"""Values, aliases written out; a configuration has about a hundred."""

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""Characters that no name, path or text of a file has, though YAML escapes can write them."""


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader with limits, that refuses what a configuration cannot mean.

    It refuses a key given twice, reads 1e-3 as a float, `on` as a word and 010 as ten, and knows
    neither dates nor base 60. Nesting and aliases are counted while they are read.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._level = 0
        self._sizes: dict[int, int] = {}

    @override
    def compose_node(self, parent: Any, index: Any) -> Any:
        mark = self.peek_event().start_mark
        if self._level >= MAX_LEVELS:
            raise ComposerError(None, None, f"is nested more than {MAX_LEVELS} levels deep", mark)
        if self.check_event(yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                raise ComposerError(None, None, "refers to itself", mark)
            return node
        self._level += 1
        node = super().compose_node(parent, index)
        self._level -= 1
        size = self._sizes[id(node)] = 1 + sum(self._sizes[id(part)] for part in _parts(node))
        if max(size, len(self._sizes)) > MAX_VALUES:
            raise ComposerError(None, None, f"stands for more than {MAX_VALUES} values", mark)
        return node

    @override
    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:  # !!int and !!float on what is none
            raise ConstructorError(None, None, reason_of(error), node.start_mark) from error

    @override
    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        no_text = _NO_TEXT.search(value)
        if no_text is not None:
            problem = f"holds the character {no_text[0]!r}, which no text has"
            raise ConstructorError(None, None, problem, node.start_mark)
        return value


# YAML 1.1 reads on, off, yes and no as booleans; `on` is a setting of the loss terms. It reads
# 1:30 as 90, 010 as 8, and dates, none of which a setting is.
_StrictLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag.rpartition(":")[2] not in ("bool", "int", "timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    list("tTfF"),
)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(?:[0-9]+(?:_[0-9]+)*|0x[0-9a-fA-F_]+)$"),
    list("-+0123456789"),
)

# YAML 1.1 wants a dot in a float; without this, learning_rate: 1e-3 would be a string.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _parts(node: Any) -> list[Any]:
    """Return the nodes within a node, keys included."""
    if isinstance(node, yaml.SequenceNode):
        return node.value
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return []


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "").lower()
    value = int(text, 16 if "0x" in text else 10) if len(text) < 100 else 2**63
    if not -(2**63) <= value < 2**63:
        problem = f"is an integer of {len(text)} characters; it must have at most 64 bits"
        raise ConstructorError(None, None, problem, node.start_mark)
    return value


def _mapping_without_repeats(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int) or isinstance(key, bool):
            problem = f"has {_described(key)} as a key; a key must be a word"
            raise ConstructorError(None, None, problem, key_node.start_mark)
        if key in seen:
            raise ConstructorError(None, None, f"key '{key}' is given twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


def _described(key: Any) -> str:
    if isinstance(key, list | dict | set | tuple):
        return f"a {type(cast(object, key)).__name__}"
    return "nothing" if key is None else str(key)[:60]


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _integer)
_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping_without_repeats)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the mapping in a YAML file of at most 1 MiB.

    Raises:
        ConfigError: unreadable, not YAML, a key twice, empty, or not a mapping; names file and
            line.
    """
    try:
        value = parse_value(read_regular_text(path, at_most=MIB))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {_lower(reason_of(error))}."]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}:{yaml_problem(error)}."]) from error
    if not isinstance(value, dict | None):
        raise ConfigError([f"{path}: holds a {type(value).__name__}; it must be a mapping."])
    mapping = cast(dict[str, Any], value or {})
    if all(inner is None or inner == {} for inner in mapping.values()):
        raise ConfigError([f"{path}: is empty; it must be a mapping with at least one key."])
    return mapping


def parse_value(text: str) -> Any:
    """Parse one YAML value, as in `--set key=value`.

    Raises:
        YAMLError: it is none; `yaml_problem` says why.
    """
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except (ValueError, RecursionError) as error:  # an escape such as "\U00110000"
        raise yaml.YAMLError(reason_of(error)) from error


def yaml_problem(error: yaml.YAMLError) -> str:
    """Return the problem, from ` line 3` on, if the line is known."""
    if isinstance(error, yaml.MarkedYAMLError):
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return f"{line} {error.problem or 'is not YAML'}"
    return f" is not YAML: {str(error).splitlines()[0]}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if not text[:2].isupper() else text
