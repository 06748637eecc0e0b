"""`make bench`: one line per figure on stdout, `BENCH <name> <value> <unit>`; the rest on stderr.

`python -m benchmarks NAME` runs that one. A benchmark is a module here, named for its figure, with
a `main()`; each runs in a process of its own, so that peak memories do not mix.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

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
        code = f"from benchmarks.{module} import main; main()"
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        failed |= done.returncode != 0
        for line in done.stdout.splitlines():
            if line.startswith("BENCH ") and line.split()[1] in wanted:
                print(line, flush=True)
    return 1 if failed else 0


def _figures(path: Path) -> tuple[str, ...]:
    """Return the figures that a benchmark's FIGURES names, read without importing it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FIGURES":
            return tuple(ast.literal_eval(node.value))
    return ()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
