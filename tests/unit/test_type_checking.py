"""The checks of types and shapes that the tests run under."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

import csae_bench.evals
from csae_bench.metrics.bootstrap import centred
from csae_bench.metrics.gaps import Gaps
from csae_bench.saes.pair_ids import PairIds
from tests import type_checking

MODULES = type_checking.shaped_modules()


def test_a_function_called_with_a_wrong_shape_raises() -> None:
    drawn, observed = np.zeros((5, 2)), np.zeros(3)
    with pytest.raises(TypeCheckError, match="n_values"):
        centred(drawn, observed)


def test_a_dataclass_of_wrong_shapes_raises() -> None:
    with pytest.raises(TypeCheckError, match="group"):
        PairIds(torch.arange(4), torch.arange(3))


def test_a_named_tuple_of_wrong_shapes_raises() -> None:
    two, three = np.zeros(2, int), np.zeros(3, int)
    with pytest.raises(TypeCheckError, match="runner_up"):
        Gaps(np.zeros(2), two, three, np.zeros(2))


def test_switched_off_nothing_is_checked(unchecked_shapes: None) -> None:
    assert len(PairIds(torch.arange(4), torch.arange(3))) == 4


def test_evals_are_checked_under_the_names_that_they_are_imported_by() -> None:
    *_, folder = csae_bench.evals.__path__
    assert Path(folder) == type_checking.FOLDERS["csae_bench.evals"]


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES.keys())
def test_every_name_beside_a_shape_is_there_at_runtime(path: Path) -> None:
    """An annotation with a name that is imported for type checkers alone is not checked at all."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    absent = _names_for_type_checkers(tree)
    shapes = _imported(tree, "jaxtyping")
    assert shapes, "it mentions jaxtyping and imports no shape of it at runtime"
    for annotation in _annotations(tree):
        names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
        assert not (names & shapes and names & absent), ast.unparse(annotation)


def test_no_module_uses_shapes_of_another_without_being_checked() -> None:
    aliases = {
        (name, target.id)
        for name, path in MODULES.items()
        for tree in [ast.parse(path.read_text(encoding="utf-8"))]
        for node in tree.body
        if isinstance(node, ast.Assign) and _mentions(node.value, _imported(tree, "jaxtyping"))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert ("csae_bench.activations.interventions", "LogOdds") in aliases
    for folder in type_checking.FOLDERS.values():
        for path in set(folder.rglob("*.py")) - set(MODULES.values()):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            used = {(module, name) for module, _ in aliases for name in _imported(tree, module)}
            assert not used & aliases, path


def _annotations(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef) and node.returns:
            yield node.returns


def _imported(tree: ast.Module, module: str) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def _names_for_type_checkers(tree: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name.split(".")[0]
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and _mentions(block.test, {"TYPE_CHECKING"})
        for node in block.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))
