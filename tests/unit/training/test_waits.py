"""A training step waits for the device nowhere new, as far as its source shows.

test_step_waits in tests/integration/training looks at what runs, tests/gpu at what a GPU says.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.unit.training.known_waits import KNOWN, PER_STEP
from tests.unit.training.waiting import PACKAGE

WAITING_METHODS = frozenset({"item", "tolist", "cpu", "numpy", "nonzero", "argwhere"})
"""Of a tensor on a GPU, these wait until the device has computed it."""

REDUCTIONS = frozenset({"any", "all", "equal", "allclose", "isfinite", "isnan", "is_nonzero"})
"""A condition that calls one of these on a tensor asks the device."""


def waits(source: str) -> Counter[str]:
    """Places that wait for a tensor, by the name of the function that they stand in."""
    counted: Counter[str] = Counter()

    def look(node: ast.AST, within: tuple[str, ...], tensors: frozenset[str]) -> None:
        for child in ast.iter_child_nodes(node):
            inside, known = within, tensors
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inside = (*within, child.name)
            if isinstance(child, ast.FunctionDef):
                known = tensors | _tensor_arguments(child)
            if isinstance(child, ast.Call) and _waits(child, tensors):
                counted[".".join(within)] += 1
            counted[".".join(within)] += sum(_asks(each, tensors) for each in _conditions(child))
            look(child, inside, known)

    look(ast.parse(source), (), frozenset())
    return +counted


def _tensor_arguments(function: ast.FunctionDef) -> frozenset[str]:
    """Return names of arguments that are annotated as tensors, and as nothing else."""
    arguments = (*function.args.args, *function.args.kwonlyargs)
    return frozenset(
        argument.arg
        for argument in arguments
        if isinstance(argument.annotation, ast.Name | ast.Subscript)
        and "Tensor" in ast.unparse(argument.annotation)
        and not ast.unparse(argument.annotation).startswith(("Mapping", "Sequence", "dict"))
    )


def _waits(call: ast.Call, tensors: frozenset[str]) -> bool:
    if isinstance(call.func, ast.Attribute):
        to_cpu = call.func.attr == "to" and any(
            isinstance(each, ast.Constant) and each.value == "cpu" for each in call.args
        )
        return call.func.attr in WAITING_METHODS or to_cpu
    converts = isinstance(call.func, ast.Name) and call.func.id in ("int", "float", "bool")
    return converts and any(_reduces(each) or _is_one(each, tensors) for each in call.args)


def _reduces(argument: ast.expr) -> bool:
    """Whether it may be a tensor that was just computed: `x.sum()`, `(a != b).any()`."""
    return isinstance(argument, ast.Call) and isinstance(argument.func, ast.Attribute)


def _is_one(node: ast.expr, tensors: frozenset[str]) -> bool:
    """Whether it is a tensor argument, or an element of one."""
    if isinstance(node, ast.Subscript):
        node = node.value
    return isinstance(node, ast.Name) and node.id in tensors


def _conditions(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the parts of a condition, each of which is made a bool."""
    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        yield from _parts(node.test)


def _parts(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _parts(value)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _parts(test.operand)
    else:
        yield test


def _asks(test: ast.expr, tensors: frozenset[str]) -> bool:
    """Whether a condition is a tensor: an argument, a comparison of one, or a reduction."""
    if isinstance(test, ast.Compare):
        is_identity = all(
            isinstance(each, ast.Is | ast.IsNot | ast.In | ast.NotIn) for each in test.ops
        )
        return not is_identity and any(_is_one(x, tensors) for x in (test.left, *test.comparators))
    is_reduction = (
        isinstance(test, ast.Call)
        and isinstance(test.func, ast.Attribute)
        and test.func.attr in REDUCTIONS
        # math's are of numbers
        and not (isinstance(test.func.value, ast.Name) and test.func.value.id == "math")
    )
    return is_reduction or _is_one(test, tensors)


@pytest.mark.parametrize("module", PER_STEP)
def test_step_waits_for_the_device_at_known_places_alone(module: str) -> None:
    source = (PACKAGE / module).read_text(encoding="utf-8")
    counted = Counter({f"{module} {function}": n for function, n in waits(source).items()})
    of_module = {name: n for name, n in KNOWN.items() if name.startswith(f"{module} ")}
    assert counted == of_module, "keep it on the device, or say in KNOWN why it must wait"


def test_known_waits_are_of_modules_of_a_step() -> None:
    assert {name.partition(" ")[0] for name in KNOWN} <= set(PER_STEP)


@pytest.mark.parametrize(
    "line",
    [
        "return x.sum().item()",
        "return int(x.sum())",
        "return bool((a != b).any())",
        "return x.nonzero()",
        "return x.cpu()",
        "return x.to('cpu')",
        "return float(x)",
        "return int(x[0])",
        "return 1 if x > 0 else 2",
        "if not torch.isfinite(a): pass",
        "while (a != b).any() and a is not None: pass",
        "if x: pass",
    ],
)
def test_wait_is_seen(line: str) -> None:
    source = f"class A:\n    def step(self, x: Float[Tensor, 'n'], a, b):\n        {line}\n"
    assert waits(source) == {"A.step": 1}


@pytest.mark.parametrize(
    "line",
    [
        "return int(n), float(2 * n), x.sum()",
        "return x if x is not None else n",
        "return n if math.isfinite(n) else 0",
        "return n[0] if n > 1 else int(n[0])",
        "return x.to(x.device)",
    ],
)
def test_what_asks_no_tensor_is_no_wait(line: str) -> None:
    assert waits(f"def f(n, x: Tensor | None):\n    {line}\n") == Counter()
