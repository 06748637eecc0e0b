"""csae_bench/comparison/yardsticks.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from csae_bench.comparison.model import Condition, Family, Reading
from csae_bench.comparison.yardsticks import (
    Row,
    Table,
    Yardstick,
    of_dataset_alone,
    shipped,
    yardsticks_of,
)

METRIC = "mig.value_mig"
CONDITIONS: dict[str, Condition] = {
    "model": "tiny-gemma2-it",
    "hook_name": "blocks.2.hook_resid_post",
    "dtype": "float32",
    "dataset": "tinyworld",
    "split": "test",
    "pooling": "last",
    "data.fingerprint": "72906e2af6499e00",
    "data.n": 2592,
    "metric_definition.mig": '{"n_bins": 20}',
    "metric_definition.value_mig": '{"n_quantiles": 4}',
}
READING = Reading(
    path=Path("mig_eval_results.json"),
    eval_name="mig",
    family=Family("tiny-gemma2-it_layer_2_sae", "custom_sae"),
    sae_id="custom_sae",
    seed=0,
    values={METRIC: 0.34, "mig.mig": 0.05},
    conditions=CONDITIONS,
    model_fingerprint="3bc8",
)
PCA = Row(
    label="PCA",
    eval_name="mig",
    model_fingerprint="3bc8",
    conditions=CONDITIONS,
    values={METRIC: 0.05},
)
WORDS = Row(
    label="every word",
    eval_name="mig",
    model_fingerprint=None,
    conditions=of_dataset_alone(CONDITIONS),
    values={METRIC: 0.19},
)
TABLE = Table(made_with={}, rows=(WORDS, PCA))
BOTH = [Yardstick("every word", 0.19), Yardstick("PCA", 0.05)]


def _under(**conditions: Condition) -> Reading:
    named = {name.replace("__", "."): value for name, value in conditions.items()}
    return replace(READING, conditions={**CONDITIONS, **named})


def test_the_same_conditions_have_both_kinds_in_the_tables_order() -> None:
    assert yardsticks_of(READING, METRIC, TABLE) == BOTH


def test_a_metric_without_a_yardstick_has_none() -> None:
    assert yardsticks_of(READING, "mig.mig", TABLE) == []


@pytest.mark.parametrize(
    "conditions",
    [
        {"pooling": "mean"},
        {"split": "train"},
        {"data__fingerprint": "another"},
        {"metric_definition__value_mig": '{"n_quantiles": 8}'},
        {"shuffled": True},
    ],
)
def test_another_unit_dataset_definition_or_control_has_none(
    conditions: dict[str, Condition],
) -> None:
    assert yardsticks_of(_under(**conditions), METRIC, TABLE) == []


def test_another_metrics_definition_does_not_matter() -> None:
    other = _under(metric_definition__mig='{"n_bins": 5}')
    assert yardsticks_of(other, METRIC, TABLE) == BOTH


@pytest.mark.parametrize(
    "reading",
    [
        _under(model="gpt2"),
        _under(hook_name="blocks.1.hook_resid_post"),
        _under(dtype="bfloat16"),
        replace(READING, model_fingerprint="another"),
        replace(READING, model_fingerprint=None),
    ],
)
def test_another_model_or_hook_has_those_of_the_dataset_alone(reading: Reading) -> None:
    assert yardsticks_of(reading, METRIC, TABLE) == BOTH[:1]


def test_the_shipped_table_has_yardsticks_of_every_default_eval() -> None:
    rows = shipped().rows
    assert {row.eval_name for row in rows} == set(shipped().made_with["evals"])
    assert all(row.values for row in rows)
    assert {row.label for row in rows if row.eval_name == "mig"} == {
        "every word",
        "oracle and every word",
        "PCA",
        "random decoder",
        "raw activations",
    }
