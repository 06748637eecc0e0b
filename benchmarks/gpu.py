"""The figures that need a GPU, at Gemma-2-2B's true shape with random weights; about 6 minutes.

`python -m benchmarks.gpu --json FILE` prints the BENCH lines on stdout, what it does on stderr, and
writes everything to FILE. Each section runs in a process of its own, so that one that runs out of
memory or time costs no other its figures: a section that outlives its limit is ended, and what it
had measured by then counts. Nothing is read from a hub.

`--small` runs the same code at toy size on a CPU, to test it; its figures, `small_...`, mean
nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "disabled")

NEEDS_GPU = True
FIGURES = (
    "gpu_bf16_matmul",
    "gpu_fp32_matmul",
    "gpu_tf32_matmul",
    "gpu_copy_bandwidth",
    "gpu_train_16k_tokens_per_second",
    "gpu_train_16k_share_of_matmul",
    "gpu_train_16k_model_share",
    "gpu_train_16k_sae_share",
    "gpu_train_16k_waiting_share",
    "gpu_train_16k_peak_memory",
    "gpu_train_16k_memory_forecast",
    "gpu_train_65k_tokens_per_second",
    "gpu_train_65k_share_of_matmul",
    "gpu_train_65k_model_share",
    "gpu_train_65k_sae_share",
    "gpu_train_65k_waiting_share",
    "gpu_train_65k_peak_memory",
    "gpu_train_65k_memory_forecast",
    "gpu_train_16k_busy_share",
    "gpu_train_16k_tf32_tokens_per_second",
    "gpu_train_16k_tf32_share_of_matmul",
    "gpu_train_65k_tf32_tokens_per_second",
    "gpu_train_65k_tf32_share_of_matmul",
    "gpu_core_seconds",
    "gpu_core_peak_memory",
    "gpu_core_memory_forecast",
    "gpu_factor_codes_seconds",
    "gpu_factor_evals_seconds",
    "gpu_minutes_a_sae",
    "gpu_waits_a_step",
    "gpu_waits_a_batch",
    "gpu_stock_waits_a_step",
    "gpu_stock_waits_a_batch",
    "gpu_step_16k",
    "gpu_step_16k_ratio",
    "gpu_step_16k_tf32",
    "gpu_step_16k_tf32_ratio",
    "gpu_step_16k_autocast",
    "gpu_step_16k_autocast_ratio",
    "gpu_step_65k",
    "gpu_step_65k_ratio",
    "gpu_step_65k_tf32",
    "gpu_step_65k_tf32_ratio",
    "gpu_step_65k_autocast",
    "gpu_step_65k_autocast_ratio",
    "gpu_stock_step_16k_compile_speedup",
    "gpu_step_16k_compile_speedup",
    "gpu_stock_step_65k_compile_speedup",
    "gpu_step_65k_compile_speedup",
)
SECTIONS = {
    "card": 30,
    "training": 100,
    "evaluation": 90,
    "synchronisations": 30,
    "steps": 110,
}
"""Modules of `benchmarks.on_gpu`, in this order, with the seconds each may take. What one leaves of
its time is the next one's too."""

GRACE = 5
"""Seconds before a section's end from which it begins no new part."""


def main(arguments: list[str] | None = None) -> int:
    """Run the sections; return 0 if every part of each succeeded, else 1."""
    options = _parser().parse_args([] if arguments is None else arguments)
    if options.section is not None:
        _run_section(options.section, options.small, options.device, options.seconds, options.json)
        return 0
    device = options.device or ("cpu" if options.small else _card())
    if device is None:
        print("error: no GPU is here; --small tries the code on the CPU.", file=sys.stderr)
        return 1
    started = time.monotonic()
    content: dict[str, Any] = {"is_small": options.small, "sections": {}}
    for number, name in enumerate(options.only or SECTIONS):
        limit = sum(list(SECTIONS.values())[: number + 1]) - (time.monotonic() - started)
        figures = _section(name, options.small, device, limit, is_apart=not options.in_process)
        content["sections"][name] = figures
        for figure, (value, unit) in figures["figures"].items():
            shown = figure.replace("gpu_", "small_", 1) if options.small else figure
            print(f"BENCH {shown} {value:g} {unit}", flush=True)
        content["wall_seconds"] = round(time.monotonic() - started, 1)
        if options.json is not None:
            options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    errors = {
        f"{section}, {part}": error
        for section, figures in content["sections"].items()
        for part, error in figures["errors"].items()
    }
    for part, error in errors.items():
        print(f"error: {part}: {error}", file=sys.stderr)
    print(f"{content['wall_seconds']:.0f} s", file=sys.stderr)
    return 1 if errors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    parser.add_argument("--small", action="store_true", help="toy size, on the CPU")
    parser.add_argument("--device", help="cuda or cuda:1; default: the first GPU")
    parser.add_argument(
        "--only", action="append", choices=list(SECTIONS), help="a section; may be repeated"
    )
    parser.add_argument(
        "--in-process", action="store_true", help="no process, and no limit, for each section"
    )
    parser.add_argument("--section", choices=list(SECTIONS), help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60, help=argparse.SUPPRESS)
    return parser


def _card() -> str | None:
    from csae_bench.hardware.devices import pick_device

    return None if pick_device("auto") == "cpu" else "cuda"


def _section(
    name: str, is_small: bool, device: str, limit: float, *, is_apart: bool
) -> dict[str, Any]:
    """Return a section's report."""
    shown = f"at most {limit:.0f} s" if is_apart else "without a limit"
    print(f"-- {name}, {shown}", file=sys.stderr, flush=True)
    if not is_apart:
        return _run_section(name, is_small, device, math.inf, None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = [sys.executable, "-m", "benchmarks.gpu", "--section", name, "--json", str(path)]
        command += ["--device", device, "--seconds", f"{limit:.1f}"]
        command += ["--small"] if is_small else []
        error = None
        try:
            # stdout is for BENCH lines alone
            done = subprocess.run(command, stdout=sys.stderr, timeout=max(1.0, limit))
            if done.returncode != 0:
                error = f"its process ended with {done.returncode}"
        except subprocess.TimeoutExpired:
            error = f"ended after {limit:.0f} s"
        empty: dict[str, Any] = {"figures": {}, "details": {}, "errors": {}, "seconds": {}}
        figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else empty
    if error is not None:
        figures["errors"]["the section"] = error
    return figures


def _run_section(
    name: str, is_small: bool, device: str, seconds: float, path: Path | None
) -> dict[str, Any]:
    from benchmarks.on_gpu.measuring import GpuReport

    report = GpuReport(path, device, is_small, deadline=time.monotonic() + seconds - GRACE)
    import_module(f"benchmarks.on_gpu.{name}").run(report)
    return report.content()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
