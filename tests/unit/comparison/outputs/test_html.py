"""The page, as text; tests in a browser are in tests/integration/comparison."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from csae_bench.comparison.command import CompareRequest, run_compare
from csae_bench.comparison.model import Broken, Family, Interval, Report, Verdict
from csae_bench.comparison.outputs.html import html_page, write_html
from csae_bench.comparison.outputs.html.drawing import MAX_ROWS
from csae_bench.comparison.outputs.html.live_state import LiveState
from csae_bench.comparison.outputs.html.page import with_state
from csae_bench.comparison.outputs.html.tables import MAX_COMPARISONS
from csae_bench.comparison.reading.folder import read_results
from csae_bench.errors import UsageError
from csae_bench.pages import render
from tests.unit.comparison.outputs import reports
from tests.unit.comparison.outputs.published import published
from tests.unit.comparison.result_files import write

EVIL = reports.EVIL
BASELINE = Path(__file__).parents[4] / "results" / "baseline"
VOID = {"meta", "link", "input", "br", "use", "line", "rect", "circle", "path", "polyline"}


class _Structure(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        # p and li may stay open in HTML; here they do not
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID


def _evil() -> Report:
    family = Family(EVIL, EVIL)
    row = reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=family, reasons=(EVIL,),
                             mismatches={EVIL: (EVIL, EVIL)})  # fmt: skip
    readings = [replace(r, conditions={EVIL: EVIL}) for r in reports.readings(family, curve=EVIL)]
    results = reports.results(
        readings,
        runs=[reports.run(family, status="failed", problems=(EVIL,))],
        broken=[Broken(Path(EVIL), EVIL)],
        root=EVIL,
    )
    return reports.report(results, comparisons=[row], warnings=[EVIL], allowed=[EVIL])


def _data(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(text)


def test_whatever_text_comes_in_is_escaped() -> None:
    structure = _Structure()
    page = html_page(_evil())
    structure.feed(page)
    assert structure.scripts == 2  # the data and our own
    assert "alert('x')" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_the_page_asks_nothing_of_a_network() -> None:
    page = html_page(reports.every_verdict())
    assert not re.search(r"https?:|\bsrc=|@import|url\(", page)
    assert re.findall(r'href="([^#][^"]*)"', page) == ["data:,"]


@pytest.mark.parametrize("report", [reports.every_verdict(), reports.five_good_runs(), _evil()])
def test_every_element_is_closed(report: Report) -> None:
    structure = _Structure()
    structure.feed(html_page(report))
    assert structure.open == []


def test_the_page_answers_in_order() -> None:
    headings = re.findall(r'<h2 id="(\w+)"', html_page(reports.every_verdict()))
    assert headings == [
        "failed", "gate", "leaderboard", "words", "pareto", "pairs", "saes", "values", "runs",
        "conditions", "files",
    ]  # fmt: skip


def test_sections_without_content_are_left_out() -> None:
    headings = re.findall(r'<h2 id="(\w+)"', html_page(reports.five_good_runs()))
    assert headings == [
        "failed", "leaderboard", "words", "pareto", "saes", "values", "runs", "conditions",
    ]  # fmt: skip


def test_the_data_of_the_tables_is_json() -> None:
    data = _data(html_page(_evil()))
    assert data["comparisons"]["rows"][0][0] == EVIL
    assert len(data["values"]["rows"][0]) == len(data["values"]["columns"])


def test_the_page_uses_the_frame_of_all_pages() -> None:
    page = html_page(reports.five_good_runs())
    head, _, _ = render("pages/frame.html", title="").partition("<title>")
    assert page.startswith(head)
    assert "--paper: #fff" in page
    assert "<title>csae-bench: " in page


def test_a_name_that_is_no_unicode_reads_back_from_the_data(tmp_path: Path) -> None:
    family = Family("r", "caf\udce9")
    row = reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=family)
    write_html(reports.report(reports.results(), comparisons=[row]), tmp_path / "report.html")
    data = _data((tmp_path / "report.html").read_text())
    assert "caf\udce9" in data["comparisons"]["rows"][0][0]


def test_what_json_has_no_word_for_is_left_blank() -> None:
    row = replace(
        reports.comparison("core.l0", Verdict.WORSE, 0.1), smallest_detectable=float("inf")
    )
    data = _data(html_page(reports.report(reports.results(), comparisons=[row])))
    titles = [column["title"] for column in data["comparisons"]["columns"]]
    assert data["comparisons"]["rows"][0][titles.index("detectable")] is None


def test_a_forest_plot_shows_its_first_rows_and_counts_the_rest() -> None:
    rows = [
        reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=Family("r", f"s{i}"))
        for i in range(MAX_ROWS + 5)
    ]
    page = html_page(reports.report(reports.results(), comparisons=rows))
    assert page.count('<svg class="strip worse"') == MAX_ROWS
    assert "5 more comparisons in the table." in page


def test_five_hundred_saes_of_four_evals_stay_below_two_megabytes() -> None:
    families = [Family(reports.RELEASE, f"topk_k{i}") for i in range(500)]
    groups = [
        [
            replace(reading, eval_name=name, values={f"{name}.m{i}": 0.123456 for i in range(25)})
            for reading in reports.readings(family, seeds=(0,))[:1]
            for name in ("mig", "factor_vae", "unlearning")
        ]
        + reports.readings(family, seeds=(0,), l0=4.0 + i)
        for i, family in enumerate(families)
    ]
    rows = [
        reports.comparison(f"mig.m{i}", Verdict.WORSE, 0.0123, candidate=family)
        for family in families
        for i in range(10)
    ]
    page = html_page(reports.report(reports.results(*groups), comparisons=rows))
    assert len(rows) > MAX_COMPARISONS
    assert len(page) < 2_000_000


def test_write_html_leaves_a_whole_page_and_nothing_beside_it(tmp_path: Path) -> None:
    write_html(reports.five_good_runs(), tmp_path / "new" / "report.html")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]
    assert (tmp_path / "new" / "report.html").read_text().endswith("</html>\n")


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"report\.html: cannot be written"):
        write_html(reports.five_good_runs(), tmp_path / "file" / "report.html")


def test_equal_reports_give_equal_pages() -> None:
    assert html_page(reports.every_verdict()) == html_page(reports.every_verdict())


def test_intervals_over_items_have_a_column_where_there_are_any() -> None:
    interval = Interval(low=-0.01, high=0.03, level=0.95, method="bootstrap over factors")
    plain = reports.comparison("mig.mig", Verdict.BETTER, 0.02)
    with_items = replace(plain, by_item=interval)
    report = reports.five_good_runs()
    assert "over items" not in html_page(replace(report, comparisons=(plain,)))
    page = html_page(replace(report, comparisons=(plain, with_items)))
    assert "over items [95%]" in page
    assert "[-0.010, +0.030]" in page


def test_conditions_that_differ_are_distinguished_from_those_that_do_not() -> None:
    report = reports.five_good_runs()
    first, *rest = report.candidate.readings
    odd = replace(first, conditions={**first.conditions, "dtype": "bfloat16"})
    changed = replace(report, candidate=replace(report.candidate, readings=(odd, *rest)))
    page = html_page(changed)
    assert re.findall(r'class="differs"><dt>(\w+)</dt>', page) == ["dtype"]
    assert "bfloat16" in page


def test_a_page_of_results_that_are_fine_says_so_first() -> None:
    page = html_page(reports.five_good_runs())
    assert "No: 20 results of 10 SAEs and 2 evals; nothing failed, and no SAE is invalid." in page


def test_pairs_of_single_seeds_are_one_sentence() -> None:
    page = html_page(published())
    assert re.search(r"\d+ comparisons of SAEs with one seed each say no more than", page)
    assert _data(page)["comparisons"]["rows"] == []
    assert 'class="strip' not in page


def test_pairs_of_single_seeds_have_rows_where_one_was_named_to_compare_with() -> None:
    report = published()
    page = html_page(replace(report, against=report.comparisons[0].baseline.name))
    assert len(_data(page)["comparisons"]["rows"]) == len(report.comparisons)


def test_a_control_is_not_among_the_saes_that_take_part() -> None:
    page = html_page(reports.report(reports.results(
        reports.readings(reports.CUSTOM, seeds=(0,)),
        [replace(r, architecture="random") for r in
         reports.readings(Family(reports.RELEASE, "noise"), seeds=(0,))],
    )))  # fmt: skip
    taking_part, _, references = page.partition('class="references"')
    assert '<span class="sae">noise</span>' not in taking_part
    assert '<span class="sae">noise</span>' in references


def test_versions_are_those_that_the_runs_recorded(tmp_path: Path) -> None:
    shutil.copytree(BASELINE, tmp_path, dirs_exist_ok=True)
    page = html_page(reports.report(read_results(tmp_path)))
    assert re.search(r'<span class="quiet">sae-bench</span> 0\.\d+', page)


def test_only_the_page_of_a_run_that_is_not_done_reloads() -> None:
    live = LiveState(started="2026-01-01T00:00:00+00:00", n_done=3, n_steps=9,
                     now="evaluating mig", written_ms=1_767_225_600_000)  # fmt: skip
    report = reports.five_good_runs()
    assert 'http-equiv="refresh"' not in html_page(report)
    page = html_page(report, live=live)
    assert '<meta http-equiv="refresh" content="5">' in page
    assert "3 of 9 steps done" in page
    assert '<time datetime="2026-01-01T00:00:00+00:00">' in page
    later = with_state(page, replace(live, n_done=4, now="<b>"))
    assert "4 of 9 steps done" in later
    assert "&lt;b&gt;" in later
    assert later.replace("4 of 9", "3 of 9").replace("&lt;b&gt;", "evaluating mig") == page


def test_twenty_saes_of_ten_evals_stay_below_three_megabytes(tmp_path: Path) -> None:
    """With runs, details and pages, as `csae-bench run` leaves them."""
    for n in range(20):
        for kind in ("core", "mig"):
            for file in (BASELINE / kind).glob("*small_eval_results.json"):
                renamed = file.name.replace("custom_sae_small", f"sae_{n}")
                result = json.loads(file.read_text().replace("custom_sae_small", f"sae_{n}"))
                result["eval_result_details"] = _details() if kind == "mig" else []
                for copy in range(1 if kind == "core" else 9):
                    name = kind if copy == 0 else f"{kind}_{copy}"
                    write(tmp_path / name / renamed, {**result, "eval_type_id": name})
        record = (
            BASELINE / "runs" / "tiny-gemma2-it_layer_2_sae_custom_sae_small.json"
        ).read_text()
        path = tmp_path / "runs" / f"tiny-gemma2-it_layer_2_sae_sae_{n}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(record.replace("custom_sae_small", f"sae_{n}"))
    outcome = run_compare(CompareRequest(folder=tmp_path, against="sae_0", details=True))
    page = html_page(outcome.report, folder=tmp_path)
    assert page.count('class="factor-name"') == 20 * 8
    assert len(page.encode()) < 3_000_000


def _details() -> list[dict[str, Any]]:
    return [
        {"factor": f"factor {k}", "mig": 0.1 * k, "value_mig": 0.1 * k, "values": [
            {"value": f"value {i}", "latent": 10 * k + i, "value_mig": 0.3, "information": 0.4}
            for i in range(5)
        ]}
        for k in range(8)
    ]  # fmt: skip
