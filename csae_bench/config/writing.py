"""Text of a configuration's YAML file: each key below a comment, the docstring of its field."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ValidationError

from csae_bench.config.base import SaeSettings
from csae_bench.config.baselines import BASELINES
from csae_bench.config.problems import describe_all
from csae_bench.config.run import RunConfig
from csae_bench.config.sae import TRAINED
from csae_bench.errors import ConfigError, UnknownNameError

_COLUMNS = 100
_INDENT = "  "
_ALWAYS = {RunConfig: ("model", "seed"), SaeSettings: ("architecture", "d_sae", "k")}
"""Keys that are written even where they have their default: those that a reader looks for first."""
_FIRST = ("architecture", "kind", "d_sae", "k")


def config_text(
    config: RunConfig,
    *,
    head: str,
    evals: Mapping[str, tuple[str, BaseModel]],
    all_keys: bool = False,
) -> str:
    """Return a configuration as YAML that reads back as the same configuration.

    Args:
        config: what is written: the keys that were set, or with `all_keys` every one.
        head: the comment at the top.
        evals: for each eval of the configuration its summary and its settings.
    """
    lines = [*_comment(head, ""), ""]
    for name in _written(config, all_keys):
        if name == "evals":
            lines += _comment(_description(config, name), "")
            lines += ["evals:" if evals else "evals: {}", *_evals(evals, all_keys)]
        else:
            lines += _entry(config, name, "", all_keys)
    return "\n".join(lines) + "\n"


def architectures() -> dict[str, type[SaeSettings]]:
    """Return each architecture's name with its settings, those that need no training last."""
    classes = [*TRAINED, *(row.settings for row in BASELINES.values())]
    return {str(each.model_fields["architecture"].default): each for each in classes}


def raw_of(config: RunConfig) -> dict[str, Any]:
    """Return the keys of a configuration that were set, as nested mappings."""
    return config.model_dump(mode="json", exclude_unset=True)


def checked(raw: Mapping[str, Any], path: Path) -> RunConfig:
    """Return the configuration that a file with these keys has.

    Raises:
        ConfigError: lists every problem, as one of the file `path`.
    """
    try:
        return RunConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(describe_all(error, path, set())) from error


def with_architecture(raw: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """Return a configuration's keys with an SAE of another architecture.

    Settings of the SAE that both architectures have stay. Where the new one has no contrastive
    terms, the curriculum and the weighting of the terms go with them.

    Raises:
        UnknownNameError: no architecture has this name.
    """
    by_name = architectures()
    if architecture not in by_name:
        raise UnknownNameError("architecture", architecture, by_name)
    fields = by_name[architecture].model_fields
    kept = {key: value for key, value in raw.get("sae", {}).items() if key in fields}
    changed = {**raw, "sae": {**kept, "architecture": architecture}}
    if "losses" not in fields:
        of_terms = ("curriculum", "weighting")
        training = raw.get("training", {}).items()
        changed["training"] = {key: value for key, value in training if key not in of_terms}
    return changed


def _evals(evals: Mapping[str, tuple[str, BaseModel]], all_keys: bool) -> Iterator[str]:
    for name, (summary, settings) in evals.items():
        yield from _comment(summary, _INDENT)
        yield from _named(name, settings, _INDENT, all_keys)


def _entry(owner: BaseModel, name: str, indent: str, all_keys: bool) -> Iterator[str]:
    """Yield a key with its comment and its value."""
    yield from _comment(_description(owner, name), indent)
    yield from _named(name, getattr(owner, name), indent, all_keys)


def _named(name: str, value: Any, indent: str, all_keys: bool) -> Iterator[str]:
    key = f"{indent}{_scalar(name)}:"
    inner = indent + _INDENT
    if isinstance(value, BaseModel):
        keys = _written(value, all_keys)
        yield key if keys else f"{key} {{}}"
        for each in keys:
            yield from _entry(value, each, inner, all_keys)
    elif _has_models(value):
        yield key
        if isinstance(value, dict):
            for each, model in cast(dict[str, BaseModel], value).items():
                yield from _comment(_of_class(model), inner)
                yield from _named(each, model, inner, all_keys)
        else:
            for place, model in enumerate(cast(tuple[BaseModel, ...], value)):
                yield from _item(model, inner, all_keys, with_comments=place == 0)
    else:
        yield f"{key} {_scalar(_plain(value))}"


def _item(model: BaseModel, indent: str, all_keys: bool, *, with_comments: bool) -> Iterator[str]:
    """Yield an item of a list; only the first one has comments."""
    lines: list[str] = []
    for name in _written(model, all_keys):
        lines += _entry(model, name, indent + _INDENT, all_keys)
    keys = [place for place, line in enumerate(lines) if not line.lstrip().startswith("#")]
    for place, line in enumerate(lines):
        if place == keys[0]:
            yield f"{indent}- {line.strip()}"
        elif place in keys or with_comments:
            yield line if place > keys[0] else f"{indent}{line.strip()}"


def _written(model: BaseModel, all_keys: bool) -> list[str]:
    """Return the names of the fields that are written, in their order, what chooses others first,
    and mappings of blocks last."""
    there = list(type(model).model_fields)
    if not all_keys:
        always = [n for owner, names in _ALWAYS.items() if isinstance(model, owner) for n in names]
        there = [name for name in there if name in model.model_fields_set or name in always]
    first = [name for name in _FIRST if name in there]
    last = [name for name in there if isinstance(getattr(model, name), dict)]
    return [*first, *(name for name in there if name not in (*first, *last)), *last]


def _description(owner: BaseModel, name: str) -> str:
    """Return a field's docstring; of a block and of what chooses one, its class's first line."""
    told = type(owner).model_fields[name].description
    value = getattr(owner, name)
    return told or _of_class(value if isinstance(value, BaseModel) else owner)


def _of_class(model: BaseModel) -> str:
    return (type(model).__doc__ or "").strip().split("\n\n")[0]


def _has_models(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | tuple | list) or not value:
        return False
    return all(isinstance(each, BaseModel) for each in cast(Any, inner))


def _plain(value: Any) -> Any:
    """Return a value as YAML has it: a list for a tuple."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in cast(list[Any], value)]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in cast(dict[str, Any], value).items()}
    # 18 and not 18.0
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _scalar(value: Any) -> str:
    """Return a value on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        width=_COLUMNS,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
