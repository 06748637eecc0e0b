"""`python -m csae_bench.yardsticks`: measure the shipped yardsticks again and write them.

Also the questions that the bundled model answers right, which are shipped as well.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import csae_bench.comparison
from csae_bench.cli.terminal import prepare_process
from csae_bench.comparison.yardsticks import FILE
from csae_bench.engines.unlearning import known_questions
from csae_bench.errors import CsaeBenchError
from csae_bench.results.store import write_text
from csae_bench.support.progress import reported


def main() -> int:
    """Write the files; 0, or an error's exit code."""
    prepare_process()  # before torch is imported
    from csae_bench.yardsticks.making import make
    from csae_bench.yardsticks.right_questions import find_right_questions

    path = Path(csae_bench.comparison.__file__).with_name(FILE)
    path_of_questions = Path(known_questions.__file__).with_name(known_questions.FILE)
    try:
        with reported(is_terminal=sys.stderr.isatty()):
            write_text(path_of_questions, find_right_questions())
            table = make()
        write_text(path, json.dumps(table.model_dump(mode="json"), indent=1) + "\n")
    except CsaeBenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stderr.write(f"wrote {path}: {len(table.rows)} rows\n")
    sys.stderr.write(f"wrote {path_of_questions}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
