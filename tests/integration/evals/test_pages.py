"""The pages that evals leave open in a browser, and have what was measured."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from sae_lens import TopKSAE, TopKSAEConfig

from csae_bench.engines.probing.browser.page import HTML
from csae_bench.evals import EvalResult
from tests.browser.fixtures import OpenPage
from tests.integration.evals.conftest import NAMES, RunEvals

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

pytestmark = pytest.mark.browser

PROBING = "factor_probing"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def results(run_evals: RunEvals, model: HookedTransformer, folder: Path) -> dict[str, EvalResult]:
    rows = [
        f"{opening} the {who} {verb} a {what}.,{opening},{who},{what}"
        for opening, who, verb, what in product(
            ("Today", "So"), ("king", "queen"), ("saw", "found"), ("comet", "medal", "racket")
        )
    ]
    (folder / "own.csv").write_text("\n".join(["text,template,who,what", *rows]) + "\n")
    torch.manual_seed(0)
    sae = TopKSAE(TopKSAEConfig(d_in=model.cfg.d_model, d_sae=64, k=8))
    return run_evals(
        sae, folder, model=model, names=(*NAMES, PROBING), factors=str(folder / "own.csv")
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_heat_map_opens(
    results: dict[str, EvalResult], folder: Path, open_page: OpenPage, name: str
) -> None:
    assert "heat_map.html" in results[name].unstructured["artifacts"]
    page = open_page(folder / name / "heat_map.html")
    assert page.errors() == []
    assert page.external_requests() == []
    assert page.overflow() == 0
    latents = page.texts(".heat-map thead th")
    assert page.texts("h2") == [f"latent {latent} to the map" for latent in latents]


def test_the_page_of_the_probing_eval_has_its_latents_and_values(
    results: dict[str, EvalResult], folder: Path, open_page: OpenPage
) -> None:
    assert results[PROBING].unstructured["artifacts"] == [HTML]
    page = open_page(folder / PROBING / HTML)
    assert page.errors() == []
    assert page.external_requests() == []
    n_values = sum(entry["n_values"] for entry in results[PROBING].details)
    assert len(page.texts("#values tbody tr:not(.group)")) == n_values
    page.click("#values tbody th a")
    assert len(page.texts("#detail h3")) >= 3
    page.click("#detail [data-latent]")
    assert page.text("#detail h2").startswith("latent ")
    assert page.texts("#detail .prompts li")
    assert page.errors() == []
