"""SAE-Bench's eval mdl, which is not offered: where a test here fails, upstream has mended it."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import requires
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest

from csae_bench.errors import UsageError
from csae_bench.evals import get_eval

MODULE = "sae_bench.evals.mdl.main"


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the eval's module with something in the place of loguru; forget it afterwards."""

    def import_with(loguru: ModuleType | None) -> ModuleType:
        monkeypatch.setitem(sys.modules, "loguru", loguru)
        monkeypatch.delitem(sys.modules, MODULE, raising=False)
        return importlib.import_module(MODULE)

    yield import_with
    sys.modules.pop(MODULE, None)


def test_mdl_imports_a_package_that_sae_bench_does_not_require(imported: Any) -> None:
    assert [name for name in requires("sae-bench") or () if name.startswith("loguru")] == []
    with pytest.raises(ModuleNotFoundError, match="loguru"):
        imported(None)


def test_mdl_reads_a_variable_of_the_command_lines_script(imported: Any) -> None:
    mdl = imported(MagicMock())
    with pytest.raises(NameError, match="config"):
        mdl.calculate_dl(1, [], "cpu", MagicMock(), MagicMock(), 1)


def test_mdl_is_refused_with_the_reason() -> None:
    with pytest.raises(
        UsageError, match=r"'mdl' is not offered: .* does not run: it imports loguru"
    ):
        get_eval("mdl")
