"""csae_bench/evals.py, and what every eval keeps to."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import csae_bench.evals
from csae_bench.errors import UnknownNameError
from csae_bench.evals import (
    EvalConfig,
    EvalContext,
    EvalResult,
    Preset,
    discover,
    get_eval,
    preset_settings,
    register_eval,
)
from csae_bench.evals.about import PARTS_OF_ABOUT, parts_of_about
from csae_bench.evals.pages import EVALS, OWN_MODULES, PAGES

FOLDER = Path(__file__).parents[3] / "evals"
FILES = sorted(FOLDER.glob("*.py"))
SLOW = {"torch", "transformers", "transformer_lens", "sae_lens", "sae_bench", "datasets", "sklearn"}


def _imports(path: Path) -> set[str]:
    collected: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            collected |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            collected.add(node.module)
    return collected


@pytest.mark.parametrize("name", discover())
def test_an_eval_is_registered_under_its_files_name_with_settings_and_a_summary(name: str) -> None:
    spec = get_eval(name)
    assert spec.name == name
    assert spec.summary
    assert issubclass(spec.config, EvalConfig)
    for field, info in spec.config.model_fields.items():
        assert info.description, f"{name}.{field} has no description"
        assert not info.is_required(), f"{name}.{field} has no default"


@pytest.mark.parametrize("name", sorted(PAGES.shipped))
def test_an_eval_says_what_it_measures_and_when_not_to_trust_it(name: str) -> None:
    spec = get_eval(name)
    assert [part for part in spec.about if part in PARTS_OF_ABOUT] == [*PARTS_OF_ABOUT]
    assert all(len(text) > 20 for text in spec.about.values())


@pytest.mark.parametrize("name", sorted(PAGES.shipped))
def test_an_eval_has_settings_for_a_quick_run(name: str) -> None:
    spec = get_eval(name)
    assert "quick" in spec.presets


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_evals_import_neither_each_other_nor_sae_bench(path: Path) -> None:
    imported = _imports(path)
    pages = {f"csae_bench.evals.{page.stem}" for page in FILES}
    assert not imported & pages
    assert not {name for name in imported if name.split(".")[0] in {"evals", "sae_bench"}}


def test_importing_every_eval_imports_no_slow_library() -> None:
    code = (
        "import sys\nfrom csae_bench.evals import discover, get_eval\n"
        f"[get_eval(name) for name in discover()]\nslow = {SLOW!r} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_modules_of_the_package_are_no_pages() -> None:
    package = Path(csae_bench.evals.__file__).parent
    modules = {module.name for module in pkgutil.iter_modules([str(package)])}
    assert modules == OWN_MODULES
    assert not OWN_MODULES & set(discover())


def test_an_unknown_eval_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'core'"):
        get_eval("croe")


@pytest.mark.parametrize(
    ("presets", "fault"),
    [
        ({"quik": Preset(about="Less.")}, "preset 'quik' is none of quick, published"),
        ({"quick": Preset(settings={"n": 1}, about="Less.")}, "Extra inputs"),
        ({"quick": Preset(about="Less.", unverified=("n",))}, "no setting n"),
    ],
)
def test_a_preset_with_a_fault_is_refused(presets: dict[str, Preset], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        register_eval("never", config=EvalConfig, presets=presets)


def test_an_eval_has_its_settings_of_a_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(ctx: EvalContext, cfg: EvalConfig) -> EvalResult:
        return EvalResult(metrics={})

    quick = Preset(settings={"model": "tiny-gemma2-it"}, about="Less.")
    register_eval("only_quick", config=EvalConfig, presets={"quick": quick})(run)
    monkeypatch.setattr(csae_bench.evals, "discover", lambda: ["only_quick"])
    try:
        assert preset_settings("quick") == {"only_quick": {"model": "tiny-gemma2-it"}}
        assert preset_settings("published") == {}
    finally:
        EVALS.remove("only_quick")


def test_the_parts_of_a_description_are_paragraphs_by_their_beginnings() -> None:
    text = """A summary.

    Something: that belongs to nothing.

    What it measures: one
    thing.

    And: more of it.

    Other words
    : which are
    of the eval alone.

    Cost: none.
    """
    assert parts_of_about(text) == {
        "What it measures": "one\nthing.\n\nAnd: more of it.",
        "Other words": "which are\nof the eval alone.",
        "Cost": "none.",
    }
    assert parts_of_about(None) == {}
