"""`csae-bench compare` on bad input: a sentence that names the culprit, and the right exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.e2e import compare_folders as folders
from tests.e2e.conftest import CsaeBench
from tests.unit.comparison.result_files import live_core, published, write

LONG = "x" * 5000


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with results, a baseline and things that are neither file nor folder."""
    monkeypatch.chdir(tmp_path)
    folders.family(tmp_path / "new", seeds=[0, 1])
    folders.family(tmp_path / "old", seeds=[0, 1])
    (tmp_path / "file").write_text("content")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "to_loop").symlink_to("loop/inner")
    return tmp_path


def _is_told(outcome: Result, culprit: str, exit_code: int = 2) -> None:
    said = " ".join(outcome.stderr.split())
    assert outcome.exit_code == exit_code, outcome.output
    assert culprit in said, outcome.output
    for unwanted in ("Traceback", "this is a bug", "[Errno", "\x1b"):
        assert unwanted not in outcome.output
    assert len(said) < 6000


OUTPUTS = {
    "md full": ("--md", "/dev/full", "/dev/full"),
    "junit full": ("--junit", "/dev/full", "/dev/full"),
    "html full": ("--html", "/dev/full", "/dev/full"),
    "plots full": ("--plots", "/dev/full", "/dev/full"),
    "md folder": ("--md", "folder", "folder: is a folder"),
    "html folder": ("--html", "folder", "folder: is a folder"),
    "plots file": ("--plots", "file", "file: is a file"),
    "plots fifo": ("--plots", "fifo", "fifo: is a file"),
    "plots below a file": ("--plots", "file/plots", "file/plots"),
    "md below a file": ("--md", "file/a/b.md", "file/a/b.md"),
    "md proc": ("--md", "/proc/none/a.md", "/proc/none/a.md"),
    "plots proc": ("--plots", "/proc/none", "/proc/none"),
    "html sys": ("--html", "/sys/a.html", "/sys/a.html"),
    "md loop": ("--md", "loop", "loop"),
    "html below a loop": ("--html", "to_loop", "to_loop"),
    "plots loop": ("--plots", "loop", "loop"),
    "md long name": ("--md", f"{'x' * 300}.md", "xxx"),
    "html long path": ("--html", f"{'x/' * 3000}a.html", "x/x/x"),
    "plots long name": ("--plots", LONG, "xxx"),
    "md empty": ("--md", "", "it is empty"),
}


@pytest.mark.parametrize("case", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.usefixtures("place")
def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(
    case: tuple[str, str, str], place: Path, csae_bench: CsaeBench
) -> None:
    option, path, culprit = case
    before = sorted(str(p) for p in place.rglob("*"))
    # an output that could be written comes after it or, where it is known before, not at all
    _is_told(csae_bench("compare", "new", option, path), culprit)
    assert sorted(str(p) for p in place.rglob("*")) == before
    assert (place / "file").read_text() == "content"


def test_a_long_name_that_a_file_may_have_is_written(place: Path, csae_bench: CsaeBench) -> None:
    name = f"{'x' * 252}.md"
    assert csae_bench("compare", "new", "--md", name).exit_code == 0
    assert (place / name).read_text().startswith("###")


@pytest.mark.usefixtures("place")
def test_a_stream_is_written_where_no_temporary_file_can_be(
    csae_bench: CsaeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    _is_told(csae_bench("compare", "new", "--md", "/dev/full"), "/dev/full")


POLICIES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "spaces": ("  \n \n", "empty"),
    "comments": ("# rules:\n#   core.l0: ci\n", "empty"),
    "null": ("null\n", "empty"),
    "empty mapping": ("{}\n", "empty"),
    "no rules": ("rules:\n", "policy.yaml"),
    "empty rules": ("rules: {}\n", "policy.yaml"),
    "not strict": ("strict: false\n", "asks for nothing"),
    "only strict": ("strict: true\n", "asks for nothing"),
    "list": ("- rules\n", "must be a mapping"),
    "text": ("rules\n", "must be a mapping"),
    "number": ("3\n", "must be a mapping"),
    "two documents": ("seeds: 2\n---\nseeds: 3\n", "policy.yaml"),
    "nested lists": (f"rules: {'[' * 20000}", "policy.yaml"),
    "nested mappings": (f"rules: {'{a: ' * 20000}", "policy.yaml"),
    "digits": (f"seeds: {'9' * 5000}\n", "policy.yaml"),
    "digits of a rule": (f"rules: {{core.l0: {'9' * 5000}}}\n", "policy.yaml"),
    "hexadecimal digits": (f"seeds: 0x{'f' * 5000}\n", "policy.yaml"),
    "list as key": ("? [a, b]\n: 1\n", "policy.yaml"),
    "mapping as key": ("? {a: b}\n: 1\n", "policy.yaml"),
    "list as key of rules": ("rules:\n  ? [a]\n  : ci\n", "policy.yaml"),
    "number as key": ("3: 4\n", "policy.yaml"),
    "bool as key": ("true: 4\nrules: {core.l0: 1}\n", "policy.yaml"),
    "null as key": ("~: 4\n", "policy.yaml"),
    "long key": (f"{'x' * 900}: 4\n", "unknown key"),
    "long value": (f"seeds: {LONG}\n", "seeds is"),
    "long metric": (f"rules: {{{'x' * 900}: no}}\n", "must be a number"),
    "longer key": (f"{LONG}: 4\n", "policy.yaml"),
    "key twice": ("seeds: 2\nseeds: 3\n", "twice"),
    "anchor bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n"
            for i in range(12)
        ), "policy.yaml",
    ),
    "recursive": ("rules: &a {x: *a}\n", "policy.yaml"),
    "tag": ("!!python/object/apply:os.system ['true']\n", "policy.yaml"),
    "set": ("rules: !!set {core.l0}\n", "policy.yaml"),
    "binary": ("rules: !!binary aGVsbG8=\n", "policy.yaml"),
    "date": ("seeds: 2020-01-01\n", "seeds is"),
    "not utf-8": (b"\xff\xfe\x00seeds", "policy.yaml"),
    "nul": (b"seeds: 2\x00", "policy.yaml"),
    "escape": ("'\\x1b[31m': 2\n", "policy.yaml"),
    "raw escape": (b"rules: {'\x1b[31mred': ci}\n", "policy.yaml"),
    "tabs": ("rules:\n\tcore.l0: ci\n", "policy.yaml"),
    "alpha is nan": ("alpha: .nan\nseeds: 2\n", "alpha is nan"),
    "alpha is a text": ("alpha: '0.05'\n", "alpha is '0.05'"),
    "alpha is zero": ("alpha: 0\n", "alpha is 0"),
    "alpha is negative": ("alpha: -1\n", "alpha is -1"),
    "seeds is a float": ("seeds: 2.5\n", "seeds is 2.5"),
    "seeds is a list": ("seeds: [1]\n", "seeds is [1]"),
    "strict is a word": ("strict: yes\nseeds: 2\n", "strict is 'yes'"),
    "evals holds a number": ("evals: [3]\n", "evals.0 is 3"),
    "evals is a mapping": ("evals: {core: 1}\n", "must be a list of names"),
    "rule is infinite": ("rules: {core.ce_loss_score: -.inf}\n", "must be a number"),
    "rule is null": ("rules: {core.ce_loss_score: }\n", "must be a number"),
    "rule is a list": ("rules: {core.ce_loss_score: [1]}\n", "must be a number"),
    "rule of no metric": ("rules: {core.ce_los_score: ci}\n", "Did you mean"),
    "rule of the wrong sign": ("rules: {core.ce_loss_score: 0.1}\n", "must not be positive"),
    "margin is negative": ("margins: {core.ce_loss_score: -1}\n", "margins.core.ce_loss_score"),
    "margin of no metric": ("margins: {core.nothing: 1}\n", "matches no metric"),
    "too large": (f"# {'x' * 2**20}\nseeds: 2\n", "policy.yaml"),
}  # fmt: skip


@pytest.mark.parametrize("case", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("flags", [(), ("--fail-on", "core.ce_loss_score:-0.01")])
def test_a_bad_policy_is_an_error_that_names_it(
    case: tuple[str | bytes, str], flags: tuple[str, ...], place: Path, csae_bench: CsaeBench
) -> None:
    text, culprit = case
    if flags and text == "strict: true\n":
        return  # there it says how the rule is judged
    content = text.encode() if isinstance(text, str) else text
    (place / "policy.yaml").write_bytes(content)
    outcome = csae_bench(
        "compare", "new", "--baseline", "old", "--policy", "policy.yaml", "--junit", "out", *flags
    )
    _is_told(outcome, culprit)
    assert "policy.yaml" in outcome.stderr
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    "path",
    ["fifo", "zero", "loop", "to_loop", "folder", "none.yaml", "file/x", LONG, "", "/dev/null"],
)
@pytest.mark.usefixtures("place")
def test_a_policy_that_is_no_file_is_named(path: str, csae_bench: CsaeBench) -> None:
    outcome = csae_bench("compare", "new", "--baseline", "old", "--policy", path)
    _is_told(outcome, path[:50])


RULES = {
    "": "write it as METRIC:RULE",
    ":": "write it as METRIC:RULE",
    ":ci": "write it as METRIC:RULE",
    "core.l0:": "write it as METRIC:RULE",
    "  : ci": "write it as METRIC:RULE",
    "core.ce_loss_score:-inf": "must be a number",
    "core.ce_loss_score:--1": "must be a number",
    f"core.ce_loss_score:-{'9' * 5000}": "must be a number",
    f"core.ce_loss_score:{LONG}": "must be a number",
    "core.ce_loss_score:CI": "must be a number",
    "core.ce_loss_score:ci:ci": "matches no metric",
    "core.[:ci": "matches no metric",
    f"{LONG}:ci": "matches no metric",
    "\x1b[31mred:ci": "\\x1b[31mred",
    "core.\n:ci": "matches no metric",
}


@pytest.mark.parametrize(("rule", "expected"), RULES.items(), ids=range(len(RULES)))
@pytest.mark.usefixtures("place")
def test_a_bad_rule_is_named(rule: str, expected: str, csae_bench: CsaeBench) -> None:
    _is_told(csae_bench("compare", "new", "--baseline", "old", "--fail-on", rule), expected)


ARGUMENTS = {
    "against nobody": (("new", "--against", ""), "it is empty"),
    "against a long name": (("new", "--against", LONG[:900]), "a part of 900 bytes"),
    "against an escape": (("new", "--against", "\x1b[2J"), "\\x1b[2J"),
    "baseline of another name": (("new", "--baseline", "new/../new"), "is the folder"),
    "baseline loop": (("new", "--baseline", "loop"), "loop"),
    "baseline empty": (("new", "--baseline", "folder"), "folder"),
    "two policies": (("new", "--baseline", "old", "--policy", "a", "--policy", "b"), "b"),
    "metrics empty": (("new", "--metrics", ""), "--metrics"),
    "metrics long": (("new", "--metrics", LONG), "matches no metric"),
    "metrics alone": (("new", "--metrics"), "--metrics"),
    "metrics of the baseline's own": (
        ("new", "--baseline", "old", "--metrics", "core.nothing"), "--metrics core.nothing",
    ),
    "two outputs in one place": (("new", "--md", "a", "--html", "folder/../a"), "is where --md"),
}  # fmt: skip


@pytest.mark.parametrize("case", ARGUMENTS.values(), ids=ARGUMENTS)
@pytest.mark.usefixtures("place")
def test_a_bad_argument_is_named(case: tuple[tuple[str, ...], str], csae_bench: CsaeBench) -> None:
    arguments, culprit = case
    _is_told(csae_bench("compare", *arguments), culprit)


NAMES = {
    "chinese": "模型_14",
    "emoji": "😀😀",
    "hindi": "हिन्दी",
    "escape": "a\x1b[31mred",
    "newline": "a\nPassed: all is well",
    "tab": "a\tb",
    "direction": "a\u202eb",
    "markup": "[bold red]x[/]",
    "open markup": "[/nothing",
    "emoji code": "a:warning:b",
    "mathematics": "$\\frac{",
    "html": "<script>alert(1)</script>",
    "long": "x" * 900,
    "half a pair": "a\udc80",
    "nul": "a\x00b",
    "spaces": "   ",
    "backslash": "a\\",
    "percent": "%s%d",
    "table": "a|b`c`",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_goes_through_every_output(
    name: str, place: Path, csae_bench: CsaeBench, recwarn: pytest.WarningsRecorder
) -> None:
    for i, sae_id in enumerate((name, "plain")):
        result = published("core", live_core(l0=20.0 + i), sae_id=sae_id)
        write(place / "odd" / f"{i}_eval_results.json", result)
    flags = ("--md", "/dev/stdout", "--html", "page.html", "--plots", "plots", "--junit", "j.xml")
    outcome = csae_bench("compare", "odd", *flags)
    assert outcome.exit_code == 0, outcome.output[-3000:]
    assert not {"\x1b", "\u202e", "\x00"} & set(outcome.output)
    assert not any(line.startswith("Passed") for line in outcome.output.splitlines())
    assert "\N{WARNING SIGN}" not in outcome.output
    assert [str(warning.message) for warning in recwarn] == []


VALUES: dict[str, Any] = {
    "huge": {"l0": 1e99, "ce_loss_score": 1e99, "explained_variance": -1e99},
    "tiny": {"l0": 5e-324, "ce_loss_score": 5e-324},
    "far apart": {"l0": 1e99, "ce_loss_score": 1e-300},
    "beyond": {"l0": 1e300, "ce_loss_score": 1e308},
    "null": {"l0": None, "ce_loss_score": None},
    "zero": {"l0": 0.0, "ce_loss_score": 0.0},
    "negative": {"l0": -3.0, "ce_loss_score": -3.0},
    "nan": {"l0": float("nan"), "ce_loss_score": float("inf")},
    "text": {"l0": "many", "ce_loss_score": "good"},
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("flags", [(), ("--metrics", "core.*")])
def test_any_value_goes_through_every_output(
    values: dict[str, Any], flags: tuple[str, ...], place: Path, csae_bench: CsaeBench,
    recwarn: pytest.WarningsRecorder,
) -> None:  # fmt: skip
    for i, of_sae in enumerate((values, {"l0": 20.0}, {"l0": 30.0})):
        result = published("core", live_core(**of_sae), sae_id=f"sae_{i}")
        write(place / "odd" / f"{i}_eval_results.json", result)
    asked = (
        "--md",
        "a.md",
        "--html",
        "page.html",
        "--plots",
        "plots",
        "--junit",
        "j.xml",
        "--json",
    )
    outcome = csae_bench("compare", "odd", *asked, *flags)
    assert outcome.exit_code in (0, 4), outcome.output[-3000:]
    assert "this is a bug" not in outcome.output, outcome.output[-3000:]
    json.loads(outcome.stdout, parse_constant=pytest.fail)
    assert [str(warning.message) for warning in recwarn] == []
