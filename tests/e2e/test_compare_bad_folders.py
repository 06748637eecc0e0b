"""`csae-bench compare` on results and folders that nobody should have made.

Every one ends in the right exit code and a sentence that names the culprit.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from csae_bench.comparison.reading import layout
from tests.e2e import compare_folders as folders
from tests.e2e.conftest import CsaeBench

MAIN = "from csae_bench.cli.main import main; main()"
LONG = 200_000
MAX_SECONDS = 20
"""A FIFO would block for ever, and what is quadratic in 200,000 takes minutes."""

Change = Callable[[dict[str, Any]], object]


def _metrics(value: object) -> Change:
    return lambda result: result.update(eval_result_metrics=value)


def _category(value: object) -> Change:
    return lambda result: result["eval_result_metrics"].update(sparsity=value)


def _metric(value: object) -> Change:
    return lambda result: result["eval_result_metrics"]["sparsity"].update(l0=value)


def _key(key: str, value: object) -> Change:
    return lambda result: result.update({key: value})


def _older_mdl(result: dict[str, Any]) -> None:
    metrics = result.pop("eval_result_metrics")
    result |= {"eval_type_id": "mdl", "eval_results": [{"num_bins": 4, **metrics}]}


def _long_name(result: dict[str, Any]) -> None:
    result["eval_result_metrics"]["sparsity"]["m" * LONG] = 1.0


def _long_category(result: dict[str, Any]) -> None:
    result["eval_result_metrics"]["c" * LONG] = {"m": 1.0}


DAMAGED: dict[str, tuple[Change, str]] = {
    "metrics are null": (_metrics(None), "eval_result_metrics"),
    "metrics are a list": (_metrics([{"l0": 18.0}]), "is a list"),
    "metrics are a text": (_metrics("l0"), "is a text"),
    "metrics are a number": (_metrics(18.0), "is a number"),
    "metrics are a boolean": (_metrics(value=True), "is a boolean"),
    "metrics are empty": (_metrics({}), "has no metric"),
    "metrics are flat": (_metrics({"l0": 18.0}), "a number at l0"),
    "metrics of empty categories": (_metrics({"sparsity": {}}), "has no metric"),
    "no metrics": (lambda result: result.pop("eval_result_metrics"), "eval_result_metrics"),
    "a category is a list": (_category([18.0]), "a list at sparsity"),
    "a category is null": (_category(None), "null at sparsity"),
    "a category is a number": (_category(3), "a number at sparsity"),
    "a category is a text": (_category("l0"), "a text at sparsity"),
    "a metric is a text": (_metric("18"), "a text at sparsity.l0"),
    "a metric is a tensor": (_metric("tensor(18.)"), "a text at sparsity.l0"),
    "a metric is a boolean": (_metric(value=True), "a boolean at sparsity.l0"),
    "a metric is a list": (_metric([18.0]), "a list at sparsity.l0"),
    "a metric is an object": (_metric({"mean": 18.0}), "an object at sparsity.l0"),
    "a metric's name is long": (_long_name, "a metric whose name has 200000"),
    "a category's name is long": (_long_category, "a category whose name has 200000"),
    "no eval": (lambda result: result.pop("eval_type_id"), "eval_type_id is None"),
    "the eval is null": (_key("eval_type_id", None), "eval_type_id is None"),
    "the eval is a list": (_key("eval_type_id", ["core"]), "eval_type_id is ['core']"),
    "the eval is empty": (_key("eval_type_id", ""), "eval_type_id is ''"),
    "the eval is long": (_key("eval_type_id", "e" * LONG), "eval_type_id has 200000"),
    "the id is long": (_key("sae_lens_id", "a" * LONG), "sae_lens_id has 200000"),
    "the id is separators": (_key("sae_lens_id", "_" * LONG), "sae_lens_id has 200000"),
    "the id is seeds": (_key("sae_lens_id", "_seed1" * LONG), "sae_lens_id has"),
    "the release is long": (_key("sae_lens_release_id", "k1" * LONG), "sae_lens_release_id has"),
    "the older form of mdl": (_older_mdl, "SAE-Bench's older form"),
}

TEXTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "white space": (b" \n\t", "is empty"),
    "cut short": (b'{"eval_type_id": "core", "eval_result', "is not JSON"),
    "two objects": (b'{"eval_type_id": "core"}{}', "is not JSON"),
    "not UTF-8": (b'{"eval_type_id": "\xff\xfecore"}', "is not utf-8"),
    "Latin 1": ('{"eval_type_id": "Größe"}'.encode("latin-1"), "is not utf-8"),
    "nothing but NUL": (bytes(1000), "is not JSON"),
    "compressed": (b"\x1f\x8b\x08\x00" + bytes(50), "is not JSON"),
    "a page of HTML": (b"<!doctype html><title>404</title>", "is not JSON"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is not JSON"),
    "a list": (b"[]", "holds a JSON array"),
    "null": (b"null", "holds a JSON null"),
    "nested lists": (b"[" * LONG, "nested too deeply"),
    "nested objects": (b'{"a":' * LONG, "nested too deeply"),
    "nested metrics": (
        b'{"eval_type_id": "core", "eval_result_metrics": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        "nested too deeply",
    ),
    "an integer of 5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "an integer of 5000 digits"),
    "a negative one": (b'{"a": -' + b"9" * 5001 + b"}", "an integer of 5001 digits"),
}

RECORDS: dict[str, tuple[bytes, str]] = {
    "a list": (b"[]", "holds a JSON array"),
    "empty": (b"", "is empty"),
    "without a status": (b'{"release": "r", "sae_id": "x"}', "status is None"),
    "with another status": (
        b'{"release": "r", "sae_id": "x", "status": "fine"}',
        "status is 'fine'",
    ),
    "without a release": (b'{"sae_id": "x", "status": "ok"}', "release is None"),
    "with a number for an id": (b'{"release": "r", "sae_id": 3, "status": "ok"}', "sae_id is 3"),
    "with a long id": (
        json.dumps({"release": "r", "sae_id": "x" * LONG, "status": "ok"}).encode(),
        "sae_id has 200000",
    ),
    "with an integer of 5,000 digits": (b'{"wall_seconds": ' + b"1" * 5000 + b"}", "5000 digits"),
    "nested": (b'{"config":' * LONG, "nested too deeply"),
}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A folder with one good result and its record."""
    folders.family(tmp_path / "results", "good", seeds=(0,))
    return tmp_path / "results"


@pytest.fixture(autouse=True)
def in_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What takes longer than a person waits is a fault; no line is wrapped."""
    monkeypatch.setenv("COLUMNS", "10000")
    start = time.monotonic()
    yield
    assert time.monotonic() - start < MAX_SECONDS


def _checked(
    csae_bench: CsaeBench, *arguments: str | Path, code: int | tuple[int, ...], why: str
) -> str:
    """The output of a call that ends in this exit code, or in one of these, and says why."""
    outcome = csae_bench("compare", *arguments)
    said = " ".join(outcome.output.split())
    assert outcome.exit_code in ((code,) if isinstance(code, int) else code), said[:2000]
    assert "Traceback" not in said
    assert "this is a bug" not in said
    assert why in said, said[:2000]
    return said


@pytest.mark.parametrize(("change", "why"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_result_is_listed_with_its_key(
    good: Path, csae_bench: CsaeBench, change: Change, why: str
) -> None:
    path = folders.core(good, "bad", 0.8)
    result = json.loads(path.read_text())
    change(result)
    path.write_text(json.dumps(result))
    said = _checked(csae_bench, good, code=4, why=why)
    assert "bad_eval_results.json" in said
    assert "good" in said
    # what went wrong is said in a sentence, not in a page
    assert len(said) < 6000


@pytest.mark.parametrize(("text", "why"), TEXTS.values(), ids=TEXTS)
def test_what_is_no_json_object_is_listed(
    good: Path, csae_bench: CsaeBench, text: bytes, why: str
) -> None:
    (good / "core" / "bad_eval_results.json").write_bytes(text)
    said = _checked(csae_bench, good, code=4, why=why)
    assert "bad_eval_results.json" in said


@pytest.mark.parametrize(("text", "why"), RECORDS.values(), ids=RECORDS)
def test_a_damaged_record_is_listed(
    good: Path, csae_bench: CsaeBench, text: bytes, why: str
) -> None:
    (good / "runs" / "bad.json").write_bytes(text)
    said = _checked(csae_bench, good, code=4, why=why)
    assert "bad.json" in said


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)  # the whole path may be longer than a socket's may be


def _link(target: str | Path) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _large(path: Path) -> None:
    path.touch()
    os.truncate(path, 600 * 2**20)


ODD_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a FIFO": (_fifo, "not a file but a FIFO"),
    "a socket": (_socket, "not a file but a socket"),
    "a link to /dev/zero": (_link("/dev/zero"), "not a file but a device"),
    "a link to /dev/null": (_link("/dev/null"), "not a file but a device"),
    "a link to /dev/stdin": (_link("/dev/stdin"), "bad"),
    "a link to itself": (_link("bad_eval_results.json"), "Too many levels of symbolic links"),
    "a link to nothing": (_link("gone"), "No such file or directory"),
    "a link below a file": (_link("/etc/passwd/x"), "Not a directory"),
    "600 MiB": (_large, "Is larger than the 512 MiB that are read"),
}


@pytest.mark.parametrize("folder", ["core", "runs"])
@pytest.mark.parametrize(("make", "why"), ODD_FILES.values(), ids=ODD_FILES)
def test_what_is_no_regular_file_is_listed_and_not_read(
    good: Path, csae_bench: CsaeBench, make: Callable[[Path], None], why: str, folder: str
) -> None:
    make(good / folder / "bad_eval_results.json")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = _checked(csae_bench, good, code=4, why=why)
    assert "bad_eval_results.json" in said
    if "larger" not in why:
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB


def _loop(root: Path) -> None:
    (root / "core" / "self").symlink_to("self")


def _nowhere(root: Path) -> None:
    (root / "absorption").symlink_to("/gone")


def _to_root(root: Path) -> None:
    (root / "core" / "up").symlink_to(root)


def _to_everything(root: Path) -> None:
    (root / "everything").symlink_to("/")


def _older(root: Path) -> None:
    path = folders.core(root / "old", "good", 0.7)
    shutil.move(path, root / "core" / "old_eval_results.json")
    shutil.rmtree(root / "old")


def _no_result(root: Path) -> None:
    (root / "core" / "notes.json").write_text('{"a": 1}')


def _hidden(root: Path) -> None:
    (root / "core" / "._x_eval_results.json").write_bytes(b"\0")


def _another_set(root: Path) -> None:
    shutil.copytree(root, root / "copy", ignore=lambda folder, _: ["copy"])


def _a_baseline(root: Path) -> None:
    folders.core(root / "baseline", "good", 0.7)


def _deeper(root: Path) -> None:
    shutil.copytree(root / "core", root / "core" / "2025")


UNCOUNTED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a folder that is a link to itself": (_loop, "self: a link that leads nowhere"),
    "a folder that is a link to nothing": (_nowhere, "absorption: a link that leads nowhere"),
    "a link back to the folder": (_to_root, "up: a link back to"),
    "a link to all there is": (_to_everything, "everything: a link back to /"),
    "an older result": (_older, "left out for"),
    "a file that is no result": (_no_result, "has no eval_type_id"),
    "a hidden result": (_hidden, "is hidden"),
    "another set": (_another_set, "copy: 2 results; a folder with runs/ of its own"),
    "a baseline": (_a_baseline, "baseline: 1 result; a folder named baseline"),
    "results too deep in ours": (_deeper, "2025: 1 result; in a folder with runs/"),
}


@pytest.mark.parametrize(("make", "why"), UNCOUNTED.values(), ids=UNCOUNTED)
def test_what_is_not_counted_is_said_in_every_output(
    good: Path, tmp_path: Path, csae_bench: CsaeBench, make: Callable[[Path], None], why: str
) -> None:
    make(good)
    report = tmp_path / "report"
    said = _checked(csae_bench, good, "--md", report, "--html", f"{report}.html", code=0, why=why)
    assert "not counted: " in said
    assert "not counted" in report.read_text()
    assert "left out" in Path(f"{report}.html").read_text()
    outcome = csae_bench("compare", good, "--json")
    side = json.loads(outcome.stdout)["candidate"]
    assert len(side["ignored"]) + len(side["other_sets"]) == 1
    assert why.partition(": ")[2] in json.dumps(side)


def test_nothing_is_said_where_all_is_counted(good: Path, csae_bench: CsaeBench) -> None:
    assert "not counted" not in csae_bench("compare", good).output


def test_the_baseline_that_is_compared_with_is_counted(good: Path, csae_bench: CsaeBench) -> None:
    shutil.copytree(good, good / "baseline", ignore=lambda *_: ["baseline"])
    outcome = csae_bench("compare", good, "--baseline", good / "baseline")
    assert "not counted" not in outcome.output


def test_more_folders_than_results_have_are_an_error(
    good: Path, csae_bench: CsaeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MAX_FOLDERS", 30)
    for i in range(31):
        (good.parent / "many" / str(i)).mkdir(parents=True)
    _checked(csae_bench, good.parent / "many", code=2, why="has more than 30 folders")


def _a_file(root: Path) -> Path:
    path = root / "file"
    path.touch()
    return path


def _below_a_file(root: Path) -> Path:
    return _a_file(root) / "x"


def _self_link(root: Path) -> Path:
    path = root / "self"
    path.symlink_to(path)
    return path


def _dangling(root: Path) -> Path:
    path = root / "dangling"
    path.symlink_to("/proc/1/gone/x")
    return path


def _a_fifo(root: Path) -> Path:
    path = root / "fifo"
    os.mkfifo(path)
    return path


def _overlong(root: Path) -> Path:
    return root / ("x" * 5000)


def _same_by_link(root: Path) -> Path:
    path = root / "same"
    path.symlink_to(root / "results")
    return path


def _at(place: str) -> Callable[[Path], Path]:
    return lambda _: Path(place)


PLACES: dict[str, Callable[[Path], Path]] = {
    "/proc/1": _at("/proc/1"),
    "/proc/1/x": _at("/proc/1/x"),
    "/dev/null": _at("/dev/null"),
    "/dev/null/x": _at("/dev/null/x"),
    "/dev/full": _at("/dev/full"),
    "/sys/x": _at("/sys/x"),
    "a file": _a_file,
    "below a file": _below_a_file,
    "a link to itself": _self_link,
    "a link to nothing": _dangling,
    "a FIFO": _a_fifo,
    "an overlong name": _overlong,
    "the results by another name": _same_by_link,
}


@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES)
def test_a_place_where_no_baseline_can_be_is_named(
    good: Path, csae_bench: CsaeBench, make: Callable[[Path], Path]
) -> None:
    place = make(good.parent)
    why = str(place)[:40]
    said = _checked(csae_bench, good, "--baseline", place, "--update-baseline", code=2, why=why)
    assert "error: " in said.lower()


@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("is_baseline", [True, False])
def test_a_folder_that_is_none_is_named(
    good: Path, csae_bench: CsaeBench, make: Callable[[Path], Path], is_baseline: bool
) -> None:
    place = make(good.parent)
    if place.name == "same" and not is_baseline:
        return
    arguments = (good, "--baseline", place) if is_baseline else (place,)
    # a process's folder has folders that nobody reads, so that what is in there is not known
    code = (2, 4) if place == Path("/proc/1") else 2
    _checked(csae_bench, *arguments, code=code, why=str(place)[:40])


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, _link("/dev/zero"), _link("/dev/full")])
def test_what_is_no_file_in_a_baseline_is_not_written_into(
    good: Path, csae_bench: CsaeBench, make: Callable[[Path], object]
) -> None:
    baseline = good.parent / "baseline"
    shutil.copytree(good, baseline)
    path = next(baseline.glob("core/*.json"))
    path.unlink()
    make(path)
    _checked(csae_bench, good, "--baseline", baseline, "--update-baseline", code=2, why=path.name)


def test_a_file_nested_as_deeply_as_can_be_read_is_no_baseline(
    good: Path, csae_bench: CsaeBench
) -> None:
    path = folders.core(good, "deep", 0.8)
    result = json.loads(path.read_text())
    for _ in range(600):
        result["sae_cfg_dict"] = {"a": result["sae_cfg_dict"]}
    path.write_text(json.dumps(result))
    _checked(
        csae_bench, good, "--baseline", good.parent / "new", "--update-baseline",
        code=4, why="nested too deeply",
    )  # fmt: skip
    assert not (good.parent / "new").exists()


def _without_privileges() -> list[str]:
    """A prefix under which even root needs permissions; none where there is none to be had."""
    if os.getuid():
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root reads everything here")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]


LOCKED: dict[str, tuple[str, int, str]] = {
    "lost+found": ("lost+found", 0, "lost+found: cannot be read, and is not meant to hold"),
    "an eval": ("absorption", 4, "absorption: cannot be read: Permission denied"),
    "checkpoints": ("checkpoints", 0, "good"),
    "a result": ("core/bad_eval_results.json", 4, "bad_eval_results.json: cannot be read"),
    "a record": ("runs/bad.json", 4, "bad.json: cannot be read: Permission denied"),
    "the records": ("runs", 4, "runs: cannot be read: Permission denied"),
}


@pytest.mark.parametrize(("place", "code", "why"), LOCKED.values(), ids=LOCKED)
def test_what_must_not_be_read_is_named(good: Path, place: str, code: int, why: str) -> None:
    path = good / place
    if path.suffix:
        path.write_text("{}")
    else:
        path.mkdir(exist_ok=True)
    path.chmod(0)
    try:
        done = subprocess.run(
            [*_without_privileges(), sys.executable, "-c", MAIN, "compare", good],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        path.chmod(0o700)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert why in said
