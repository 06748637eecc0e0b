"""Minimal pairs of a table of entities and their attributes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from csae_bench.config.pairs import MinimalSettings
from csae_bench.corpora.csv_files import check_names, csv_lines
from csae_bench.corpora.files import no_column
from csae_bench.corpora.minimal_pairs import MinimalPair
from csae_bench.errors import DataError
from csae_bench.minimal_pairs.factors import KEY, ValueNumbers, allowed_factors

SUFFIX = ".csv"
PLACE = "{entity}"
"""Place of the entity in a template."""


class Partners(NamedTuple):
    """Entities that differ from one in one attribute, all others being equal."""

    attribute: int
    bucket: list[int]
    """Entities of a known value that are equal in the other attributes, by their value."""
    start: int
    stop: int
    """Those in between have the entity's own value."""

    def draw(self, rng: Random) -> int:
        """Draw an entity of another value, each equally likely."""
        index = rng.randrange(len(self.bucket) - (self.stop - self.start))
        return self.bucket[index if index < self.start else index + self.stop - self.start]


class EntityTable(NamedTuple):
    """Entities with the values of their attributes; an empty value is not known."""

    attributes: tuple[str, ...]
    entities: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class TablePairs:
    """Entities of a table that differ in one attribute, in the same template.

    A group is an entity in a template. It has a pair for each attribute in which some other entity
    differs and in which alone: both values of it are known, and of every other attribute they are
    equal or both unknown. Which of those entities it is is drawn for each group, so that pairs are
    as many as entities, templates and attributes, not as many as two entities. The paraphrase is
    the entity in another template. The seed decides the order, the draws and the paraphrases.
    """

    table: EntityTable
    templates: tuple[str, ...]
    partners: Mapping[int, tuple[Partners, ...]]
    """Partners of each entity that has some, by its number."""
    order: tuple[int, ...]
    """Entity times the number of templates, plus template, of each group."""
    numbers: ValueNumbers
    seed: int

    @property
    def n_groups(self) -> int:
        """Groups in one pass."""
        return len(self.order)

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of the values of all attributes: `country=France`."""
        return self.numbers.names

    @property
    def summary(self) -> str:
        """Counts of groups and pairs, and of entities that are left out."""
        counts: defaultdict[str, int] = defaultdict(int)
        for each in self.partners.values():
            for one in each:
                counts[self.table.attributes[one.attribute]] += len(self.templates)
        of_each = ", ".join(f"{name} ({counts[name]})" for name in sorted(counts))
        n_alone = len(self.table.entities) - len(self.partners)
        alone = f"; {n_alone} entities differ from no other in one attribute alone"
        return (
            f"{self.n_groups} groups of {sum(counts.values())} pairs, which differ in {of_each}"
            f"{alone if n_alone else ''}"
        )

    def pairs(self, group: int) -> tuple[MinimalPair, ...]:
        """Return the pairs of a group, one for each attribute that may differ."""
        entity, template = divmod(self.order[group], len(self.templates))
        rng = Random(f"table/{self.seed}/{entity}/{template}")
        others = [text for text in self.templates if text != self.templates[template]]
        anchor = self._say(entity, self.templates[template])
        paraphrase = self._say(entity, rng.choice(others)) if others else None
        pairs: list[MinimalPair] = []
        for one in self.partners[entity]:
            other = one.draw(rng)
            name = self.table.attributes[one.attribute]
            before, after = (self.table.cells[each][one.attribute] for each in (entity, other))
            changed = self._say(other, self.templates[template])
            values = self.numbers.pair(name, before, after)
            pairs.append(MinimalPair(anchor, changed, paraphrase, name, values))
        return tuple(pairs)

    def _say(self, entity: int, template: str) -> str:
        return template.replace(PLACE, self.table.entities[entity])


def is_table(dataset: str) -> bool:
    """Test whether this is written as a table of entities."""
    return Path(dataset).suffix.lower() == SUFFIX


def table_pairs(settings: MinimalSettings, *, seed: int) -> TablePairs:
    """Read a table and match its entities.

    Raises:
        DataError: the file is missing, empty or malformed, it lacks the entities' column or has no
            other, an entity occurs twice, no two differ in one attribute that may differ, or a
            template is missing or has no place for the entity.
    """
    templates = _checked_templates(settings.templates)
    table = read_table(Path(settings.dataset).expanduser(), settings.entity_column)
    what = f"{KEY}.dataset '{settings.dataset}'"
    allowed = allowed_factors(settings.factors, table.attributes, what=what)
    partners = _partners(table, allowed)
    if not partners:
        raise DataError(
            f"{what}: no two of its {len(table.entities)} entities differ in "
            f"{' or '.join(allowed)} and are equal in all other attributes. Leave out columns that "
            "tell entities apart, or add entities."
        )
    places = [
        entity * len(templates) + template
        for entity in partners
        for template in range(len(templates))
    ]
    Random(f"table/{seed}/order").shuffle(places)
    columns = zip(table.attributes, zip(*table.cells, strict=True), strict=True)
    values = {name: sorted(set(column) - {""}) for name, column in columns}
    return TablePairs(table, templates, partners, tuple(places), ValueNumbers(values), seed)


def read_table(path: Path, entity_column: str) -> EntityTable:
    """Read a .csv file with a header; every column but `entity_column` is an attribute.

    Cells are read without spaces around them.

    Raises:
        DataError: as `table_pairs`.
    """
    if not path.exists():
        raise DataError(f"{KEY}.dataset '{path}': there is no such file.")
    lines = csv_lines(path)
    place, header = next(lines, ("", []))
    if not header:
        raise DataError(f"{path}: is empty; it must have a header with '{entity_column}'.")
    check_names(place, header)
    if entity_column not in header:
        remedy = f"Name the column of entities in {KEY}.entity_column."
        raise DataError(f"{place}: {no_column(entity_column, header, remedy)}")
    column = header.index(entity_column)
    attributes = (*header[:column], *header[column + 1 :])
    if not attributes:
        raise DataError(f"{path}: has no attribute; add a column for each, with entities' values.")
    places: dict[str, str] = {}
    rows: list[tuple[str, ...]] = []
    for place, cells in lines:
        entity = cells.pop(column).strip()
        if not entity:
            raise DataError(f"{place}: {entity_column} is empty; give it a value.")
        if entity in places:
            raise DataError(
                f"{place}: {entity_column} '{entity}' is also in {places[entity]}; an entity has "
                "one row."
            )
        places[entity] = place
        rows.append(tuple(cell.strip() for cell in cells))
    if not rows:
        raise DataError(f"{path}: has no rows below its header; add a row for each entity.")
    return EntityTable(attributes, tuple(places), tuple(rows))


def _checked_templates(templates: Sequence[str]) -> tuple[str, ...]:
    if not templates:
        raise DataError(
            f"{KEY}.templates is empty; a table of entities needs at least one sentence that has "
            f"{PLACE}."
        )
    for template in templates:
        if PLACE not in template:
            raise DataError(f"{KEY}.templates has '{template}'; it must have {PLACE} somewhere.")
        if templates.count(template) > 1:
            raise DataError(f"{KEY}.templates has '{template}' twice; leave one out.")
    return tuple(templates)


def _partners(table: EntityTable, allowed: Sequence[str]) -> dict[int, tuple[Partners, ...]]:
    """Match entities in linear time: those that are equal but for one attribute share a bucket."""
    partners: defaultdict[int, list[Partners]] = defaultdict(list)
    for name in allowed:
        attribute = table.attributes.index(name)
        buckets: defaultdict[tuple[str, ...], dict[str, list[int]]] = defaultdict(dict)
        for entity, cells in enumerate(table.cells):
            others = cells[:attribute] + cells[attribute + 1 :]
            if cells[attribute]:
                buckets[others].setdefault(cells[attribute], []).append(entity)
        for by_value in buckets.values():
            if len(by_value) > 1:
                bucket = [entity for entities in by_value.values() for entity in entities]
                start = 0
                for entities in by_value.values():
                    stop = start + len(entities)
                    for entity in entities:
                        partners[entity].append(Partners(attribute, bucket, start, stop))
                    start = stop
    return {entity: tuple(partners[entity]) for entity in sorted(partners)}
