"""Names that take long to find out, kept for the shell's completion in the user's cache folder.

They are found out anew where a file of csae-bench or an installed package of evals has changed,
and once a day. Where they cannot be kept they are found out each time.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

Names = Mapping[str, list[str]]

_PACKAGE = Path(__file__).parents[1]
_GROUP = "csae_bench.evals"
_SECONDS_KEPT = 24 * 3600
"""After that long, as files of packages that are installed in editable form are not watched."""


def names() -> Names:
    """Return the keys of `--set`, what `explain` takes, evals, models and architectures."""
    from platformdirs import user_cache_path

    file = user_cache_path("csae-bench", appauthor=False) / "completion.json"
    made_from = _made_from()
    with suppress(OSError, ValueError, TypeError, KeyError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["made_from"] == made_from:
            return cast(Names, kept["names"])
    there = _found_out()
    _keep(file, {"made_from": made_from, "names": there})
    return there


def _made_from() -> str:
    """Return a digest of the code that the names come from, and of the day."""
    digest = hashlib.sha256(str(int(time.time() // _SECONDS_KEPT)).encode())
    files = [*_PACKAGE.rglob("*.py"), *(_PACKAGE.parent / "evals").glob("*.py")]
    for path in sorted(files):
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    for point in sorted(entry_points(group=_GROUP)):
        version = "" if point.dist is None else point.dist.version
        digest.update(f"{point.name} {point.value} {version}\n".encode())
    return digest.hexdigest()


def _keep(file: Path, content: Mapping[str, Any]) -> None:
    from csae_bench.errors import ResultError
    from csae_bench.results.store import write_json

    with suppress(ResultError):
        write_json(file, content)


def _found_out() -> dict[str, list[str]]:
    from csae_bench.comparison.metric_names import all_names
    from csae_bench.config import RunConfig
    from csae_bench.config.writing import architectures
    from csae_bench.evals import discover
    from csae_bench.models import model_names

    keys = dict.fromkeys(
        key for name in RunConfig.model_fields if name != "evals"
        for key in _keys(RunConfig.model_fields[name].annotation, name)
    )  # fmt: skip
    keys |= dict.fromkeys(_losses())
    keys |= dict.fromkeys(_eval_settings())
    return {
        "set": sorted(keys),
        "metrics": all_names(),
        "evals": discover(),
        "models": list(model_names()),
        "architectures": sorted(architectures()),
    }


def _keys(annotation: Any, prefix: str) -> Iterator[str]:
    """Yield the keys of all models that an annotation allows, or the prefix, if it allows none."""
    models = list(_models(annotation))
    if not models:
        yield prefix
    for model in models:
        for name, field in model.model_fields.items():
            yield from _keys(field.annotation, f"{prefix}.{name}")


def _models(annotation: Any) -> Iterator[Any]:
    """Yield the models of a field, those in lists and mappings left out: their keys are free."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated):
        for inner in get_args(annotation):
            yield from _models(inner)


def _losses() -> Iterator[str]:
    from csae_bench.config.loss_terms import LOSS_TERMS

    for term, row in LOSS_TERMS.items():
        yield from _keys(row, f"sae.losses.{term}")


def _eval_settings() -> Iterator[str]:
    from csae_bench.errors import PluginError
    from csae_bench.evals import discover, get_eval

    for name in discover():
        with suppress(PluginError):
            yield from _keys(get_eval(name).config, f"evals.{name}")
