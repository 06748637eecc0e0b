"""csae_bench/comparison/reading/folder.py and result.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csae_bench.comparison.model import Broken, Reading
from csae_bench.comparison.reading.folder import read_details, read_results
from csae_bench.comparison.reading.layout import CELLS, RUNS
from csae_bench.errors import ResultError, UsageError
from tests.unit.comparison.result_files import (
    ORIGINAL_RUN_0,
    OUR_CORE,
    OUR_MIG,
    OURS,
    live_core,
    loaded,
    published,
    reading,
    write,
)

ABSORPTION = {"mean": {"mean_full_absorption_score": 0.0}}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**400)
    | st.sampled_from([-1, -1.0, 0, "core", "mig", "custom_sae", "x_seed1"])
    | st.floats()
    | st.text(max_size=8)
)
KNOWN = st.sampled_from(
    sorted({*loaded(OUR_CORE), *loaded(OUR_MIG)["eval_result_unstructured"], "provenance"})
)
NAMES = KNOWN | st.sampled_from(["scores", "sparsity", "l0", "config", "sae", "k", "training"])
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


def of_original_run() -> Reading:
    return read_results(ORIGINAL_RUN_0.parent).readings[0]


def only_problem(root: Path) -> Broken:
    (broken,) = read_results(root).broken
    return broken


def test_our_folder_is_read(tmp_path: Path) -> None:
    result_set = read_results(OURS)
    assert [(r.eval_name, r.sae_id, r.seed) for r in result_set.readings] == [
        ("core", "pca", 0),
        ("mig", "random", 0),
    ]
    assert [(run.sae_id, run.status) for run in result_set.runs] == [("random", "ok")]
    assert (result_set.root, result_set.broken, result_set.ignored) == (OURS, (), ())


def test_original_run_0_is_read_and_invalid_with_its_reasons() -> None:
    reasons = " | ".join(of_original_run().invalid)
    assert "no latent is active" in reasons
    assert "the output is all zero" in reasons
    assert "cross-entropy with the SAE is 18, worse than with the activation ablated" in reasons


def test_original_run_0_keeps_its_values() -> None:
    assert of_original_run().values["core.ce_loss_with_sae"] == 18.0
    assert of_original_run().epoch_millis == 1736553167253


def test_what_eval_a_file_is_of_is_said_inside_it_and_not_by_its_place(tmp_path: Path) -> None:
    write(tmp_path / "tpp" / "core_scr_eval_results.json", published("core", live_core()))
    assert read_results(tmp_path).readings[0].eval_name == "core"


def test_an_unknown_eval_is_read(tmp_path: Path) -> None:
    write(tmp_path / "x_eval_results.json", published("new_eval", {"all": {"score": 0.5}}))
    assert read_results(tmp_path).readings[0].values == {"new_eval.score": 0.5}


def test_a_broken_file_is_listed_with_its_path_and_the_rest_is_read(tmp_path: Path) -> None:
    shutil.copytree(OURS, tmp_path / "results")
    path = tmp_path / "results" / "core" / "cut_eval_results.json"
    path.write_text(OUR_CORE.read_text()[:3000])
    result_set = read_results(tmp_path / "results")
    assert len(result_set.readings) == 2
    assert [broken.path for broken in result_set.broken] == [path]
    assert str(path) in result_set.broken[0].message


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"eval_result_metrics": live_core()}, "eval_type_id is None"),
        ({"eval_type_id": 3, "eval_result_metrics": live_core()}, "eval_type_id is 3"),
        ({"eval_type_id": "core"}, "eval_result_metrics holds no number"),
        ({"eval_type_id": "core", "eval_result_metrics": {"a": {"b": "c"}}}, "holds no number"),
    ],
)
def test_a_result_that_does_not_say_the_least_is_broken(
    tmp_path: Path, content: dict[str, Any], why: str
) -> None:
    write(tmp_path / "x_eval_results.json", content)
    assert why in only_problem(tmp_path).message


def test_a_json_file_that_is_no_result_is_ignored_with_a_word(tmp_path: Path) -> None:
    write(tmp_path / "report.json", {"comparisons": []})
    write(tmp_path / "x_eval_results.json", published("core", live_core()))
    result_set = read_results(tmp_path)
    assert result_set.broken == ()
    assert [ignored.path.name for ignored in result_set.ignored] == ["report.json"]


def test_a_record_that_is_none_is_broken(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "x.json", {"eval_type_id": "core"})
    assert "in a run record" in only_problem(tmp_path).message


def test_a_file_that_cannot_be_read_is_broken(tmp_path: Path) -> None:
    memory = Path("/proc/self/mem")  # nobody reads its first byte, root included
    if not memory.exists():
        pytest.skip("there is no /proc here")
    path = tmp_path / "x_eval_results.json"
    path.symlink_to(memory)
    assert only_problem(tmp_path).message.startswith(f"{path}: cannot be read: ")


def test_an_empty_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "x_eval_results.json").touch()
    assert "is empty" in only_problem(tmp_path).message


@pytest.mark.parametrize("folders", [(), ("core", "runs"), ("baseline/core",)])
def test_a_folder_without_results_is_a_usage_error(
    tmp_path: Path, folders: tuple[str, ...]
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(UsageError, match=r"holds no results.*Name a folder that"):
        read_results(tmp_path)


def test_of_two_results_of_one_sae_and_eval_the_newer_counts(tmp_path: Path) -> None:
    for name, millis in (("a", 2000), ("b", 1000), ("c", 1500)):
        result = published("core", live_core(), datetime_epoch_millis=millis)
        write(tmp_path / f"{name}_eval_results.json", result)
    result_set = read_results(tmp_path)
    assert [reading.path.name for reading in result_set.readings] == ["a_eval_results.json"]
    assert sorted(ignored.path.name[0] for ignored in result_set.ignored) == ["b", "c"]
    assert all("left out for" in ignored.message for ignored in result_set.ignored)


def test_results_of_two_evals_or_seeds_of_a_family_all_count(tmp_path: Path) -> None:
    for i, (name, sae_id) in enumerate([("core", "x"), ("core", "x_seed1"), ("scr", "x")]):
        metrics = live_core() if name == "core" else {"scr_metrics": {"a": 1.0}}
        write(tmp_path / f"{i}_eval_results.json", published(name, metrics, sae_id=sae_id))
    result_set = read_results(tmp_path)
    assert len(result_set.readings) == 3
    assert len({reading.family for reading in result_set.readings}) == 1
    assert result_set.ignored == ()


def test_objects_that_share_sae_benchs_one_id_are_distinguished_by_their_files(
    tmp_path: Path,
) -> None:
    for run in ("run_0", "run_1"):
        shutil.copy(ORIGINAL_RUN_0, tmp_path / f"{run}_core_eval_results.json")
    assert [r.sae_id for r in read_results(tmp_path).readings] == ["run_0", "run_1"]


def test_an_sae_that_core_finds_dead_is_invalid_in_every_eval(tmp_path: Path) -> None:
    dead = live_core(l0=0.0)
    for sae_id, core in (("dead", dead), ("live", live_core())):
        write(tmp_path / f"{sae_id}_core_eval_results.json", published("core", core, sae_id=sae_id))
        other = published("absorption_first_letter", ABSORPTION, sae_id=sae_id)
        write(tmp_path / f"{sae_id}_abs_eval_results.json", other)
    by_name = {(r.sae_id, r.eval_name): r.invalid for r in read_results(tmp_path).readings}
    assert by_name["dead", "absorption_first_letter"] == ("L0 is 0: no latent is active",)
    assert by_name["live", "absorption_first_letter"] == by_name["live", "core"] == ()


@pytest.mark.parametrize("status", ["invalid", "failed"])
def test_an_sae_that_its_run_found_invalid_is_invalid(tmp_path: Path, status: str) -> None:
    shutil.copytree(OURS, tmp_path / "results")
    path = tmp_path / "results" / "runs" / "tiny-gemma2-it_layer_2_sae_random.json"
    record = loaded(path)
    record["status"] = status
    record["cells"]["validity"] |= {
        "status": "invalid",
        "reasons": [{"kind": "invalid", "message": "L0 is 0"}],
    }
    record["cells"]["core"] = {"status": "failed", "reasons": []}
    write(path, record)
    invalid = {r.sae_id: r.invalid for r in read_results(tmp_path / "results").readings}
    assert invalid == {"pca": (), "random": ("L0 is 0",)}


@pytest.mark.parametrize("of_record", ["another", None, 7])
def test_a_result_from_before_its_sae_was_trained_again_is_invalid(
    tmp_path: Path, of_record: object
) -> None:
    shutil.copytree(OURS, tmp_path / "results")
    path = tmp_path / "results" / "runs" / "tiny-gemma2-it_layer_2_sae_random.json"
    write(path, loaded(path) | {"weights_hash": of_record})
    core = published("core", live_core(), sae_id="random")
    core["sae_lens_release_id"] = "tiny-gemma2-it_layer_2_sae"
    write(tmp_path / "results" / "core" / "random_eval_results.json", core)
    invalid = {(r.sae_id, r.eval_name): r.invalid for r in read_results(path.parents[1]).readings}
    assert invalid["pca", "core"] == invalid["random", "core"] == ()
    if of_record == "another":
        (why,) = invalid["random", "mig"]
        assert "trained again since" in why
        assert str(path) in why
    else:
        assert invalid["random", "mig"] == ()


@pytest.mark.parametrize("mark", [-1.0, float("nan"), None])
def test_a_loss_that_is_no_number_makes_an_sae_invalid_unless_it_is_missing(mark: object) -> None:
    invalid = reading(published("core", live_core(ce_loss_with_sae=mark))).invalid
    expected = () if mark is None else ("ce_loss_with_sae is nan; the SAE's output is not finite",)
    assert invalid == expected


@pytest.mark.parametrize(("architecture", "is_valid"), [("random", True), ("topk", False)])
def test_a_control_may_be_worse_than_ablation(architecture: str, is_valid: bool) -> None:
    core = live_core(ce_loss_with_sae=13.0)
    result = published("core", core, sae_cfg_dict={"architecture": architecture})
    assert (reading(result).invalid == ()) == is_valid


@pytest.mark.parametrize(
    ("millis", "read"),
    [(1736553167253, 1736553167253), ("1729834113150", 1729834113150), ("soon", None), (-5, None),
     (None, None), (True, None), (1e12, None)],
)  # fmt: skip
def test_a_time_may_be_a_text_or_missing(millis: object, read: int | None) -> None:
    result = published("core", live_core(), datetime_epoch_millis=millis)
    assert reading(result).epoch_millis == read


def test_details_are_read_when_they_are_wanted() -> None:
    by_name = {r.eval_name: r for r in read_results(OURS).readings}
    assert read_details(by_name["core"]) == loaded(OUR_CORE)["eval_result_details"]
    assert read_details(by_name["mig"])[0]["factor"] == "gender"


@pytest.mark.parametrize("details", [None, []])
def test_an_eval_may_have_no_details(tmp_path: Path, details: object) -> None:
    result = published("core", live_core(), eval_result_details=details)
    write(tmp_path / "x_eval_results.json", result)
    assert read_details(read_results(tmp_path).readings[0]) == []


@pytest.mark.parametrize("details", ["text", [1, 2], {"a": 1}])
def test_details_in_another_form_are_an_error(tmp_path: Path, details: object) -> None:
    result = published("core", live_core(), eval_result_details=details)
    write(tmp_path / "x_eval_results.json", result)
    with pytest.raises(ResultError, match="is not a list of objects"):
        read_details(read_results(tmp_path).readings[0])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, ANYTHING, max_size=8))
def test_any_object_gives_a_reading_or_is_broken(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    root = tmp_path_factory.getbasetemp() / "any"
    write(root / "core" / "x_eval_results.json", content)
    write(root / "runs" / "x.json", content)
    result_set = read_results(root)
    assert len(result_set.readings) + len(result_set.runs) + len(result_set.broken) == 2


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NAMES, ANYTHING, NAMES, ANYTHING)
def test_a_damaged_result_gives_a_reading_or_is_broken(
    tmp_path_factory: pytest.TempPathFactory,
    field: str,
    value: object,
    in_provenance: str,
    inner: object,
) -> None:
    root = tmp_path_factory.getbasetemp() / "damaged"
    result = loaded(OUR_CORE)
    result["eval_result_details"] = []
    result["eval_result_unstructured"]["provenance"][in_provenance] = inner
    write(root / "x_eval_results.json", {**result, field: value})
    result_set = read_results(root)
    assert len(result_set.readings) + len(result_set.broken) == 1


def test_the_cells_that_records_are_made_of_are_no_other_set(tmp_path: Path) -> None:
    from csae_bench.results.store import Store

    shutil.copytree(OURS, tmp_path, dirs_exist_ok=True)
    n_results = len(read_results(tmp_path).readings)
    cells = Store(tmp_path).cells("release", "sae")
    assert cells.relative_to(tmp_path).parts[:2] == (RUNS, CELLS)
    cells.mkdir(parents=True)
    (cells / "core.json").write_text("{}")
    result_set = read_results(tmp_path)
    assert len(result_set.readings) == n_results > 0
    assert not result_set.other_sets


@pytest.mark.parametrize("depth", [100, 400, 900, 990])
def test_deep_nesting_is_read_or_broken(tmp_path: Path, depth: int) -> None:
    deep = '{"sae": ' * depth + "{}" + "}" * depth
    (tmp_path / "x_eval_results.json").write_text(
        '{"eval_type_id": "core", "eval_result_metrics": {"a": {"b": 1}}, '
        '"eval_config": {"x": ' + deep + "}, "
        '"eval_result_unstructured": {"provenance": {"training_hash": "x", "config": '
        + deep
        + "}}}"
    )
    result_set = read_results(tmp_path)
    assert len(result_set.readings) + len(result_set.broken) == 1


def test_reading_imports_neither_torch_nor_pandas_nor_an_sae_library() -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from csae_bench.comparison.reading.folder import read_results; "
        f"assert read_results(Path({str(OURS)!r})).readings; "
        "print(sorted({'torch', 'sae_lens', 'sae_bench', 'transformers', 'pandas', 'numpy'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
