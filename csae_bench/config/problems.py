"""One sentence for each thing that pydantic finds wrong in a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError

from csae_bench.config import RunConfig
from csae_bench.errors import did_you_mean
from csae_bench.loss_terms import LOSS_TERMS

Location = tuple[int | str, ...]


def describe(finding: Mapping[str, Any], path: Path, flagged: set[str]) -> str:
    """A sentence with the file or flag, the key, the value, what is allowed and what to do."""
    location, allowed = _walk(cast(Location, finding["loc"]))
    key = ".".join(map(str, location))
    is_flag = any(
        key == flag or key.startswith(f"{flag}.") or flag.startswith(f"{key}.") for flag in flagged
    )
    where = f"--set {key}" if is_flag else str(path)
    kind = finding["type"]
    if kind == "extra_forbidden":
        name = str(location[-1])
        return (
            f"{where}: unknown key '{key}'.{did_you_mean(name, allowed)} "
            f"Allowed there: {', '.join(allowed)}."
        )
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        context = cast(Mapping[str, Any], finding.get("ctx", {}))
        discriminator = str(context.get("discriminator", "")).strip("'")
        expected = [tag.strip(" '") for tag in str(context.get("expected_tags", "")).split(",")]
        if kind == "union_tag_not_found":
            return f"{where}: {key}.{discriminator} is missing; it says which kind {key} is."
        tag = str(context.get("tag", ""))
        return (
            f"{where}: {key}.{discriminator} is '{tag}'.{did_you_mean(tag, expected)} "
            f"It must be one of {', '.join(expected)}."
        )
    message = str(finding["msg"]).removeprefix("Value error, ")
    if kind == "value_error":
        return f"{where}: {key}: {message}." if key else f"{where}: {message}."
    requirement = message.replace("Input should be", "it must be", 1)
    return f"{where}: {key} is {_shown(finding['input'])}; {requirement}."


def delete(raw: dict[str, Any], location: Location) -> None:
    """Removes what a finding points at from the raw configuration, tags of unions skipped."""
    path, _ = _walk(location)
    holder: Any = raw
    for part in path[:-1]:
        if not isinstance(holder, dict) or part not in holder:
            return
        holder = cast(dict[Any, Any], holder)[part]
    if isinstance(holder, dict) and path:
        cast(dict[Any, Any], holder).pop(path[-1], None)


def _walk(location: Location) -> tuple[Location, list[str]]:
    """The location without the tags that pydantic adds, and the keys allowed beside its last."""
    kept: list[int | str] = []
    models: list[type[BaseModel]] = [RunConfig]
    allowed: list[str] = []
    for part in location:
        tagged = [m for m in models if _tag(m) == part]
        if len(models) > 1 and tagged:
            models = tagged
            continue
        kept.append(part)
        if kept[-2:-1] == ["losses"]:
            allowed = sorted(LOSS_TERMS)
            models = [LOSS_TERMS[str(part)]] if part in LOSS_TERMS else []
            continue
        fields = models[0].model_fields if len(models) == 1 else {}
        allowed = sorted(fields) if fields else allowed
        models = _models_in(fields[str(part)].annotation) if part in fields else []
    return tuple(kept), allowed


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
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def eval_problems(
    error: ValidationError, model: type[BaseModel], name: str, path: Path
) -> list[str]:
    """One sentence for each thing that is wrong in the settings of the eval `name`."""
    allowed = sorted(model.model_fields)
    sentences: list[str] = []
    for finding in error.errors():
        key = ".".join(["evals", name, *map(str, finding["loc"])])
        if finding["type"] == "extra_forbidden":
            unknown = str(finding["loc"][-1])
            sentences.append(
                f"{path}: unknown key '{key}'.{did_you_mean(unknown, allowed)} "
                f"Allowed there: {', '.join(allowed)}."
            )
        else:
            requirement = str(finding["msg"]).replace("Input should be", "it must be", 1)
            sentences.append(f"{path}: {key} is {_shown(finding['input'])}; {requirement}.")
    return sentences
