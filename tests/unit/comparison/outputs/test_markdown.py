"""A report as Markdown."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from csae_bench.comparison.model import Broken, Family, Verdict
from csae_bench.comparison.outputs.markdown import MAX_CHARACTERS, text, to_markdown
from tests.unit.comparison.outputs import reports

EVIL = reports.EVIL


def test_the_outcome_is_the_first_line() -> None:
    assert to_markdown(reports.every_verdict()).splitlines()[0].endswith("compare: failed")


def test_failed_runs_come_before_verdicts() -> None:
    written = to_markdown(reports.every_verdict())
    assert written.index("1000 tokens / batch 2048") < written.index("#### Verdicts")


def test_the_gravest_verdicts_come_first() -> None:
    written = to_markdown(reports.every_verdict())
    rows = re.findall(r"^\| \S (\w+)", written.split("#### Verdicts")[1], flags=re.MULTILINE)
    # jumprelu, of which nothing can be compared, has one row
    assert rows[:4] == ["invalid", "incomparable", "worse", "better"]


def test_every_row_of_a_table_has_as_many_cells_as_its_header() -> None:
    evil = Family(EVIL, EVIL)
    rows = [reports.comparison("core.l0", v, 0.1, candidate=evil, reasons=(EVIL,)) for v in Verdict]
    written = to_markdown(replace(reports.every_verdict(), comparisons=tuple(rows)))
    for table in re.findall(r"(?:^\|.*\n?)+", written, flags=re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1


def test_a_name_cannot_be_html_a_link_or_a_mention() -> None:
    written = text(EVIL)
    assert "<script" not in written
    assert "@team" not in written
    assert not re.search(r"(?<!\\)[`\[\]()|*]", written)


@given(st.text(max_size=400))
def test_any_text_stays_on_its_line_and_in_its_cell(value: str) -> None:
    written = text(value)
    assert len(written.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(?:\\\\)*[`|]", re.sub(r"\\[`|]", "", written))
    assert "<" not in written.replace("<!-- -->", "")


def test_details_are_folded_and_closed() -> None:
    written = to_markdown(reports.every_verdict())
    assert written.count("<details>") == written.count("</details>") == 2


def test_a_huge_report_fits_into_a_comment() -> None:
    saes = [Family("r" * 200, f"{'s' * 200}{i}") for i in range(100)]
    rows = [
        reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=sae, reasons=("|" * 500,))
        for sae in saes
    ]
    runs = [reports.run(sae, status="failed", problems=("<" * 400,) * 3) for sae in saes]
    broken = [Broken(Path("b" * 200), "&" * 500)] * 100
    results = reports.results(runs=runs, broken=broken)
    report = reports.report(results, comparisons=rows, warnings=["*" * 900] * 100)
    assert len(to_markdown(report)) <= MAX_CHARACTERS


def test_what_is_not_shown_is_counted() -> None:
    rows = [
        reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=Family("r", f"s{i}"))
        for i in range(50)
    ]
    written = to_markdown(reports.report(reports.results(), comparisons=rows))
    assert "10 more rows: see `--html`." in written


def test_means_with_intervals_are_shown_where_nothing_is_compared() -> None:
    written = to_markdown(reports.five_good_runs())
    assert re.search(r"^\| custom\\_sae \| 5 \| 0\.91\d+ \\\[0\.", written, flags=re.MULTILINE)


def test_allowed_mismatches_are_a_warning_at_the_top() -> None:
    assert "> [!WARNING]\n> Mismatches were allowed in dtype" in to_markdown(
        reports.every_verdict()
    )


def test_no_name_steers_a_terminal_that_shows_the_markdown() -> None:
    name = Family("release", "a\x1b[31mred\x00\u202e")
    written = to_markdown(reports.report(reports.results(reports.readings(name))))
    assert not {"\x1b", "\x00", "\u202e"} & set(written)
