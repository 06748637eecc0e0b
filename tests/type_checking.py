"""Runtime checks of types and shapes, in every module whose annotations carry shapes.

jaxtyping's import hook applies beartype to each function and dataclass of these modules: an array
of a wrong rank, size or dtype raises `jaxtyping.TypeCheckError`. Modules without shapes are left
out: checking all types of all modules makes the tests three times as slow.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from beartype import BeartypeConf, beartype
from beartype._check.code import codemain
from jaxtyping import config, install_import_hook, jaxtyped
from typing_extensions import override

ROOT = Path(__file__).parents[1]
FOLDERS = {"csae_bench": ROOT / "csae_bench", "csae_bench.evals": ROOT / "evals"}
"""Package -> folder of its modules."""

# beartype looks at random items of lists; drawn from the global generator, that would change what
# SAE-Bench draws from it after seeding it
codemain.getrandbits = random.Random(0).getrandbits

_CONF = BeartypeConf(is_pep484_tower=True)  # an int is accepted as a float, as in PEP 484


def shaped_modules() -> dict[str, Path]:
    """Name -> file of every module that imports jaxtyping."""
    return {
        _name(package, path.relative_to(folder)): path
        for package, folder in FOLDERS.items()
        for path in sorted(folder.rglob("*.py"))
        if "from jaxtyping import" in path.read_text(encoding="utf-8")
    }


def install() -> None:
    """Switch the checks on for the modules that are imported from here on."""
    names = list(shaped_modules())
    hook = install_import_hook(names, f"{__name__}.{checked.__name__}").hook
    sys.meta_path.insert(0, _WithNamedTuples(hook, frozenset(names)))


def checked(function: Any) -> Any:
    """Apply beartype; jaxtyping's import hook calls this by its name."""
    return beartype(function, conf=_CONF)


@contextmanager
def unchecked() -> Generator[None]:
    """Switch the checks off within, as they are in production."""
    config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", False)


class _WithNamedTuples(MetaPathFinder):
    """jaxtyping's finder; fields of named tuples are checked as well as of dataclasses."""

    def __init__(self, finder: MetaPathFinder, names: frozenset[str]) -> None:
        self.finder, self.names = finder, names

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = self.finder.find_spec(fullname, path, target) if fullname in self.names else None
        if spec is None:
            return None
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for value in list(vars(module).values()):
                if _is_named_tuple(value) and value.__module__ == fullname:
                    value.__new__.__annotations__ = get_type_hints(value)  # not as strings
                    value.__new__ = jaxtyped(value.__new__, typechecker=checked)

        loader.exec_module = exec_module
        return spec


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields")


def _name(package: str, path: Path) -> str:
    parts = [package, *path.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
