"""Sweeps: a YAML grid over keys of the configuration, as `--sweep` takes it.

A key has its values as a list, under its dotted name or in nested mappings:

    sae.k: [9, 18]
    sae:
      losses: {rows: {weight: [0, 0.2]}}
    seed: [0, 1]

Every combination is one run, with the names and the weights that `--set` gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, cast

import yaml

from csae_bench.config.yaml_files import read_yaml
from csae_bench.errors import ConfigError
from csae_bench.support.printable import shortened

MAX_COMBINATIONS = 10_000
"""More are a slip of the hand: one SAE of the bundled model takes minutes."""

_MAX_SHOWN = 80


def read_sweep(path: Path, *, given: Iterable[str] = ()) -> list[tuple[str, ...]]:
    """Return the combinations of a grid, each as texts for `--set`; the last key varies fastest.

    Args:
        given: keys that the command line sets for all combinations.

    Raises:
        ConfigError: the file is no grid, or it varies what the command line sets.
    """
    grid = _grid(path, read_yaml(path))
    problems = _problems(path, grid, list(given))
    if problems:
        raise ConfigError(problems)
    return [tuple(texts) for texts in product(*([*each] for each in _texts(grid)))]


def _grid(path: Path, raw: Mapping[str, Any]) -> list[tuple[str, list[Any]]]:
    grid: list[tuple[str, list[Any]]] = []
    problems: list[str] = []
    for key, value in _leaves(raw):
        if not isinstance(value, list):
            shown = shortened(str(value), _MAX_SHOWN)
            problems.append(f"{path}: {key} is {shown}; write its values as a list, as [{shown}].")
            continue
        values = cast(list[Any], value)
        if not values:
            problems.append(f"{path}: {key} has no values; name one at least, or leave it out.")
        twice = [each for i, each in enumerate(values) if each in values[:i]]
        if twice:
            shown = shortened(str(twice[0]), _MAX_SHOWN)
            problems.append(f"{path}: {key} has the value {shown} twice; name it once.")
        grid.append((key, values))
    if problems:
        raise ConfigError(problems)
    return grid


def _leaves(raw: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in raw.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(cast(Mapping[Any, Any], value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _problems(path: Path, grid: list[tuple[str, list[Any]]], given: list[str]) -> list[str]:
    keys = [key for key, _ in grid]
    problems = [
        f"{path}: {key} is given twice, under its dotted name and in a mapping; name it once."
        for i, key in enumerate(keys)
        if key in keys[:i]
    ]
    problems += [
        f"{path}: {key} is in the sweep, and the command line sets {one}; leave out one of them."
        for key in keys
        for one in given
        if f"{key}.".startswith(f"{one}.") or f"{one}.".startswith(f"{key}.")
    ]
    n_combinations = prod(len(values) for _, values in grid)
    if n_combinations > MAX_COMBINATIONS:
        problems.append(
            f"{path}: has {n_combinations:,} combinations; at most {MAX_COMBINATIONS:,} are run. "
            "Name fewer values, or split the grid into several files."
        )
    return problems


def _texts(grid: list[tuple[str, list[Any]]]) -> Iterator[list[str]]:
    for key, values in grid:
        yield [f"{key}={_text(value)}" for value in values]


def _text(value: Any) -> str:
    """Return a value as YAML in one line that is read as the same value."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=2**31, allow_unicode=str(value).isprintable()
    )
    return text.removesuffix("...\n").removesuffix("\n")
