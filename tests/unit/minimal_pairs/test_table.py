"""Minimal pairs of a table of entities and their attributes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from csae_bench.minimal_pairs import (
    MinimalPair,
    minimal_pair_fingerprint,
    minimal_pair_status,
    open_minimal_pairs,
)
from csae_bench.minimal_pairs.table import TablePairs
from tests.unit.minimal_pairs.opened import assert_problem, minimal_settings

CITIES = """city,continent,country,coastal
Paris,Europe,France,no
Marseille,Europe,France,yes
Berlin,Europe,Germany,no
Lyon , Europe ,France,no
Tokyo,Asia,Japan,yes
Atlantis,,,yes
Avalon,,,no
Riga,Europe,,no
"""
"""Berlin differs from Paris and Lyon in the country alone, Marseille from these in coastal, and
the two of which nothing else is known in coastal; Tokyo and Riga from none in one known value."""
TEMPLATES = ("I live in {entity}.", "{entity} is large.", "{entity}, {entity} {here}!")
OTHERS = {
    ("Paris", "country"): {"Berlin"},
    ("Lyon", "country"): {"Berlin"},
    ("Berlin", "country"): {"Paris", "Lyon"},
    ("Paris", "coastal"): {"Marseille"},
    ("Lyon", "coastal"): {"Marseille"},
    ("Marseille", "coastal"): {"Paris", "Lyon"},
    ("Atlantis", "coastal"): {"Avalon"},
    ("Avalon", "coastal"): {"Atlantis"},
}


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    file = tmp_path / "cities.csv"
    file.write_text(CITIES)
    return file


def _opened(file: Path, seed: int = 0, **options: Any) -> TablePairs:
    options = {"entity_column": "city", "templates": TEMPLATES, **options}
    result = open_minimal_pairs(minimal_settings(file, **options), seed=seed)
    assert isinstance(result, TablePairs)
    return result


def _problem(file: Path, message: str, **options: Any) -> None:
    assert_problem(file, message, **{"entity_column": "city", "templates": TEMPLATES, **options})


def _all(texts: TablePairs) -> list[MinimalPair]:
    return [pair for group in range(texts.n_groups) for pair in texts.pairs(group)]


def _entity(text: str) -> str:
    (name,) = (line.split(",")[0].strip() for line in CITIES.splitlines() if _in(line, text))
    return name


def _in(line: str, text: str) -> bool:
    return line.split(",")[0].strip() in text


def test_two_entities_are_paired_where_they_differ_in_one_known_attribute(cities: Path) -> None:
    seen: dict[tuple[str, str | None], set[str]] = {}
    for seed in range(10):
        for pair in _all(_opened(cities, seed)):
            key = (_entity(pair.anchor), pair.factor)
            seen.setdefault(key, set()).add(_entity(pair.changed))
    assert seen == OTHERS


def test_both_are_in_the_same_template_and_the_paraphrase_in_another(cities: Path) -> None:
    for pair in _all(_opened(cities)):
        anchor = _entity(pair.anchor)
        said = {template.replace("{entity}", anchor) for template in TEMPLATES}
        assert pair.paraphrase in said - {pair.anchor}
        assert pair.anchor in said
        assert pair.changed == pair.anchor.replace(anchor, _entity(pair.changed))


def test_a_group_is_an_entity_in_a_template_with_a_pair_for_each_attribute(cities: Path) -> None:
    texts = _opened(cities)
    assert texts.n_groups == 6 * len(TEMPLATES)
    groups = [texts.pairs(group) for group in range(texts.n_groups)]
    assert len({pairs[0].anchor for pairs in groups}) == texts.n_groups
    for pairs in groups:
        assert len({pair.anchor for pair in pairs}) == 1
        name = _entity(pairs[0].anchor)
        assert [pair.factor for pair in pairs] == [
            factor for factor in ("country", "coastal") if (name, factor) in OTHERS
        ]


def test_values_are_those_of_the_two_entities(cities: Path) -> None:
    texts = _opened(cities)
    assert texts.value_names == (
        "continent=Asia",
        "continent=Europe",
        "country=France",
        "country=Germany",
        "country=Japan",
        "coastal=no",
        "coastal=yes",
    )
    values = {
        (_entity(pair.anchor), pair.factor): tuple(texts.value_names[v] for v in pair.values or ())
        for pair in _all(texts)
    }
    assert values["Berlin", "country"] == ("country=Germany", "country=France")
    assert values["Marseille", "coastal"] == ("coastal=yes", "coastal=no")


def test_one_template_leaves_no_paraphrase(cities: Path) -> None:
    texts = _opened(cities, templates=TEMPLATES[:1])
    assert {pair.paraphrase for pair in _all(texts)} == {None}
    assert texts.n_groups == 6


def test_braces_but_the_entity_s_are_text(cities: Path) -> None:
    texts = [pair.anchor for pair in _all(_opened(cities))]
    assert "Paris, Paris {here}!" in texts


def test_a_seed_decides_the_order_and_the_same_seed_the_same_pairs(cities: Path) -> None:
    one, again, other = (_opened(cities, seed) for seed in (0, 0, 1))
    assert [one.pairs(i) for i in reversed(range(18))] == _reversed(again)
    assert [one.pairs(i)[0].anchor for i in range(18)] != [
        other.pairs(i)[0].anchor for i in range(18)
    ]
    assert {pair.anchor for pair in _all(one)} == {pair.anchor for pair in _all(other)}


def _reversed(texts: TablePairs) -> list[tuple[MinimalPair, ...]]:
    return [texts.pairs(i) for i in range(texts.n_groups)][::-1]


def test_other_attributes_are_held_out_as_what_differs_and_still_must_be_equal(
    cities: Path,
) -> None:
    pairs = _all(_opened(cities, factors=["country"]))
    assert {(_entity(pair.anchor), pair.factor) for pair in pairs} == {
        key for key in OTHERS if key[1] == "country"
    }


def test_an_entity_draws_its_partners_alike_whatever_their_values(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    values = ["a"] * 5 + ["b"] * 2 + ["c"]
    rows = [f"<{number}>,{value}" for number, value in enumerate(values)]
    file.write_text("\n".join(["entity,f", *rows]))
    counts: Counter[str] = Counter()
    for seed in range(400):
        texts = _opened(file, seed, entity_column="entity", templates=["{entity}"])
        pairs = _all(texts)
        assert Counter(pair.anchor for pair in pairs) == {f"<{i}>": 1 for i in range(8)}
        (changed,) = (pair.changed for pair in pairs if pair.anchor == "<5>")
        counts[changed] += 1
    # six entities have another value; 67 each, within five standard deviations
    assert counts.keys() == {"<0>", "<1>", "<2>", "<3>", "<4>", "<7>"}
    assert all(abs(n - 400 / 6) < 5 * (400 / 6) ** 0.5 for n in counts.values())


def test_pairs_of_a_large_bucket_are_as_many_as_entities(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rows = [f"e{number},{number % 2},x" for number in range(20_000)]
    file.write_text("\n".join(["entity,parity,other", *rows]))
    texts = _opened(file, entity_column="entity", templates=["{entity}"])
    assert texts.n_groups == 20_000
    assert {len(texts.pairs(group)) for group in range(0, 20_000, 100)} == {1}


def test_status_counts_groups_pairs_and_entities_that_are_left_out(cities: Path) -> None:
    settings = minimal_settings(cities, entity_column="city", templates=TEMPLATES)
    assert minimal_pair_status(settings) == (
        "ok",
        f"{cities}: 18 groups of 24 pairs, which differ in coastal (15), country (9); 2 entities "
        "differ from no other in one attribute alone",
    )
    assert sum(pair.factor == "coastal" for pair in _all(_opened(cities))) == 15


def test_fingerprint_changes_with_the_table(cities: Path) -> None:
    settings = minimal_settings(cities, entity_column="city", templates=TEMPLATES)
    before = minimal_pair_fingerprint(settings)
    assert minimal_pair_fingerprint(minimal_settings(cities)) == before
    cities.write_text(CITIES + "Nice,Europe,France,yes\n")
    assert minimal_pair_fingerprint(settings) != before
    assert minimal_pair_fingerprint(minimal_settings("nowhere.csv"))


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ([], "pairs.minimal.templates is empty; a table of entities needs at least one sentence"),
        (["{entity}.", "{Entity}!"], "pairs.minimal.templates has '{Entity}!'; it must have"),
        (["{entity}."] * 2, "pairs.minimal.templates has '{entity}.' twice; leave one out."),
    ],
)
def test_templates_must_have_a_place_for_the_entity(
    cities: Path, templates: list[str], message: str
) -> None:
    _problem(cities, message, templates=templates)


def test_an_unknown_column_is_an_error_that_suggests_the_nearest(cities: Path) -> None:
    message = (
        f"{cities}, line 1: there is no column 'cty'; its columns are city, continent, country, "
        "coastal. Did you mean 'city'? Name the column of entities in pairs.minimal.entity_column."
    )
    _problem(cities, message, entity_column="cty")
    _problem(cities, "has 'contry', which is no factor of", factors=["contry"])
    _problem(cities, "Did you mean 'country'? Its factors are continent,", factors=["contry"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ": is empty; it must have a header with 'city'."),
        ("city,f\n", ": has no rows below its header; add a row for each entity."),
        ("city\nParis\n", ": has no attribute; add a column for each, with entities' values."),
        ("city,f\n ,x\n", ", line 2: city is empty; give it a value."),
        ("city,f\nA,x\n\nA ,y\n", ", line 4: city 'A' is also in "),
        ("city,f\nA\n", ", line 2: has 1 cells for 2 columns; a cell that holds a comma must"),
        ("city,f,f\nA,x,y\n", ", line 1: column 'f' occurs twice; rename one."),
        ("city,,f\nA,x,y\n", ", line 1: column 2 has no name."),
        ('city,f\n"A,x\n', ": is not CSV: "),
    ],
)
def test_a_malformed_table_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(content)
    _problem(file, f"{file}{message}")


def test_a_missing_table_is_an_error(tmp_path: Path) -> None:
    _problem(tmp_path / "no.csv", "no.csv': there is no such file.")
    (tmp_path / "folder.csv").mkdir()
    _problem(tmp_path / "folder.csv", "cannot be read as UTF-8 text: Is a directory.")


def test_entities_that_all_differ_in_more_than_one_attribute_are_an_error(cities: Path) -> None:
    cities.write_text("city,f,g\nA,1,x\nB,2,y\nC,1,\n")
    message = "no two of its 3 entities differ in f or g and are equal in all other attributes."
    _problem(cities, message)
