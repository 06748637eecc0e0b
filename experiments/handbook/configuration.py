"""The keys of a configuration, block by block, and the configurations by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple, cast, get_args

from pydantic import BaseModel

from csae_bench.cli.listing import listing
from csae_bench.config import RunConfig
from csae_bench.config.loss_terms import TermSettings
from experiments.handbook.settings import Setting, settings_of


class Block(NamedTuple):
    """A block of a configuration."""

    key: str
    """Dotted key; empty for the top level."""
    kind: str
    """`key: value` that tells it from other blocks at the same place; empty if there are none."""
    about: str
    settings: list[Setting]


class Configuration(NamedTuple):
    """A configuration that `--sae` takes by its name."""

    name: str
    kind: str
    summary: str


def blocks() -> list[Block]:
    """Return the blocks in the order in which a configuration has them."""
    return list(_blocks("", RunConfig))


def configurations() -> list[Configuration]:
    """Return the configurations, by name."""
    return [
        Configuration(name, entry["kind"], entry["summary"])
        for name, entry in cast(dict[str, dict[str, str]], listing("saes")["saes"]).items()
    ]


def _blocks(key: str, model: type[BaseModel]) -> Iterator[Block]:
    about = inspect.cleandoc(model.__doc__ or "")
    rows = [row for row in settings_of(model) if not _is_block(model, row.name)]
    yield Block(key, _tag(model), about, rows)
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            yield from _blocks(f"{key}.{name}".lstrip("."), inner)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models of an annotation; loss terms have pages of their own."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [] if issubclass(annotation, TermSettings) else [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _is_block(model: type[BaseModel], name: str) -> bool:
    """Return whether a key holds a block and nothing else, so that the block's section suffices."""
    parts = get_args(model.model_fields[name].annotation)
    return bool(_models_in(model.model_fields[name].annotation)) and (
        type(None) not in parts and Ellipsis not in parts
    )


def _tag(model: type[BaseModel]) -> str:
    for name in ("architecture", "kind"):
        field = model.model_fields.get(name)
        if field is not None and len(get_args(field.annotation)) == 1:
            return f"{name}: {get_args(field.annotation)[0]}"
    return ""
