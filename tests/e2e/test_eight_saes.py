"""A sweep of 2 x 2 x 2 in one command: each SAE as in a run of its own, then verdicts (slow)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.comparing import assert_equal_results, results_of, weights_of
from tests.e2e.conftest import CUSTOM, CsaeBench

GRID = "sae.k: [12, 18]\nsae.losses.rows.weight: [0, 0.2]\nseed: [0, 1]\n"
EVALS = ("--evals", "core,mig,feature_correlation", "--set", "evals.mig.n_permutations=5",
         "--set", "evals.feature_correlation.n_permutations=5")  # fmt: skip


@pytest.mark.slow
def test_eight_saes_have_the_results_of_single_runs_and_compare_gives_verdicts(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    sweep = tmp_path / "grid.yaml"
    sweep.write_text(GRID)
    local, processes, alone = (tmp_path / name for name in ("local", "processes", "alone"))
    for results, flags in (
        (local, ()),
        (processes, ("--executor", "processes", "--workers", "2")),
    ):
        outcome = csae_bench("run", *CUSTOM, *EVALS, "--sweep", sweep, "--results", results, *flags)
        assert outcome.exit_code == 0, outcome.stderr
    assert_equal_results(local, processes, n=24)

    outcome = csae_bench(
        "run", *CUSTOM, *EVALS, "--set", "sae.k=18", "--set", "sae.losses.rows.weight=0.2",
        "--seed", "1", "--results", alone,
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    single = results_of(alone)
    assert len(single) == 3
    assert {name: results_of(local)[name] for name in single} == single
    ((checkpoint, weights),) = weights_of(alone)
    beside = dict(weights_of(local))[checkpoint]
    assert all((weights[key] == beside[key]).all() for key in weights)

    compared = csae_bench("compare", local, "--json")
    assert compared.exit_code == 0, compared.stderr
    comparisons = json.loads(compared.stdout)["comparisons"]
    defined = [one for one in comparisons if one["verdict"] != "missing"]
    assert {one["n_pairs"] for one in defined} == {2}, "the seeds are pairs"
    assert {"better", "worse"} <= {one["verdict"] for one in defined}
