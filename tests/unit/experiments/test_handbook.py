"""experiments/handbook: the generated pages, and the table of controls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, create_model

from csae_bench.cli.main import main
from csae_bench.config.loss_terms import LOSS_TERMS
from csae_bench.evals.pages import PAGES
from experiments.handbook.configuration import blocks
from experiments.handbook.controls import World, verdicts
from experiments.handbook.evals import pages
from experiments.handbook.generated import generated_pages
from experiments.handbook.links import relinked
from experiments.handbook.settings import settings_of
from experiments.handbook.single import TARGET, evals_page

ROOT = Path(__file__).parents[3]
TAGS = ("architecture", "kind")
WORLD = World("a world", "oracle", "random")


def line(sae: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        "sae": sae, "eval": "mig", "status": "ok", "why": "", "score": "MIG", "value": value,
        "sd": 0.01, "n": 4, "interval": None, "better": "higher", **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("oracle", "random", "more", "verdict"),
    [
        (0.5, 0.1, {}, "yes"),
        (0.1, 0.5, {}, "no: random is better"),
        (0.1, 0.5, {"better": "lower"}, "yes"),
        (0.101, 0.1, {}, "no: within its noise"),
        (0.12, 0.1, {}, "yes"),
        (0.12, 0.1, {"interval": (0.0, 0.3)}, "no: within its noise"),
        (0.12, 0.1, {"sd": 0.0, "n": 1}, "yes"),
        (None, 0.1, {"why": "No latent fires."}, "no: No latent fires."),
    ],
)
def test_what_tells_the_two_apart(
    oracle: float | None, random: float, more: dict[str, Any], verdict: str
) -> None:
    of_lines = [line("oracle", oracle, **more), line("random", random, **more)]
    told = verdicts("mig", of_lines, WORLD)
    assert told is not None
    assert told.verdict == verdict


def test_an_eval_that_was_skipped_says_why() -> None:
    skipped = {"sae": "random", "eval": "mig", "status": "skipped", "why": "There is no data."}
    of_lines = [line("oracle", 0.5), skipped]
    said = verdicts("mig", of_lines, WORLD)
    assert said is not None
    assert (said.random, said.verdict) == ("skipped", "no: There is no data.")
    assert verdicts("core", of_lines, WORLD) is None


def test_every_eval_has_a_page_with_scores_settings_and_presets() -> None:
    by_name = {page.name: page for page in pages()}
    assert set(by_name) == PAGES.shipped
    for page in by_name.values():
        assert page.rows
        assert page.settings
        assert page.presets
        assert all(setting.about for setting in page.settings)


def test_the_page_of_all_evals_in_the_repository_is_up_to_date() -> None:
    page = evals_page(generated_pages())
    assert (ROOT / TARGET).read_text(encoding="utf-8") == page, "run make handbook"
    assert all(f"\n## {name}\n" in page for name in PAGES.shipped)
    assert re.findall(r"^# .*", page, re.MULTILINE) == ["# Evals"]


def test_every_eval_and_loss_term_has_a_page_in_the_site() -> None:
    names = set(generated_pages())
    assert {f"evals/{name}.md" for name in PAGES.shipped} <= names
    assert {f"losses/{name}.md" for name in LOSS_TERMS} <= names


def test_the_reference_has_every_command_and_every_option() -> None:
    text = generated_pages()["reference/commands.md"]
    for name, command in main.commands.items():
        assert f"## csae-bench {name}" in text
        for parameter in command.params:
            assert all(f"`{option}`" in text for option in parameter.opts if option[0] == "-")


def test_the_reference_has_every_key_of_a_configuration() -> None:
    keys: set[str] = set()
    for block in blocks():
        for setting in block.settings:
            assert setting.about or setting.name in TAGS, f"{block.key}.{setting.name}"
            keys.add(f"{block.key}.{setting.name}".lstrip("."))
    assert {"seed", "sae.k", "training.curriculum.until", "training.weighting.kind"} <= keys


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, Field(ge=1, lt=9)], "whole number ≥ 1 and < 9"),
        (Literal["a", "b"] | None, "`a`, `b`, or `null`"),
        (tuple[float, ...], "list of: number"),
        (bool, "true or false"),
    ],
)
def test_what_is_allowed_is_said_in_words(annotation: Any, words: str) -> None:
    (setting,) = settings_of(create_model("Model", x=(annotation, ...)))
    assert (setting.allowed, setting.default) == (words, "")


@pytest.mark.parametrize(
    ("source", "page", "link", "expected"),
    [
        ("CONTRIBUTING.md", "contributing.md", "[a](docs/faq.md#core)", "[a](faq.md#core)"),
        ("docs/x/y.md", "x/y.md", "[a](../../CHANGELOG.md)", "[a](../changelog.md)"),
        ("docs/x/y.md", "x/y.md", "[a](../faq.md)", "[a](../faq.md)"),
        ("docs/y.md", "y.md", "[a](../evals/mig.py)", "a"),
        ("docs/y.md", "y.md", "[a](#b) [c](https://d.org/e)", "[a](#b) [c](https://d.org/e)"),
        ("docs/y.md", "y.md", "```text\n[a](../b.py)\n```", "```text\n[a](../b.py)\n```"),
    ],
)
def test_links_of_files_become_links_of_pages(
    source: str, page: str, link: str, expected: str
) -> None:
    outside = {"CHANGELOG.md": "changelog.md"}
    assert relinked(link, source=source, page=page, outside=outside) == expected
