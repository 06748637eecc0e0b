"""csae_bench/comparison/outputs/gaps.py."""

from __future__ import annotations

from csae_bench.comparison.model import Family
from csae_bench.comparison.outputs.gaps import gaps
from tests.unit.comparison.outputs import reports


def _family(n: int) -> Family:
    return Family(reports.RELEASE, f"sae_{n}")


def test_results_that_others_have_are_missing() -> None:
    core_alone = [r for r in reports.readings(_family(1), seeds=(0,)) if r.eval_name == "core"]
    report = reports.report(reports.results(reports.readings(_family(0), seeds=(0,)), core_alone))
    (gap,) = gaps(report, [])
    assert (gap.status, gap.eval_name, gap.who) == ("missing", "mig", "sae_1")


def test_many_saes_are_counted() -> None:
    lacking = [r for n in range(1, 9) for r in reports.readings(_family(n), seeds=(0,))
               if r.eval_name == "core"]  # fmt: skip
    report = reports.report(reports.results(reports.readings(_family(0), seeds=(0,)), lacking))
    assert [gap.who for gap in gaps(report, [])] == ["8 SAEs"]


def test_a_skipped_eval_is_not_missing() -> None:
    core_alone = [r for r in reports.readings(_family(1), seeds=(0,)) if r.eval_name == "core"]
    run = reports.run(_family(1), cells={"core": "ok", "mig": "skipped"})
    report = reports.report(
        reports.results(reports.readings(_family(0), seeds=(0,)), core_alone, runs=[run])
    )
    (gap,) = gaps(report, [])
    assert (gap.status, gap.eval_name, gap.sae_ids) == ("skipped", "mig", ("sae_1",))


def test_what_a_failed_run_lacks_is_said_with_the_run() -> None:
    run = reports.run(_family(1), status="failed", problems=("out of memory",))
    report = reports.report(reports.results(reports.readings(_family(0), seeds=(0,)), runs=[run]))
    assert gaps(report, []) == ()
