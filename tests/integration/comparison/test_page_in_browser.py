"""The page as a person meets it: in headless Chromium, from a file."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from csae_bench.comparison.command import CompareRequest, run_compare
from csae_bench.comparison.model import Family, Interval, Verdict
from csae_bench.comparison.outputs.html import html_page, write_html
from csae_bench.comparison.outputs.html.live_state import SILENCE_SECONDS, LiveState
from csae_bench.comparison.outputs.html.page import write_page
from tests.browser.fixtures import OpenPage
from tests.browser.page import Page
from tests.unit.comparison.outputs import reports
from tests.unit.comparison.outputs.published import published
from tests.unit.comparison.result_files import OURS

pytestmark = pytest.mark.browser

COMPARISONS = "[data-table=comparisons]"
VALUES = "[data-table=values]"
MINUS = "\N{MINUS SIGN}"
MARKS = "[...document.querySelectorAll('.pareto')][0].querySelectorAll('g:not(.off) use')"


@pytest.fixture
def page(open_page: OpenPage, tmp_path: Path) -> Page:
    write_html(reports.every_verdict(), tmp_path / "report.html")
    return open_page(tmp_path / "report.html")


def _rows(page: Page, table: str) -> list[str]:
    return page.texts(f"{table} tbody tr:not(.prose)")


def _type(page: Page, table: str, text: str) -> None:
    page.click(f"{table} input")
    page.type(text)


def test_the_page_opens_without_a_complaint_or_an_external_request(page: Page) -> None:
    assert page.errors() == []
    assert page.external_requests() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_no_wider_than_its_window(
    page: Page, width: int, scheme: Literal["light", "dark"]
) -> None:
    page.view(width=width, scheme=scheme)
    assert page.overflow() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_background(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.view(scheme=scheme)
    # the measure needs each element to have its own background
    page.evaluate(
        "document.querySelectorAll('main *, header *').forEach("
        "e => e.style.background = getComputedStyle(document.body).backgroundColor)"
    )
    page.evaluate(
        "document.querySelectorAll('th button, button').forEach(e => e.style.opacity = 1)"
    )
    assert page.contrast("main p, main td, main .verdict, .quiet, header p, h1, .judgement") >= 4.5


def test_dark_and_light_are_not_the_same(page: Page) -> None:
    colours: list[str] = []
    for scheme in ("light", "dark"):
        page.view(scheme=scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]


def test_a_run_called_script_shows_as_text(open_page: OpenPage, tmp_path: Path) -> None:
    evil = Family(reports.RELEASE, reports.EVIL)
    row = reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=evil, reasons=(reports.EVIL,))
    results = reports.results(
        reports.readings(evil, curve=reports.EVIL),
        runs=[reports.run(evil, status="failed", problems=(reports.EVIL,))],
    )
    write_html(reports.report(results, comparisons=[row]), tmp_path / "report.html")
    page = open_page(tmp_path / "report.html")
    assert page.evaluate("document.scripts.length") == 2
    assert page.text(".troubles .problem") == " ".join(reports.EVIL.split())
    assert reports.EVIL in page.texts(f"{COMPARISONS} tbody td")
    assert page.errors() == []


@pytest.mark.parametrize("width", [400, 1400])
def test_why_is_in_sight_without_scrolling(open_page: OpenPage, tmp_path: Path, width: int) -> None:
    items = Interval(low=-0.0123, high=0.0234, level=0.95, method="bootstrap over 9 factors")
    name = Family(reports.RELEASE, "TopK_gemma-2-2b__0108_resid_post_layer_12_trainer_14")
    row = reports.comparison(
        "core.ce_loss_score", Verdict.WORSE, -0.1, candidate=name, baseline=name, by_item=items,
        reasons=("p < 0.0001, and p < 0.0001 after Holm over 8 (paired t, 5 pairs). " * 3,),
    )  # fmt: skip
    report = replace(reports.five_good_runs(), comparisons=(row,))
    write_html(report, tmp_path / "report.html")
    page = open_page(tmp_path / "report.html")
    page.view(width=width)
    assert page.texts(f"{COMPARISONS} tr.prose td") == [row.reasons[0].strip()]
    assert page.evaluate(
        f"document.querySelector('{COMPARISONS} .scroll').getBoundingClientRect().right"
        f" - document.querySelector('{COMPARISONS} tr.prose p').getBoundingClientRect().right"
    ) >= 0  # fmt: skip


def test_comparisons_sort_by_a_column_and_back(page: Page) -> None:
    column = f"{COMPARISONS} th:nth-child(7) button"
    differences = f"{COMPARISONS} tbody td:nth-child(7)"
    page.click(column)
    assert page.texts(differences)[:2] == [
        f"+0.12 [{MINUS}0.31, +0.55]",
        "+0.060 [+0.050, +0.070]",
    ]
    page.click(column)
    assert page.texts(differences)[0] == f"{MINUS}0.030 [{MINUS}0.040, {MINUS}0.020]"
    assert page.texts(differences)[-1] == "\N{EN DASH}"  # undefined stands last either way
    assert page.evaluate(
        f"document.querySelector('{COMPARISONS} th:nth-child(7)').getAttribute('aria-sort')"
    ) == "ascending"  # fmt: skip


def test_comparisons_are_filtered_by_text_and_by_verdict(page: Page) -> None:
    assert len(_rows(page, COMPARISONS)) == 8
    _type(page, COMPARISONS, "value mig")
    assert len(_rows(page, COMPARISONS)) == 2
    page.evaluate(
        f"(() => {{ const s = document.querySelector('{COMPARISONS} select'); s.value = 'better';"
        " s.dispatchEvent(new Event('change')) })()"
    )
    (row,) = _rows(page, COMPARISONS)
    assert "better" in row
    assert page.text(f"{COMPARISONS} [role=status]") == "1 of 8 rows"


def test_the_values_of_one_eval_can_be_chosen(page: Page) -> None:
    assert "MIG-sup ↕" not in page.texts(f"{VALUES} th")
    page.evaluate(
        f"(() => {{ const s = document.querySelector('{VALUES} select'); s.value = 'mig';"
        " s.dispatchEvent(new Event('change')) })()"
    )
    titles = [title.strip() for title in page.texts(f"{VALUES} th")]
    assert titles[-3:] == ["Value MIG", "MIG", "MIG-sup"]


def test_many_rows_are_drawn_in_steps(open_page: OpenPage, tmp_path: Path) -> None:
    rows = [
        reports.comparison("core.l0", Verdict.WORSE, 0.1, candidate=Family("r", f"s{i}"))
        for i in range(250)
    ]
    report = replace(reports.five_good_runs(), comparisons=tuple(rows))
    write_html(report, tmp_path / "report.html")
    page = open_page(tmp_path / "report.html")
    assert len(_rows(page, COMPARISONS)) == 100
    page.click(f"{COMPARISONS} > button")
    assert len(_rows(page, COMPARISONS)) == 250


@pytest.fixture
def single_seeds(open_page: OpenPage, tmp_path: Path) -> Page:
    """Fifteen published SAEs."""
    write_html(published(), tmp_path / "report.html")
    return open_page(tmp_path / "report.html")


@pytest.fixture
def with_cards(open_page: OpenPage, tmp_path: Path) -> Page:
    """Results of a run, with their cards and factor map."""
    report = run_compare(CompareRequest(folder=OURS, details=True)).report
    write_html(report, tmp_path / "report.html")
    return open_page(tmp_path / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["page", "single_seeds", "with_cards"])
def test_axe_finds_nothing_serious(
    request: pytest.FixtureRequest, name: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    page: Page = request.getfixturevalue(name)
    page.view(width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.grave_findings() == []


def test_axe_finds_what_is_serious(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<!doctype html><title>t</title><img src='data:,'><button>")
    findings = open_page(tmp_path / "bad.html").grave_findings()
    assert {finding.partition(":")[0] for finding in findings} >= {"image-alt", "button-name"}


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["single_seeds", "with_cards"])
def test_other_pages_are_no_wider_than_their_window(
    request: pytest.FixtureRequest, name: str, width: int
) -> None:
    page: Page = request.getfixturevalue(name)
    page.view(width=width)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.overflow() == 0
    assert page.errors() == []


def test_a_curve_can_be_switched_off_and_on_with_the_keyboard(single_seeds: Page) -> None:
    page = single_seeds
    before = page.evaluate(f"{MARKS}.length")
    page.evaluate("document.querySelector('.legend button').focus()")
    page.press("Enter")
    assert page.evaluate(f"{MARKS}.length") == before - 5
    assert page.evaluate("document.querySelector('.legend button').ariaPressed") == "false"
    page.press("Enter")
    assert page.evaluate(f"{MARKS}.length") == before


def test_arrow_keys_go_from_sae_to_sae(single_seeds: Page) -> None:
    page = single_seeds
    page.evaluate("document.querySelector('.pareto').focus()")
    page.press("ArrowRight")
    first = page.text("#tip")
    page.press("ArrowRight")
    assert first.startswith("Matryoshka_google")
    assert "CE loss score" in first
    assert page.text("#tip") != first
    page.press("Escape")
    assert page.texts("#tip") == []


def test_a_pointer_near_a_mark_shows_what_it_is(single_seeds: Page) -> None:
    page = single_seeds
    page.evaluate(
        f"(() => {{ const m = {MARKS}[0]; const b = m.getBoundingClientRect();"
        " m.closest('svg').dispatchEvent(new PointerEvent('pointermove',"
        " {clientX: b.x + 4, clientY: b.y + 4})) })()"
    )
    (shown,) = page.texts("#tip")
    assert shown.startswith("Matryoshka_google")


def _first_column(page: Page) -> list[str]:
    return [name.split("\n")[0] for name in page.texts(".board tbody:not(.references) th .sae")]


def test_the_leaderboard_sorts_by_a_column_and_back_with_the_keyboard(single_seeds: Page) -> None:
    page = single_seeds
    button = ".board thead th:nth-child(2) button"
    assert page.evaluate("document.querySelector('.board th[aria-sort]').cellIndex") == 2
    page.evaluate(f"document.querySelector('{button}').focus()")
    page.press("Enter")
    assert {name[-1] for name in _first_column(page)[:3]} == {"0"}  # the sparsest first
    heading = page.evaluate("document.querySelector('.board th[aria-sort]').outerHTML")
    assert 'aria-sort="ascending"' in heading
    page.press("Enter")
    assert {name[-1] for name in _first_column(page)[:3]} == {"4"}
    heading = page.evaluate("document.querySelector('.board th[aria-sort]').outerHTML")
    assert 'aria-sort="descending"' in heading


def test_who_takes_no_part_stays_below_those_who_do(open_page: OpenPage, tmp_path: Path) -> None:
    noise = [
        replace(reading, architecture="random")
        for reading in reports.readings(Family(reports.RELEASE, "noise"), shift=0.5)
    ]
    results = reports.results(
        reports.readings(reports.CUSTOM), reports.readings(reports.TOPK), noise
    )
    write_html(reports.report(results), tmp_path / "report.html")
    page = open_page(tmp_path / "report.html")
    for _ in range(2):
        page.click(".board thead th:nth-child(3) button")
        assert page.texts(".board tbody th .sae")[-1] == "noise"


def test_the_leaderboard_is_there_without_scripts(tmp_path: Path) -> None:
    assert ">TopK\N{HORIZONTAL ELLIPSIS}trainer_4<" in html_page(published())


def _live(written_ms: int) -> LiveState:
    return LiveState(
        started="2026-01-01T00:00:00+00:00", n_done=1, n_steps=9, now="evaluating mig",
        written_ms=written_ms, reload_seconds=1,
    )  # fmt: skip


def test_the_page_of_a_run_follows_it_until_it_is_done(open_page: OpenPage, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    report = reports.five_good_runs()
    now = int(time.time() * 1000)
    write_page(html_page(report, live=_live(now)), path)
    page = open_page(path)
    page.click(".board thead th:nth-child(2) button")
    page.click("summary")
    page.evaluate("window.isFirst = true")
    write_page(html_page(report, live=replace(_live(now), n_done=2)), path)
    page.wait_for("document.body.innerText.includes('2 of 9 steps done') && !window.isFirst")
    # what the reader did is kept
    assert page.evaluate("document.querySelector('.board th[aria-sort]').cellIndex") == 1
    assert page.evaluate("document.querySelector('details').open")
    write_html(report, path)
    page.wait_for("document.querySelector('#live') === null")
    page.evaluate("window.isFirst = true")
    time.sleep(2)
    assert page.evaluate("window.isFirst")  # a page of a run that is done stays as it is
    assert page.errors() == []


def test_the_page_of_a_killed_run_says_so_and_does_not_reload(
    open_page: OpenPage, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    long_ago = int(time.time() * 1000) - 1000 * (SILENCE_SECONDS + 10)
    write_page(html_page(reports.five_good_runs(), live=_live(long_ago)), path)
    page = open_page(path)
    assert "was probably killed" in page.text("#live")
    assert page.grave_findings() == []
    page.evaluate("window.isFirst = true")
    time.sleep(2)
    assert page.evaluate("window.isFirst")


def test_the_page_fits_on_paper(with_cards: Page, tmp_path: Path) -> None:
    with_cards.pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 10_000
    with_cards.view(width=690, media="print")  # A4 without its margins
    assert with_cards.overflow() == 0
