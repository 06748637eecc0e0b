"""Entities with their attributes and the prompts that ask for them, in RAVEL's form.

RAVEL (Huang et al. 2024, arXiv:2402.17700) has four JSON files for each class of entities, called
`ravel_<class>_<part>.json`. Importing this imports neither torch nor transformers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from csae_bench import models
from csae_bench.engines.ravel.cities import ATTRIBUTES, ENTITY, city_table
from csae_bench.errors import DataError, reason_of
from csae_bench.evals.inputs import Status
from csae_bench.results.keys import digest

AUTO, CITIES, HUB = "auto", "cities", "hub"
HUB_DATASET = "adamkarvonen/ravel_prompts"
"""From which SAE-Bench downloads RAVEL's files."""
PARTS = ("entity_attributes", "attribute_to_prompts", "entity_to_split", "prompt_to_split")

Selection = Mapping[str, Sequence[str]]
"""Class of entities -> at least two attributes."""

SAE_BENCH_SELECTION: Selection = {
    "city": ("Country", "Continent", "Language"),
    "nobel_prize_winner": ("Country of Birth", "Field", "Gender"),
}
CITY_SELECTION: Selection = {ENTITY: ATTRIBUTES}


@dataclass(frozen=True)
class EntityTable:
    """One class of entities, checked."""

    entity: str
    parts: Mapping[str, Any]
    """Content of the four files, by `PARTS`."""

    @property
    def fingerprint(self) -> str:
        """A hash of the content."""
        return digest({"entity": self.entity, **self.parts})

    def write(self, folder: Path) -> None:
        """Write the four files, as SAE-Bench reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        for part, content in self.parts.items():
            path = folder / file_name(self.entity, part)
            path.write_text(json.dumps(content), encoding="utf-8")


def skip_reason(data: str, model: str) -> str | None:
    """Return why a model cannot be asked; None where it can."""
    info = models.describe(model)
    if data == AUTO and info.kind == "tinyworld":
        return (
            f"{info.name} knows one fact of each thing, and RAVEL asks for at least two attributes "
            "of an entity; set evals.ravel.data to entities that it knows"
        )
    if info.kind == "memory":
        return f"{info.name} is a model in memory; RAVEL needs transformers' model, by name or path"
    return None


def selection_of(data: str, chosen: Selection | None) -> Selection:
    """Return the classes and attributes to ask for."""
    if chosen is not None:
        return chosen
    return SAE_BENCH_SELECTION if data == HUB else CITY_SELECTION


def open_tables(data: str, selection: Selection) -> list[EntityTable]:
    """Read the tables.

    Args:
        data: `auto` or `cities` for the shipped one, `hub`, or a folder.

    Raises:
        DataError: a file is missing or malformed; names file, key and value.
    """
    if data in (AUTO, CITIES):
        return [
            checked(entity, _shipped(entity), "cities", selection[entity]) for entity in selection
        ]
    folder = _hub_folder() if data == HUB else Path(data).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"evals.ravel.data is '{data}'; it must be {AUTO}, {CITIES}, {HUB}, or a folder of "
            f"RAVEL's files, {file_name('city', PARTS[0])} and its like."
        )
    return [
        checked(entity, _read(folder, entity), str(folder), selection[entity])
        for entity in selection
    ]


def data_status(data: str, selection: Selection) -> list[Status]:
    """Return what is wrong with the data; files are read, nothing is downloaded."""
    if data == HUB:
        return [("unknown", f"{HUB_DATASET} is on the Hugging Face hub")]
    try:
        tables = open_tables(data, selection)
    except DataError as error:
        return [("problem", str(error))]
    counts = ", ".join(f"{t.entity} {len(t.parts[PARTS[0]])}" for t in tables)
    return [("ok", f"entities: {counts}")]


def data_fingerprint(data: str, selection: Selection) -> str | None:
    """Return a hash of the tables; None for those of the hub and for wrong ones."""
    if data == HUB:
        return None
    try:
        return digest({table.entity: table.fingerprint for table in open_tables(data, selection)})
    except DataError:
        return None


def file_name(entity: str, part: str) -> str:
    """Return the name of one of RAVEL's files."""
    return f"ravel_{entity}_{part}.json"


def checked(
    entity: str, parts: Mapping[str, Any], place: str, attributes: Iterable[str]
) -> EntityTable:
    """Check one class of entities.

    Raises:
        DataError: an attribute, a label or a template is missing or has another form.
    """

    def refuse(part: str, what: str) -> None:
        raise DataError(f"{place}/{file_name(entity, part)}: {what}")

    known, prompts = parts["entity_attributes"], parts["attribute_to_prompts"]
    for part in PARTS:
        if not isinstance(parts[part], dict) or not parts[part]:
            refuse(part, "must be a JSON object with at least one entry.")
    for attribute in attributes:
        if attribute not in prompts:
            names = ", ".join(map(str, prompts))
            refuse("attribute_to_prompts", f"has no '{attribute}'; it has {names}.")
        for template in prompts[attribute]:
            if not _takes_one_name(template):
                refuse(
                    "attribute_to_prompts",
                    f"{attribute}: {template!r} must have %s once, and %% for any other %.",
                )
            if template not in parts["prompt_to_split"]:
                refuse("prompt_to_split", f"lacks the prompt {template!r}.")
        for name, labels in known.items():
            if not isinstance(labels, dict) or not isinstance(labels.get(attribute), str):
                refuse("entity_attributes", f"'{name}' has no '{attribute}'; give it one, or \"\".")
    for name in known:
        if name not in parts["entity_to_split"]:
            refuse("entity_to_split", f"lacks '{name}'.")
    return EntityTable(entity, dict(parts))


def _takes_one_name(template: Any) -> bool:
    try:
        return isinstance(template, str) and template.count("%s") == 1 and bool(template % "x")
    except (TypeError, ValueError):
        return False


@lru_cache(maxsize=1)
def _city_table() -> dict[str, Any]:
    return city_table()


def _shipped(entity: str) -> dict[str, Any]:
    if entity != ENTITY:
        raise DataError(
            f"evals.ravel.entity_attribute_selection has '{entity}'; the shipped data has "
            f"'{ENTITY}' alone. Set evals.ravel.data to a folder, or to {HUB}."
        )
    return _city_table()


def _read(folder: Path, entity: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for part in PARTS:
        path = folder / file_name(entity, part)
        try:
            parts[part] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path}: {reason_of(error).rstrip('.')}; it must be one of RAVEL's four files."
            ) from error
    return parts


def _hub_folder() -> Path:
    import huggingface_hub

    try:
        place = huggingface_hub.snapshot_download(
            HUB_DATASET, repo_type="dataset", allow_patterns="*.json"
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"dataset '{HUB_DATASET}' cannot be had from the hub: {reason_of(error).rstrip('.')}. "
            "Set evals.ravel.data to a folder with its files."
        ) from error
    return Path(place)
