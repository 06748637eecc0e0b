"""docs/cost.md is what the command writes, and its replays hold together."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import cost_of_a_thousand as page

ROOT = Path(page.__file__).parents[1]


@pytest.fixture(scope="module")
def scenarios() -> list[page.Scenario]:
    return page.page_values()["scenarios"]


def test_page_is_what_the_command_writes(tmp_path: Path) -> None:
    done = CliRunner().invoke(page.main, ["--to", str(tmp_path / "cost.md")])
    assert done.exit_code == 0, done.output
    written = (tmp_path / "cost.md").read_text()
    assert written == (ROOT / "docs" / "cost.md").read_text()


def test_replays_end_within_the_bounds(scenarios: list[page.Scenario]) -> None:
    for row in (row for scenario in scenarios for row in scenario.rows):
        assert row.estimate.at_least <= row.fast.seconds * (1 + 1e-9)
        assert row.fast.seconds <= row.estimate.at_most * (1 + 1e-9)
        assert row.fast.seconds <= row.slow.seconds


def test_more_cards_end_earlier_and_work_no_less(scenarios: list[page.Scenario]) -> None:
    for scenario in scenarios:
        ends = [row.fast.seconds for row in scenario.rows]
        work = [sum(row.fast.busy) for row in scenario.rows]
        assert ends == sorted(ends, reverse=True)
        assert work == sorted(work)


def test_rounds_are_near_the_replay(scenarios: list[page.Scenario]) -> None:
    # what SAEs that differ add to the last round
    off = [row.rounds_off for scenario in scenarios for row in scenario.rows]
    assert all(-0.15 < one <= 0.05 for one in off), off


def test_assumption_can_be_changed() -> None:
    fewer = page.page_values(("n_saes=100",))["scenarios"][0].rows[0]
    assert fewer.fast.seconds < 0.2 * page.page_values()["scenarios"][0].rows[0].fast.seconds
    done = CliRunner().invoke(page.main, ["--set", "n_sae=1"])
    assert done.exit_code == 2
    assert "Unknown assumption 'n_sae'" in done.output
