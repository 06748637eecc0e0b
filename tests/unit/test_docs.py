"""Pages of the documentation: blocks, commands, names, links, and tests that they cite."""

from __future__ import annotations

import ast
import posixpath
import re
from functools import cache
from typing import Any

import click
import pytest
import yaml

from csae_bench.cli.main import main
from csae_bench.config.loading import is_config, load_config
from csae_bench.evals import discover
from experiments.handbook.hook import OUTSIDE
from tests.doc_blocks import (
    EXECUTED,
    NEEDS,
    ROOT,
    SHOWN,
    Block,
    blocks,
    commands,
    executed_pages,
    pages,
)

PAGES = pages()
BLOCKS = [block for page, text in PAGES.items() for block in blocks(page, text)]
SHELL = [block for block in BLOCKS if block.language == "bash"]
TAKES_SAES = ("run", "train", "doctor")


def of_blocks(chosen: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", chosen, ids=[block.where for block in chosen])


@of_blocks(BLOCKS)
def test_a_block_has_a_language_and_a_known_mark(block: Block) -> None:
    languages = (*EXECUTED, *SHOWN)
    if block.page != "README.md" or block.language:
        assert block.language in languages, f"{block.where}: write one of {', '.join(languages)}"
    assert not block.unknown_mark, f"{block.where}: a block can need {', '.join(NEEDS)}"
    assert not block.needs or block.language in EXECUTED, f"{block.where}: it is executed nowhere"


@of_blocks([block for block in BLOCKS if block.language == "text"])
def test_commands_are_not_hidden_in_text(block: Block) -> None:
    begins = re.compile(r"^(\$ |csae-bench (run|train|doctor|compare|export|list) \S)", re.M)
    usage = re.compile(r"^csae-bench \w+( \w+)? \[OPTIONS\]")
    assert usage.match(block.code) or not begins.search(block.code)


@of_blocks([block for block in BLOCKS if block.language == "python"])
def test_python_compiles(block: Block) -> None:
    ast.parse(block.code, filename=block.where)


@of_blocks([block for block in BLOCKS if block.language == "yaml" and block.page != "README.md"])
def test_yaml_parses(block: Block) -> None:
    assert yaml.safe_load(block.code) is not None


@of_blocks([block for block in SHELL if commands(block)])
def test_commands_parse_and_their_names_exist(block: Block) -> None:
    written = {other.title for other in BLOCKS if other.page == block.page}
    for call in commands(block):
        command, parameters = parsed(call)
        for source in parameters.get("sources") or ():
            check_source(source, parameters, command, written)
        for name in parameters.get("evals") or ():
            assert name in {*discover(), "all", *in_page(block)}, f"{block.where}: eval {name}"


def parsed(call: list[str]) -> tuple[str, dict[str, Any]]:
    """Parse a call as click does; return the command's name and its parameters."""
    context = click.Context(main, info_name="csae-bench")
    command: click.Command = main
    rest = list(call)
    while isinstance(command, click.Group):
        name, inner, rest = command.resolve_command(context, rest)
        assert inner is not None
        command, context = inner, click.Context(inner, info_name=name, parent=context)
    if {"--help", "-h"} & set(rest):
        return context.info_name or "", {}
    assert not isinstance(command, click.Group)
    context = command.make_context(context.info_name, rest, parent=context.parent)
    return context.info_name or "", context.params


def check_source(source: str, given: dict[str, Any], command: str, written: set[str]) -> None:
    """Load a configuration with its overrides; other SAEs exist when the page runs."""
    if re.fullmatch(r"\w+", source):
        assert is_config(source), f"there is no configuration {source}"
    if not re.fullmatch(r"\w+", source) or command not in TAKES_SAES:
        return
    evals = given["evals"]
    shipped = evals if evals and set(evals) <= set(discover()) else None
    load_config(source, sets=given["sets"], seed=given["seed"], evals=shipped)


def in_page(block: Block) -> set[str]:
    """Names of evals that files of the page register."""
    files = (other.title for other in BLOCKS if other.page == block.page)
    return {name[len("evals/") : -len(".py")] for name in files if name.startswith("evals/")}


def test_every_eval_has_a_page_with_an_executed_command() -> None:
    assert {f"docs/evals/{name}.md" for name in discover()} <= set(executed_pages())


LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^)\s#]*)(?:#([^)\s]*))?\)")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    for target, anchor in LINK.findall(re.sub(r"`[^`\n]*`", "``", text)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
        path = page if not target else path
        in_site = page.startswith("docs/")  # a page that is generated is not on GitHub
        if in_site:
            path = {f"docs/{to}": source for source, to in OUTSIDE.items()}.get(path, path)
        assert (in_site and path in PAGES) or (ROOT / path).exists(), f"{page}: {target}"
        if anchor and path in PAGES:
            assert anchor in anchors(path), f"{page}: {target}#{anchor}"


@cache
def anchors(page: str) -> frozenset[str]:
    """Ids of a page's headings, as mkdocs and GitHub give them where they agree."""
    text = re.sub(r"^ *```.*?^ *```", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return frozenset(
        re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
        for heading in headings
    )


def test_tests_that_the_faq_cites_exist() -> None:
    cited = set(re.findall(r"`(test_\w+)`", PAGES["docs/faq.md"]))
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    there = set(re.findall(r"^def (test_\w+)", "\n".join(sources), re.MULTILINE))
    assert len(cited) > 30
    assert not cited - there


def test_the_python_reference_has_every_public_name() -> None:
    import csae_bench

    page = PAGES["docs/reference/api.md"]
    named = {line.rpartition(".")[2] for line in re.findall(r"^::: (\S+)$", page, re.MULTILINE)}
    assert set(csae_bench.__all__) - {"__version__"} <= named


def test_the_navigation_has_every_page() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    written = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert written
    for path in written:
        assert str(path) in text, f"{path} is not in the navigation of mkdocs.yml"
