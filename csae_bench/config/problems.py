"""One sentence for each thing that pydantic finds wrong in a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from csae_bench.config import RunConfig
from csae_bench.config.curriculum import HELD_BY_ALL_STAGES, STAGE_SETTINGS
from csae_bench.config.loss_terms import LOSS_TERMS
from csae_bench.errors import did_you_mean
from csae_bench.support.printable import shortened
from csae_bench.support.regular_files import impossible_path

_DIGITS = re.compile(r"\s*[-+]?[\d_]{20,}\s*")

Location = tuple[int | str, ...]

_BLOCKS_BY_NAME: dict[str, Mapping[str, type[BaseModel]]] = {
    "losses": LOSS_TERMS,
    "settings": STAGE_SETTINGS,
    "strength": LOSS_TERMS,
}
"""Keys whose subkeys are names of terms, and the settings below those."""


def describe_all(error: ValidationError, path: Path, flagged: set[str]) -> list[str]:
    """Return one sentence for each value that is wrong.

    Args:
        flagged: dotted keys that a flag set, which a sentence then names instead of the file.
    """
    findings = cast(list[Mapping[str, Any]], error.errors())
    return list(
        dict.fromkeys(
            describe(_with_alternatives(finding, findings), path, flagged)
            for finding in findings
            if not _follows_from_another(finding, findings)
        )
    )


def describe(finding: Mapping[str, Any], path: Path, flagged: set[str]) -> str:
    """Return a message with the file or flag, the key, the value, what is allowed and the fix."""
    location, allowed = _walk(cast(Location, finding["loc"]))
    key = ".".join(map(str, location))
    where = where_set(key, path, flagged)
    kind = finding["type"]
    if kind == "extra_forbidden":
        name = str(location[-1])
        return (
            f"{where}: unknown key '{key}'.{did_you_mean(name, allowed)} "
            f"Allowed there: {', '.join(allowed)}."
        )
    if kind in _WRONG_KINDS:
        return f"{where}: {_wrong_kind(finding, key)}"
    if kind == "missing":
        return f"{where}: {key} is missing."
    message = str(finding["msg"]).removeprefix("Value error, ")
    if kind == "value_error":
        return f"{where}: {key}: {message}." if key else f"{where}: {message}."
    requirement = message.replace("Input should be", "it must be", 1)
    return f"{where}: {key} is {_shown(finding['input'])}; {requirement}.{_nearest(finding)}"


_WRONG_KINDS = frozenset({"union_tag_invalid", "union_tag_not_found"})


def _wrong_kind(finding: Mapping[str, Any], key: str) -> str:
    context = cast(Mapping[str, Any], finding.get("ctx", {}))
    discriminator = str(context.get("discriminator", "")).strip("'")
    expected = [tag.strip(" '") for tag in str(context.get("expected_tags", "")).split(",")]
    if finding["type"] == "union_tag_not_found":
        return f"{key}.{discriminator} is missing; it says which kind {key} is."
    tag = str(context.get("tag", ""))
    return (
        f"{key}.{discriminator} is '{tag}'.{did_you_mean(tag, expected)} "
        f"It must be one of {', '.join(expected)}."
    )


def impossible_values(raw: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    """Yield the place of each value that no setting of any type can have, and what is wrong.

    That is a text that is empty or too long for a name, and a number that is written as a text
    because it has more than 64 bits. The settings of evals, which their evals check, are covered.
    """
    for location, value in _scalars(raw):
        if not isinstance(value, str):
            continue
        if not value.strip():
            yield location, "is empty; leave the key out, or give it a value"
        elif _DIGITS.fullmatch(value):
            yield location, f"is a number of {len(value)} digits; it must have at most 64 bits"
        elif (problem := impossible_path(value)) is not None:
            yield location, problem


def where_set(key: str, path: Path, flagged: set[str]) -> str:
    """Return the flag that set a dotted key, or else the file."""
    is_flag = any(
        key == flag or key.startswith(f"{flag}.") or flag.startswith(f"{key}.") for flag in flagged
    )
    return f"--set {key}" if is_flag else str(path)


def delete(raw: dict[str, Any], location: Location) -> None:
    """Remove the value of a finding from the raw configuration; tags of unions are skipped.

    Of a list, and of a block that lacks a key, all is removed: what is left of it would be wrong.
    """
    path, _ = _walk(location)
    holder: Any = raw
    innermost: tuple[dict[Any, Any], Any] | None = None
    for part in path:
        if isinstance(holder, dict) and part in holder:
            innermost = cast(dict[Any, Any], holder), part
            holder = innermost[0][part]
        elif isinstance(holder, list) and isinstance(part, int) and part < len(cast(Any, holder)):
            holder = cast(list[Any], holder)[part]
        else:
            break
    if innermost is not None:
        innermost[0].pop(innermost[1])


def _scalars(value: Any, prefix: Location = ()) -> Iterator[tuple[Location, Any]]:
    """Yield the place and value of everything in nested mappings and lists that is neither."""
    inner: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping):
        inner = cast(Mapping[Any, Any], value).items()
    elif isinstance(value, list):
        inner = enumerate(cast(list[Any], value))
    else:
        yield prefix, value
        return
    for key, part in inner:
        yield from _scalars(part, (*prefix, key))


def _with_alternatives(
    finding: Mapping[str, Any], findings: list[Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Return the finding, its message merged with those on the value's other possible types."""
    key = _walk(finding["loc"])[0]
    messages = [str(other["msg"]) for other in findings if _walk(other["loc"])[0] == key]
    first, *rest = dict.fromkeys(messages)
    joined = [first, *(message.removeprefix("Input should be ") for message in rest)]
    return {**finding, "msg": " or ".join(message.split(", unable to")[0] for message in joined)}


def _follows_from_another(finding: Mapping[str, Any], findings: list[Mapping[str, Any]]) -> bool:
    """Return whether the finding only says that a list is too short whose one item is wrong."""
    length = len(finding["loc"])
    return finding["type"] == "too_short" and any(
        len(other["loc"]) > length and other["loc"][:length] == finding["loc"] for other in findings
    )


def _nearest(finding: Mapping[str, Any]) -> str:
    if finding["type"] != "literal_error" or not isinstance(finding["input"], str):
        return ""
    expected = str(cast(Mapping[str, Any], finding.get("ctx", {})).get("expected", ""))
    return did_you_mean(finding["input"], re.findall("'([^']*)'", expected))


def _walk(location: Location, root: type[BaseModel] = RunConfig) -> tuple[Location, list[str]]:
    """Return the location without pydantic's tags, and the keys allowed next to its last one."""
    kept: list[int | str] = []
    models: list[type[BaseModel]] = [root]
    allowed: list[str] = []
    blocks: Mapping[str, type[BaseModel]] | None = None
    for part in location:
        if len(models) > 1 and (tagged := [m for m in models if _tag(m) == part]):
            models = tagged
            continue
        kept.append(part)
        if isinstance(part, int):
            continue
        if blocks is not None:
            allowed, models = sorted(blocks), [blocks[part]] if part in blocks else []
            blocks = None
            continue
        fields = models[0].model_fields if len(models) == 1 else {}
        allowed = _allowed(models[0]) if fields else allowed
        annotation = fields[part].annotation if part in fields else None
        if _is_union_of_values(annotation):
            break
        models, blocks = _models_in(annotation), _BLOCKS_BY_NAME.get(part)
    return tuple(kept), allowed


def _allowed(model: type[BaseModel]) -> list[str]:
    held = HELD_BY_ALL_STAGES if model in STAGE_SETTINGS.values() else {}
    return sorted(name for name in model.model_fields if name not in held)


def _is_union_of_values(annotation: Any) -> bool:
    """Return whether what pydantic adds to a location here is the name of a type."""
    if get_origin(annotation) not in (Union, UnionType):
        return False
    inner = [get_args(a)[0] if get_origin(a) is Annotated else a for a in get_args(annotation)]
    return all(a in (int, float, str, bool, NoneType) or get_origin(a) is Literal for a in inner)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _tag(model: type[BaseModel]) -> str | None:
    for name in ("architecture", "kind"):
        if name in model.model_fields:
            return str(model.model_fields[name].default)
    return None


def _shown(value: Any) -> str:
    return shortened(repr(value), 60)


def eval_problems(
    error: ValidationError, model: type[BaseModel], name: str, path: Path
) -> list[str]:
    """Return one sentence for each thing that is wrong in the settings of the eval `name`."""
    sentences: list[str] = []
    for finding in cast(list[Mapping[str, Any]], error.errors()):
        location, allowed = _walk(cast(Location, finding["loc"]), model)
        key = ".".join(["evals", name, *map(str, location)])
        if finding["type"] in _WRONG_KINDS:
            sentences.append(f"{path}: {_wrong_kind(finding, key)}")
        elif finding["type"] == "extra_forbidden":
            unknown = str(location[-1])
            sentences.append(
                f"{path}: unknown key '{key}'.{did_you_mean(unknown, allowed)} "
                f"Allowed there: {', '.join(allowed)}."
            )
        else:
            message = str(finding["msg"]).removeprefix("Value error, ")
            requirement = message.replace("Input should be", "it must be", 1)
            sentences.append(f"{path}: {key} is {_shown(finding['input'])}; {requirement}.")
    return sentences
