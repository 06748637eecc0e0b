"""csae_bench/results/table.py: what a person sees at the end of a run."""

from __future__ import annotations

import io

from rich.console import Console

from csae_bench.preflight.check import Check
from csae_bench.preflight.doctor import Examination
from csae_bench.preflight.table import print_examination
from csae_bench.results.schema import Cell, RunRecord
from csae_bench.results.table import print_record

EVIL = "[red]a\x1b[31mred\u202e"
SHOWN = "[red]a\\x1b[31mred\\u202e"


def _console() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=200), out


def test_no_name_in_a_record_steers_the_terminal() -> None:
    console, out = _console()
    cell = Cell(status="ok", summary={EVIL: 0.5}, warnings=(EVIL,))
    record = RunRecord(
        status="ok", release=EVIL, sae_id=EVIL, source=EVIL, model=EVIL, hook_name=None,
        started="now", wall_seconds=1.0, cells={EVIL: cell},
    )  # fmt: skip
    print_record(record, console)
    assert not {"\x1b", "\u202e"} & set(out.getvalue())
    assert out.getvalue().count(SHOWN) == 5


def test_no_finding_of_doctor_steers_the_terminal() -> None:
    console, out = _console()
    print_examination(Examination(checks=[Check(EVIL, "problem", EVIL)]), console)
    assert not {"\x1b", "\u202e"} & set(out.getvalue())
    assert out.getvalue().count(SHOWN) == 2
