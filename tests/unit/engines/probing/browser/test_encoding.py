"""The data of the browsable page."""

from __future__ import annotations

from dataclasses import replace

from csae_bench.engines.probing.browser.content import ShownNumber
from csae_bench.engines.probing.browser.encoding import encoded, estimate
from tests.browser.example_page import example_page


def test_an_estimate_is_a_number_or_one_with_its_ends_or_a_reason() -> None:
    assert estimate(ShownNumber(0.123456)) == 0.1235
    assert estimate(ShownNumber(0.5, 0.4, 0.6)) == [0.5, 0.4, 0.6]
    assert estimate(ShownNumber(None, reason="no prompt")) == "no prompt"
    assert estimate(ShownNumber(None)) == "not defined"


def test_values_are_numbered_through_all_factors() -> None:
    data = encoded(example_page())
    assert [value["factor"] for value in data["values"]] == [0] * 3 + [1] * 2 + [2] * 3 + [3] * 6
    assert data["values"][data["absorption"][-1]["child"]]["name"] == "theatre"


def test_a_prompt_that_two_latents_share_is_there_once() -> None:
    page = example_page()
    first, *others = page.latents
    shared = tuple(replace(latent, prompts=first.prompts) for latent in others)
    data = encoded(replace(page, latents=(first, *shared)))
    assert len(data["texts"]) == len(first.prompts)
    assert [prompt["text"] for prompt in data["latents"][-1]["prompts"]] == [0, 1, 2, 3]
