"""The browsable page, as a person meets it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from csae_bench.engines.probing.browser.content import ShownNumber
from csae_bench.engines.probing.browser.page import HTML, html, write_browser
from csae_bench.errors import ResultError
from tests.browser.example_page import CLOSING, EVIL, FACTORS, ROUND, example_page
from tests.browser.fixtures import OpenPage
from tests.browser.page import Page

DASH = "\N{EN DASH}"
MAX_BYTES = 4 * 2**20
"""Of a page with 64 values and 1024 latents with 8 prompts each: a tenth of a second to load."""

PAGE = example_page()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    assert write_browser(PAGE, folder) == [HTML]
    return folder / HTML


def _latents(page: Page) -> list[int]:
    return [int(text) for text in page.texts("#latents tbody th")]


def _column(page: Page, table: str, key: str) -> list[str]:
    place = page.evaluate(
        f"[...document.querySelectorAll('{table} thead tr:last-child th')]"
        f".findIndex(th => th.querySelector('[data-sort=\"{key}\"]'))"
    )
    return page.texts(f"{table} tbody tr:not(.group) > :nth-child({place + 1})")


def test_the_page_names_no_other_place() -> None:
    page = html(PAGE)
    urls = set(re.findall(r"https?://[^\s\"'`]+", page))
    assert urls == {"http://www.w3.org/2000/svg"}  # a name, which nothing is loaded from
    assert not re.search(r"<link|<img|<itemplate|@import|url\(|\bsrc=|fetch\(|XMLHttp", page)


def test_a_page_of_an_sae_with_many_latents_stays_small() -> None:
    factors = {f"factor {i}": tuple(f"value {j}" for j in range(8)) for i in range(8)}
    page = example_page(n_latents=1024, factors=factors, d_sae=16384, n_prompts=8)
    assert len(html(page).encode()) < MAX_BYTES


def test_nothing_that_is_no_number_gets_into_the_page() -> None:
    bad = replace(PAGE.latents[0], firing_rate=float("nan"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        html(replace(PAGE, latents=(bad,)))


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(ResultError, match=r"taken.*cannot be written"):
        write_browser(PAGE, tmp_path / "taken")


@pytest.mark.browser
class TestAtFirst:
    def test_every_value_and_latent_is_there_and_nothing_is_wrong(
        self, path: Path, open_page: OpenPage
    ) -> None:
        page = open_page(path)
        assert page.errors() == []
        assert page.external_requests() == []
        assert page.texts("#values tbody tr:not(.group) th") == [
            value for values in FACTORS.values() for value in values
        ]
        assert sorted(_latents(page)) == sorted(latent.index for latent in PAGE.latents)
        assert len(page.texts("#latents td.heat")) == 40 * 14 - 1  # one has no information

    def test_scores_have_intervals_and_true_minus_signs(
        self, path: Path, open_page: OpenPage
    ) -> None:
        scores = open_page(path).texts(".headline dd")
        assert scores == [
            "0.871 [0.853, 0.887]",
            "0.032",
            DASH,
            "\u22120.120 [\u22120.201, \u22120.038]",
        ]

    def test_what_is_undefined_is_a_dash_that_says_why(
        self, path: Path, open_page: OpenPage
    ) -> None:
        page = open_page(path)
        assert page.evaluate("document.querySelector('.headline abbr').title") == ROUND.reason
        assert _column(page, "#values", "k1")[2] == DASH
        titles = "[...document.querySelectorAll('#values tr:nth-child(4) abbr')].map(e => e.title)"
        assert page.evaluate(titles) == [
            *[ROUND.reason] * 4,
            "no dense probe",
            *["its later word is no single token"] * 6,
        ]

    def test_latents_stand_in_the_order_of_the_values_they_know(
        self, path: Path, open_page: OpenPage
    ) -> None:
        most = _column(open_page(path), "#latents", "most")
        labels = [f"{factor}: {value}" for factor, value in PAGE.value_names]
        assert most == sorted(most, key=labels.index)

    def test_each_kind_of_intervention_has_its_columns(
        self, path: Path, open_page: OpenPage
    ) -> None:
        page = open_page(path)
        assert page.texts("#values .groups th") == ["ablate", "clamp"]
        first = PAGE.factors[0].values[0].effects
        for effect in first:
            own = _column(page, "#values", f"{effect.operation} own")[0]
            assert own.replace("\N{MINUS SIGN}", "-") == f"{effect.own.value:.3f}"

    def test_of_two_values_that_it_knows_alike_a_latent_stands_under_its_own(
        self, tmp_path: Path, open_page: OpenPage
    ) -> None:
        alike = [0.0] * 3 + [0.5, 0.5] + [0.0] * 9
        names = PAGE.value_names
        latents = tuple(
            replace(PAGE.latents[place], information=tuple(alike), assigned_values=(names[place],))
            for place in (3, 4)
        )
        write_browser(replace(PAGE, latents=latents), tmp_path)
        most = _column(open_page(tmp_path / HTML), "#latents", "most")
        assert most == ["gender: feminine", "gender: masculine"]

    def test_text_that_looks_like_code_is_text(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "latent=17")
        assert f"{EVIL}{CLOSING}" in page.text(".tokens")
        assert "&lt;b&gt;" in page.text(".tokens")
        page.click("#facts summary")
        assert page.texts("#facts tr:last-child > *") == [EVIL, CLOSING]
        n_scripts = page.evaluate("document.scripts.length")
        assert n_scripts == 1 + html(PAGE).count("<script>\n")
        assert page.errors() == []


@pytest.mark.browser
class TestSortingAndFiltering:
    def test_any_column_sorts_both_ways_and_what_is_undefined_comes_last(
        self, path: Path, open_page: OpenPage
    ) -> None:
        page = open_page(path)
        by_index = {latent.index: latent.selectivity.value for latent in PAGE.latents}
        defined = [index for index, value in by_index.items() if value is not None]
        downward = sorted(defined, key=lambda index: -(by_index[index] or 0))
        page.click("#latents [data-sort=selectivity]")
        assert _latents(page) == [*downward, 18]
        page.click("#latents [data-sort=selectivity]")
        assert _latents(page) == [*reversed(downward), 18]
        assert page.evaluate("document.activeElement.dataset.sort") == "selectivity"

    def test_a_heat_column_sorts(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "sort=-topic: theatre")
        cells = [float(cell) for cell in _column(page, "#latents", "topic: theatre")]
        assert cells == sorted(cells, reverse=True)

    def test_values_sort(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path)
        page.click("#values [data-sort=prompts]")
        counts = [int(count) for count in _column(page, "#values", "prompts")]
        assert counts == sorted(counts, reverse=True)

    def test_a_factor_leaves_its_values_and_columns(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "factor=gender")
        assert page.texts("#values tbody tr:not(.group) th") == ["feminine", "masculine"]
        assert page.texts("#latents th.upright") == ["feminine", "masculine"]
        assert page.text("#found") == "2 of 14 values, 40 of 40 latents"

    def test_the_choice_of_a_factor_is_in_the_link(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path)
        page.evaluate(
            "(() => { const e = document.getElementById('factor'); e.value = 'domain';"
            " e.dispatchEvent(new Event('change')) })()"
        )
        assert page.evaluate("location.hash") == "#factor=domain"
        assert page.texts("#latents th.upright") == ["science", "sport", "art"]

    @pytest.mark.parametrize("query", ["17", "N1511", "theatre", "gender: fem"])
    def test_the_search_finds_latents_by_number_token_and_value(
        self, path: Path, open_page: OpenPage, query: str
    ) -> None:
        def is_found(index: int) -> bool:
            latent = next(one for one in PAGE.latents if one.index == index)
            tokens = {
                token.lower()
                for prompt in latent.prompts
                for token, code in zip(prompt.tokens, prompt.activations, strict=True)
                if code
            }
            known = [-1.0 if cell is None else cell for cell in latent.information]
            about = {PAGE.value_names[known.index(max(known))], *latent.assigned_values}
            return (
                (query.isdigit() and str(index).startswith(query))
                or any(query.lower() in token for token in tokens)
                or any(query.lower() in ": ".join(name) for name in about)
            )

        page = open_page(path)
        page.click("#find")
        page.type(query)
        result = _latents(page)
        assert 0 < len(result) < 40
        assert set(result) == {latent.index for latent in PAGE.latents if is_found(latent.index)}
        assert f"{len(result)} of 40 latents" in page.text("#found")

    def test_a_search_without_a_hit_says_so(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "q=xylophone")
        assert page.text("#latents") == "No latent is found."
        assert page.text("#values") == "No value is found."

    def test_probes_can_be_read_by_another_metric(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "metric=accuracy")
        scores = PAGE.factors[0].values[0].probes[1]
        assert _column(page, "#values", "k1")[0] == f"{scores.accuracy.value:.3f}"


@pytest.mark.browser
class TestDetail:
    def test_a_link_to_a_latent_opens_it(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "latent=17")
        latent = PAGE.latents[0]
        assert page.text("#detail h2") == "latent 17"
        assert "tense: past" in page.text("#detail dl")
        assert len(page.texts("#detail .prompts li")) == len(latent.prompts)
        assert page.text("tr[aria-current] th") == "17"

    def test_tokens_are_whole_and_shaded_by_activation(
        self, path: Path, open_page: OpenPage
    ) -> None:
        page = open_page(path, "latent=17")
        prompt = PAGE.latents[0].prompts[0]
        tokens = "[...document.querySelector('.tokens').children]"
        assert page.evaluate(f"{tokens}.map(e => e.textContent)") == list(prompt.tokens)
        shaded = page.evaluate(f"{tokens}.map(e => Number(e.style.getPropertyValue('--heat')))")
        largest = PAGE.latents[0].max_activation
        expected = [code / largest for code in prompt.activations]
        assert shaded == pytest.approx(expected, abs=2e-3)  # codes have three digits

    def test_a_silent_latent_says_so(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "latent=18")
        assert "It is silent on every prompt." in page.text("#detail")
        assert f"{DASH} {ROUND.reason}" in page.text("#detail dl")

    def test_a_latent_that_is_not_there_is_no_riddle(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "latent=9999")
        assert "Latent 9999 is not on this page, which has 40 of 1024" in page.text("#detail")
        assert page.errors() == []

    def test_a_click_on_a_value_shows_probes_latents_and_interventions(
        self, path: Path, open_page: OpenPage
    ) -> None:
        page = open_page(path)
        page.click("#values [data-value='0']")
        value = PAGE.factors[0].values[0]
        assert page.text("#detail h2") == "tense: past"
        assert page.evaluate("decodeURIComponent(location.hash)") == "#value=tense: past"
        assert page.evaluate("document.querySelectorAll('.chart circle').length") == 4
        assert page.evaluate("document.querySelectorAll('.chart .ceiling').length") == 1
        assert page.texts("#detail .operation") == [
            f"{effect.operation} latent {effect.latent}" for effect in value.effects
        ]
        assert page.evaluate("document.querySelectorAll('.effects .bar .whisker').length") == 6

    def test_a_value_without_an_intervention_says_why(
        self, path: Path, open_page: OpenPage
    ) -> None:
        page = open_page(path, "value=tense: future")
        assert "its later word is no single token" in page.text("#detail")
        assert f"No AUROC is defined here: {ROUND.reason}." in page.text("#detail")

    def test_links_from_a_detail_keep_the_filter(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "factor=tense&value=tense: past")
        best = PAGE.factors[0].values[0].best_latents[0].index
        page.click(f"#detail [data-latent='{best}']")
        assert page.text("#detail h2") == f"latent {best}"
        assert page.evaluate("location.hash") == f"#factor=tense&latent={best}"

    def test_going_back_closes_what_was_opened(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path)
        page.set_fragment("latent=17")
        page.set_fragment("")
        assert page.texts("#detail") == []


@pytest.mark.browser
class TestReach:
    def test_all_of_it_works_with_keys(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "sort=index")
        page.press("/")
        page.type("17")
        page.evaluate("document.querySelector('#latents tbody th a').focus()")
        page.press("Enter")
        assert page.text("#detail h2") == "latent 17"
        assert page.evaluate("document.activeElement.textContent") == "latent 17"
        page.press("Escape")
        assert page.texts("#detail") == []
        assert page.evaluate("document.activeElement.textContent") == "17"

    def test_arrows_go_from_row_to_row(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path)
        page.evaluate("document.querySelector('#values tbody th a').focus()")
        page.press("ArrowDown")
        assert page.evaluate("document.activeElement.textContent") == "present"

    @pytest.mark.parametrize("fragment", ["", "latent=17", "value=tense: past"])
    @pytest.mark.parametrize("width", [1280, 400])
    def test_it_fits_its_window(
        self, path: Path, open_page: OpenPage, width: int, fragment: str
    ) -> None:
        page = open_page(path, fragment)
        page.view(width=width)
        assert page.overflow() == 0
        inner = "(e => e.hidden ? 0 : e.scrollWidth - e.clientWidth)"
        assert page.evaluate(f"{inner}(document.getElementById('detail'))") == 0

    def test_a_detail_that_covers_the_page_takes_its_keys(
        self, path: Path, open_page: OpenPage
    ) -> None:
        page = open_page(path, "latent=17")
        assert not page.evaluate("document.querySelector('main').inert")
        page.view(width=400)
        assert page.evaluate("document.querySelector('main').inert")

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_cells_are_readable(self, path: Path, open_page: OpenPage, scheme: str) -> None:
        page = open_page(path)
        page.view(scheme="dark" if scheme == "dark" else "light")
        assert page.contrast("td.heat") > 4.4  # WCAG asks for 4.5; the best one can do is 4.58

    def test_print_has_the_detail_and_no_controls(self, path: Path, open_page: OpenPage) -> None:
        page = open_page(path, "latent=17")
        page.view(media="print")
        assert page.texts(".controls") == []
        assert "latent 17" in page.text("#detail")
        assert page.evaluate("getComputedStyle(document.getElementById('detail')).position") == (
            "static"
        )

    def test_many_latents_come_in_parts(self, tmp_path: Path, open_page: OpenPage) -> None:
        write_browser(example_page(n_latents=150, n_prompts=1), tmp_path)
        page = open_page(tmp_path / HTML)
        assert len(_latents(page)) == 100
        page.click("#show-more")
        assert len(_latents(page)) == 150

    def test_an_sae_without_anything_to_show_has_a_page(
        self, tmp_path: Path, open_page: OpenPage
    ) -> None:
        bare = replace(
            PAGE,
            latents=(),
            factors=(),
            absorption=(),
            headline=(),
            facts={},
            no_absorption_reason="no factor has a parent",
        )
        write_browser(bare, tmp_path)
        page = open_page(tmp_path / HTML)
        assert page.errors() == []
        assert page.text("#latents") == "No latent is found."
        assert page.text("#absorption") == "no factor has a parent"


@pytest.mark.browser
def test_an_estimate_of_zero_is_shown_as_one(tmp_path: Path, open_page: OpenPage) -> None:
    zero = replace(PAGE.latents[0], selectivity=ShownNumber(-0.00001), entropy=ShownNumber(0.0))
    write_browser(replace(PAGE, latents=(zero,)), tmp_path)
    page = open_page(tmp_path / HTML)
    assert _column(page, "#latents", "selectivity") == ["0.000"]
    assert _column(page, "#latents", "entropy") == ["0.000"]
