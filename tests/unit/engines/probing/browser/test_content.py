"""What the browsable page refuses to show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from csae_bench.engines.probing.browser.content import ValueName
from tests.browser.example_page import example_page

PAGE = example_page()
LATENT = PAGE.latents[0]


def test_values_are_named_in_the_order_of_their_factors() -> None:
    assert PAGE.value_names[:4] == (
        ("tense", "past"),
        ("tense", "present"),
        ("tense", "future"),
        ("gender", "feminine"),
    )


def test_a_latent_is_listed_once() -> None:
    with pytest.raises(ValueError, match="latent 17 stands on the page twice"):
        replace(PAGE, latents=(LATENT, LATENT))


def test_a_value_is_listed_once() -> None:
    with pytest.raises(ValueError, match="stands on the page twice"):
        replace(PAGE, factors=(*PAGE.factors, PAGE.factors[0]))


def test_a_latent_has_a_cell_for_each_value() -> None:
    short = replace(LATENT, information=LATENT.information[1:])
    with pytest.raises(ValueError, match="information on 13 values; the page has 14"):
        replace(PAGE, latents=(short,))


def test_each_token_has_an_activation() -> None:
    prompt = replace(LATENT.prompts[0], activations=(1.0,))
    with pytest.raises(ValueError, match="tokens and 1 activations"):
        replace(PAGE, latents=(replace(LATENT, prompts=(prompt,)),))


def test_a_latent_is_assigned_to_values_of_the_page() -> None:
    stray = replace(LATENT, assigned_values=(ValueName("tense", "pluperfect"),))
    with pytest.raises(ValueError, match=r"pluperfect.*no value of the page's factors"):
        replace(PAGE, latents=(stray,))


def test_absorption_is_of_values_of_the_page() -> None:
    stray = replace(PAGE.absorption[0], child=ValueName("topic", "chess"))
    with pytest.raises(ValueError, match=r"chess.*no value of the page's factors"):
        replace(PAGE, absorption=(stray,))
