"""All metrics side by side, and the JSON they are printed as."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.importance_nulls import importance_nulls
from csae_bench.metrics.summary import METRICS, Summary, all_metrics
from csae_bench.metrics.table import print_summary
from tests.unit.metrics.code_worlds import one_hot, random, scalar

NAMES = [
    "mig", "value_mig", "mig_sup", "factor_vae", "factor_vae_population", "dci_disentanglement",
    "dci_completeness", "sap", "modularity", "explicitness",
]  # fmt: skip


def shown(summary: Summary) -> str:
    text = io.StringIO()
    print_summary(summary, dict.fromkeys(METRICS, ""), Console(file=text, width=100))
    return text.getvalue()


def test_the_json_has_these_names_and_no_others() -> None:
    as_json = all_metrics(*scalar(), n_permutations=5).to_json()
    assert list(as_json) == ["metrics", "factors", "settings", "reasons"]
    assert list(as_json["metrics"]) == NAMES == list(METRICS)
    assert list(as_json["factors"]) == ["factor_0", "factor_1", "factor_2"]
    assert set(NAMES) <= set(as_json["factors"]["factor_0"])
    assert set(NAMES) <= set(as_json["settings"])
    assert as_json["reasons"] == {}
    json.dumps(as_json, allow_nan=False)


def test_one_latent_a_factor_is_at_the_top_of_all_but_explicitness() -> None:
    as_json = all_metrics(*scalar(), n_permutations=20).to_json()["metrics"]
    explicit = as_json.pop("explicitness")
    assert as_json.pop("sap") == pytest.approx(0.75)
    assert list(as_json.values()) == pytest.approx([1] * 8, abs=0.01)
    # values 1 and 2 lie between others, and no threshold tells them apart
    assert 0.6 < explicit < 0.9


@pytest.mark.parametrize("seed", range(2))
def test_an_oracle_sae_is_at_the_top_of_those_that_can_see_it(seed: int) -> None:
    as_json = all_metrics(*one_hot(seed), n_permutations=20, seed=seed).to_json()["metrics"]
    for name in ("value_mig", "factor_vae_population", "modularity", "explicitness"):
        assert as_json[name] > 0.98
    for name in ("mig", "sap"):
        assert as_json[name] < 0.1


@pytest.mark.parametrize("seed", range(2))
def test_random_codes_are_inside_the_nulls(seed: int) -> None:
    summary = all_metrics(*random(seed), n_permutations=40, seed=seed)
    nulls = [null.score for null in summary.nulls.values()]
    assert len(nulls) == 8
    assert all(null is not None for null in nulls)
    # the smallest p of 8, each of which is at most .025 in 1 of 40 draws
    assert min(null.p for null in nulls if null) > 0.025
    assert summary.scores["factor_vae_population"].value == pytest.approx(0, abs=0.34)


def test_nulls_of_related_codes_are_far_below_their_scores() -> None:
    codes, factors = one_hot(0)
    nulls = importance_nulls(codes, factors, n_permutations=20)
    disentanglement, sap = nulls["dci_disentanglement"].score, nulls["sap"].score
    assert disentanglement is not None
    assert sap is not None
    assert disentanglement.p == pytest.approx(1 / 21)
    assert disentanglement.adjusted > 0.4
    assert nulls["modularity"].by_factor["factor_0"] is not None
    assert sap.mean < 0.05


def test_what_is_undefined_is_null_with_a_reason() -> None:
    codes, factors = scalar()
    as_json = all_metrics(codes * 0, factors, n_permutations=2).to_json()
    assert as_json["metrics"] == dict.fromkeys(NAMES)
    assert list(as_json["reasons"]) == NAMES
    assert all(as_json["reasons"].values())
    assert json.loads(json.dumps(as_json, allow_nan=False)) == as_json


def test_one_sample_has_no_scores_and_no_error() -> None:
    as_json = all_metrics([[1.0, 0.0]], [["a"]], n_permutations=2).to_json()
    assert as_json["metrics"] == dict.fromkeys(NAMES)


def test_a_factor_without_a_value_has_its_reason_by_name() -> None:
    codes, factors = scalar()
    table = {"colour": factors[:, 0], "shape": factors[:, 1], "same": np.zeros(len(codes))}
    as_json = all_metrics(codes, table, n_permutations=2).to_json()
    assert as_json["factors"]["same"]["value_mig"] is None
    assert as_json["factors"]["same"]["mig_p"] is None
    assert "one value" in as_json["reasons"]["value_mig.same"]
    assert "value_mig" not in as_json["reasons"]


def test_the_same_seed_gives_the_same_numbers() -> None:
    first, second = (all_metrics(*random(0), n_permutations=3, seed=7) for _ in range(2))
    assert first.to_json() == second.to_json()


def test_the_table_shows_every_metric_every_factor_and_every_reason() -> None:
    codes, factors = scalar()
    table = {f"[factor] {k}": factors[:, k % 3] for k in range(12)}
    text = shown(all_metrics(codes, table, n_permutations=2))
    assert all(name in text for name in NAMES)
    assert all(str(k) in text for k in range(12))
    assert "[factor]" in text
    assert "undefined: no latent varies" in " ".join(
        shown(all_metrics(codes * 0, factors, n_permutations=2)).split()
    )


def test_a_setting_out_of_range_is_an_error() -> None:
    with pytest.raises(MetricInputError, match="n_permutations is 0"):
        all_metrics(*scalar(), n_permutations=0)
