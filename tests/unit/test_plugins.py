"""csae_bench/plugins.py, and what compare knows of an installed package's eval."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.comparison import metrics as known
from csae_bench.errors import PluginError, UnknownNameError, UsageError
from csae_bench.evals.metric_rows import Direction
from csae_bench.factors import factor_fingerprint, registry
from csae_bench.plugins import Plugins
from csae_bench.registry import Registry

GROUP = "csae_bench.for_a_test"
OURS = Path(__file__).parent / "metrics"


def package(folder: Path, code: str = "", *, name: str = "some_package") -> Plugins:
    """An installed package that announces `thing` and `test_mig`, and beside it modules of ours."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.3\n")
    points = f"[{GROUP}]\nthing = {name}\ntest_mig = {name}\nfunction = {name}:nothing\n"
    (info / "entry_points.txt").write_text(points)
    return Plugins("thing", package="tests.unit.metrics", folders=[str(OURS)], group=GROUP)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_names_are_ours_and_those_of_packages_and_nothing_is_imported(folder: Path) -> None:
    plugins = package(folder, "raise RuntimeError", name="not_imported")
    assert {"thing", "function", "test_mig"} <= set(plugins.names())
    assert "thing" not in plugins.shipped
    assert plugins.versions("thing") == {"not_imported": "0.3"}
    assert plugins.code_of("thing") == ("not_imported 0.3", [folder / "not_imported.py"])


def test_no_package_takes_a_name_of_ours(folder: Path) -> None:
    plugins = package(folder, "raise RuntimeError", name="takes_a_name")
    assert "test_mig" in plugins.shipped
    assert plugins.versions("test_mig") == {}
    assert plugins.code_of("test_mig") == ("", [])


def test_a_name_that_is_registered_is_not_looked_for(folder: Path) -> None:
    registry: Registry[int] = Registry("thing")
    registry.add("thing", 1)
    package(folder, "raise RuntimeError", name="not_needed").load("thing", registry)


def test_a_name_that_is_not_offered_is_refused_with_the_reason_unless_a_package_has_it(
    folder: Path,
) -> None:
    package(folder, name="has_it")
    plugins = Plugins(
        "thing",
        package="tests.unit.metrics",
        folders=[str(OURS)],
        group=GROUP,
        not_offered={"other": "it is broken", "thing": "it is broken too"},
    )
    assert plugins.not_offered == {"other": "it is broken"}
    assert "other" not in plugins.names()
    with pytest.raises(UsageError, match="'other' is not offered: it is broken"):
        plugins.load("other", Registry("thing"))


def test_an_unknown_name_suggests_the_nearest(folder: Path) -> None:
    plugins = package(folder, name="has_a_thing")
    with pytest.raises(UnknownNameError, match="Did you mean 'thing'"):
        plugins.load("thnig", Registry("thing"))


@pytest.mark.parametrize(
    ("name", "code", "fault"),
    [
        ("thing", "raise ValueError('no use')", r"cannot be imported: ValueError: no use\. Repair"),
        ("thing", "import sys; sys.exit(3)", "cannot be imported: SystemExit: 3"),
        ("thing", "1 +", "cannot be imported: SyntaxError"),
        ("thing", "", r"announces the thing 'thing' \(entry point .*\), but registers none"),
        ("function", "", "cannot be imported: AttributeError"),
    ],
)
def test_a_package_with_a_fault_is_named(name: str, code: str, fault: str, folder: Path) -> None:
    module = f"faulty_{folder.name}"
    with pytest.raises(PluginError, match=fault) as raised:
        package(folder, code, name=module).load(name, Registry("thing"))
    assert f"{module} 0.3" in str(raised.value)


def test_compare_knows_no_direction_of_an_eval_that_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(eval_name: str) -> None:
        raise PluginError(f"The eval '{eval_name}' cannot be imported.")

    monkeypatch.setattr(known, "metric_rows", broken)
    why = "The eval 'not_importable' cannot be imported."
    assert known.unknown_because("not_importable") == why
    spec = known.lookup("not_importable.score")
    assert (spec.direction, spec.may_gate, spec.is_supporting) == (Direction.NONE, False, False)
    assert spec.note == why


def test_a_published_metric_needs_no_eval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "metric_rows", lambda eval_name: None)
    assert known.unknown_because("tpp") is None
    assert known.lookup("tpp.tpp_threshold_7_total_metric").direction is Direction.HIGHER


def test_the_fingerprint_of_a_packages_dataset_changes_with_its_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_MODULES", package(folder, name="has_data"))
    first = factor_fingerprint("thing")
    assert first == factor_fingerprint("thing")
    assert first != factor_fingerprint("function")
    (folder / "has_data.py").write_text("# another\n")
    assert factor_fingerprint("thing") != first
