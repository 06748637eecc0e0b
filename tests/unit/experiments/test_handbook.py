"""experiments/handbook: docs/evals.md and its table of controls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from csae_bench.evals.pages import PAGES
from experiments.handbook.__main__ import main
from experiments.handbook.controls import World, verdicts
from experiments.handbook.pages import pages

ROOT = Path(__file__).parents[3]
WORLD = World("a world", "oracle", "random")


def line(sae: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        "sae": sae, "eval": "mig", "status": "ok", "why": "", "score": "MIG", "value": value,
        "sd": 0.01, "n": 4, "interval": None, "better": "higher", **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("oracle", "random", "more", "verdict"),
    [
        (0.5, 0.1, {}, "yes"),
        (0.1, 0.5, {}, "no: random is better"),
        (0.1, 0.5, {"better": "lower"}, "yes"),
        (0.101, 0.1, {}, "no: within its noise"),
        (0.12, 0.1, {}, "yes"),
        (0.12, 0.1, {"interval": (0.0, 0.3)}, "no: within its noise"),
        (0.12, 0.1, {"sd": 0.0, "n": 1}, "yes"),
        (None, 0.1, {"why": "No latent fires."}, "no: No latent fires."),
    ],
)
def test_what_tells_the_two_apart(
    oracle: float | None, random: float, more: dict[str, Any], verdict: str
) -> None:
    of_lines = [line("oracle", oracle, **more), line("random", random, **more)]
    told = verdicts("mig", of_lines, WORLD)
    assert told is not None
    assert told.verdict == verdict


def test_an_eval_that_was_skipped_says_why() -> None:
    skipped = {"sae": "random", "eval": "mig", "status": "skipped", "why": "There is no data."}
    of_lines = [line("oracle", 0.5), skipped]
    said = verdicts("mig", of_lines, WORLD)
    assert said is not None
    assert (said.random, said.verdict) == ("skipped", "no: There is no data.")
    assert verdicts("core", of_lines, WORLD) is None


def test_every_eval_has_a_page_with_scores_settings_and_presets() -> None:
    by_name = {page.name: page for page in pages()}
    assert set(by_name) == PAGES.shipped
    for page in by_name.values():
        assert page.rows
        assert page.settings
        assert page.presets
        assert all(setting.about for setting in page.settings)


def test_the_shipped_page_is_what_the_evals_say(tmp_path: Path) -> None:
    to = tmp_path / "evals.md"
    assert CliRunner().invoke(main, ["report", "--to", str(to)]).exit_code == 0
    shipped = (ROOT / "docs" / "evals.md").read_text(encoding="utf-8")
    assert to.read_text(encoding="utf-8") == shipped, "run `make handbook`"
