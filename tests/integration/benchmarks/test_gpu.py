"""benchmarks.gpu at toy size on the CPU: every part runs, and every figure is printed."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.__main__ import main as bench

ROOT = Path(gpu.__file__).parents[1]


# torch says so of itself, when the compiler is imported
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_small_run_prints_every_figure_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gpu.json"
    code = gpu.main(["--small", "--in-process", "--json", str(file)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    content = json.loads(file.read_text())
    assert code == 0, {name: figures["errors"] for name, figures in content["sections"].items()}
    assert [line[1] for line in lines] == [f"small_{name[4:]}" for name in gpu.FIGURES]
    assert all(line[0] == "BENCH" and math.isfinite(float(line[2])) for line in lines)
    shares = [float(line[2]) for line in lines if line[1].endswith("_share")]
    assert shares
    assert all(0 <= share <= 1.5 for share in shares)
    assert content["sections"]["card"]["details"]["card"]["device"] == "cpu"


def test_section_that_is_ended_keeps_its_figures_and_names_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # a process of its own that measures one figure, then never comes back
    script = tmp_path / "python"
    report = {"figures": {"gpu_bf16_matmul": [7, "TFLOP/s"]}, "details": {}, "errors": {}}
    script.write_text(
        f"#!{sys.executable}\nimport json, sys, time\n"
        "path = sys.argv[sys.argv.index('--json') + 1]\n"
        f"open(path, 'w').write({json.dumps(json.dumps(report))})\n"
        "time.sleep(60)\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(gpu.sys, "executable", str(script))
    monkeypatch.setitem(gpu.SECTIONS, "card", 3)
    file = tmp_path / "gpu.json"
    assert gpu.main(["--small", "--only", "card", "--json", str(file)]) == 1
    printed = capfd.readouterr()
    assert printed.out == "BENCH small_bf16_matmul 7 TFLOP/s\n"
    assert "card, the section: ended after 3 s" in printed.err
    assert "ended" in json.loads(file.read_text())["sections"]["card"]["errors"]["the section"]


def test_sections_fit_their_time() -> None:
    assert sum(gpu.SECTIONS.values()) <= 360


def test_bench_leaves_gpu_figures_out_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.__main__.pick_device", lambda wanted: "cpu")
    assert bench(["gpu_core_seconds"]) == 1  # it was asked for by name
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no GPU" in printed.err


def test_readme_names_every_figure() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text()
    for path in sorted((ROOT / "benchmarks").glob("[!_]*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FIGURES":
                missing = [name for name in ast.literal_eval(node.value) if f"`{name}`" not in text]
                assert missing == [], path.name
    assert "benchmarks.gpu" in text


def test_gpu_benchmark_without_a_gpu_says_so() -> None:
    code = (
        "import sys; from benchmarks import gpu; gpu._card = lambda: None; sys.exit(gpu.main([]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no GPU is here" in done.stderr
