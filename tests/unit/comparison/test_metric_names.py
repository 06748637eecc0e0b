"""csae_bench/comparison/metric_names.py."""

from __future__ import annotations

import pytest

from csae_bench.comparison.metric_names import NamedValue, all_names, resolve
from csae_bench.comparison.metrics import MetricSpec
from csae_bench.errors import UsageError
from csae_bench.evals import EvalSpec
from csae_bench.support.old_names import OLD_METRICS, OldNameWarning


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("mig.value_mig", "mig.value_mig"),
        ("value_mig", "mig.value_mig"),
        ("mig.mig", "mig.mig"),
        ("mig.chance.value_mig_p", "mig.chance.value_mig_p"),
        ("mig.eval_result_metrics.scores.value_mig", "mig.value_mig"),
        ("core.reconstruction_quality.mse", "core.mse"),
        ("corrected.frac_alive", "core.corrected.frac_alive"),
        ("core.eval_result_unstructured.corrected.mse", "core.corrected.mse"),
    ],
)
def test_a_value_is_named_as_in_a_comparison_or_by_its_place_or_bare(given: str, name: str) -> None:
    named = resolve(given)
    assert isinstance(named, NamedValue)
    assert named.name == name


def test_every_name_is_that_of_one_thing() -> None:
    names = all_names()
    assert len(names) == len(set(names)) > 300
    for name in names:
        named = resolve(name)
        assert isinstance(named, EvalSpec | NamedValue)
        assert named.name == name


def test_an_eval_goes_before_a_metric_of_its_name() -> None:
    assert isinstance(resolve("mig"), EvalSpec)


def test_a_metric_that_others_publish_is_known_too() -> None:
    named = resolve("absorption.mean_absorption_score")
    assert isinstance(named, MetricSpec)
    assert named.title == "Absorption"
    assert isinstance(resolve("scr.scr_metric_threshold_3"), MetricSpec)


def test_an_old_name_is_that_of_the_new_metric() -> None:
    for old, new in OLD_METRICS.items():
        with pytest.warns(OldNameWarning, match=new):
            named = resolve(f"factor_probing.{old}")
        assert isinstance(named, NamedValue)
        assert named.key == new


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("value_mgi", "Unknown metric or eval 'value_mgi'. Did you mean 'value_mig'?"),
        ("mgi", "Did you mean 'mig'?"),
        ("mig.value_mgi", "The eval 'mig' has no metric 'value_mgi'. Did you mean 'value_mig'?"),
        ("mgi.value_mig", "Did you mean 'mig.value_mig'?"),
        ("explained_variance", "core.explained_variance, synth_sae_bench.explained_variance"),
        ("mdl", "The eval 'mdl' is not offered"),
        ("zzz", "Unknown metric or eval 'zzz'. `csae-bench list metrics`"),
    ],
)
def test_a_name_of_nothing_or_of_several_is_an_error_that_helps(given: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        resolve(given)
    assert said in str(raised.value)
