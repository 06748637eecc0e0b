"""The shipped yardsticks belong to today's defaults, and come out again."""

from __future__ import annotations

import pytest

from csae_bench.comparison.yardsticks import shipped
from csae_bench.runs.job import EvalJob
from csae_bench.runs.plan import plan
from csae_bench.runs.request import RunRequest
from csae_bench.yardsticks.making import default_conditions, floors, made_with

RENEW = "the shipped yardsticks are of other defaults: run `make yardsticks` and commit the file"


def test_the_shipped_yardsticks_are_of_todays_defaults() -> None:
    assert shipped().made_with == made_with(), RENEW


def test_what_make_run_evaluates_is_what_they_were_measured_on() -> None:
    (sae,) = plan([RunRequest(source="custom_sae")]).saes
    jobs = {job.eval_name: default_conditions(job) for job in sae.evals if isinstance(job, EvalJob)}
    assert jobs == shipped().made_with["evals"], RENEW


def test_a_shipped_row_comes_out_again() -> None:
    again = next(floors(["tinyworld"], ["mig"]))
    (row,) = [row for row in shipped().rows if row.conditions == again.conditions
              and (row.label, row.eval_name) == (again.label, again.eval_name)]  # fmt: skip
    # rounded to four decimals; its last one may differ between machines
    assert again.values == pytest.approx(row.values, abs=2e-4), RENEW
