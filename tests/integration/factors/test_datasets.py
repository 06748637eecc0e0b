"""What every named factor dataset keeps to."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from csae_bench.factors import FactorDataset, FactorSplit, factor_names, get_factors

SPLITS: tuple[FactorSplit, ...] = ("train", "test")


@cache
def _made(name: str, split: FactorSplit = "test", seed: int = 0) -> FactorDataset:
    return get_factors(name).make(split, seed)


def _equal(one: FactorDataset, other: FactorDataset) -> bool:
    return (
        one.prompts == other.prompts
        and one.templates == other.templates
        and np.array_equal(one.factors, other.factors)
        and (one.acts is None or np.array_equal(one.acts, np.asarray(other.acts)))
    )


@pytest.mark.parametrize("name", factor_names())
def test_a_factor_dataset_is_registered_under_its_modules_name_with_a_summary(name: str) -> None:
    spec = get_factors(name)
    assert spec.name == name == _made(name).name
    assert 0 < len(spec.summary) <= 100


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", factor_names())
def test_each_split_has_enough_samples_that_are_all_different(
    name: str, split: FactorSplit
) -> None:
    made = _made(name, split)
    assert made.split == split
    assert made.n >= 2000
    assert made.n == len({*made.prompts}) or made.acts is not None


@pytest.mark.parametrize("name", factor_names())
def test_every_value_of_every_factor_occurs_at_least_fifty_times(name: str) -> None:
    made = _made(name)
    for factor, values, column in zip(made.names, made.value_names, made.factors.T, strict=True):
        assert np.bincount(column, minlength=len(values)).min() >= 50, factor


@pytest.mark.parametrize("name", factor_names())
def test_the_splits_share_no_sample_and_no_template(name: str) -> None:
    train, reserved = (_made(name, split) for split in SPLITS)
    assert not set(train.prompts) & set(reserved.prompts)
    if train.acts is None:
        assert not set(train.templates) & set(reserved.templates)
    else:
        assert not np.array_equal(train.acts, np.asarray(reserved.acts))


@pytest.mark.parametrize("name", factor_names())
def test_the_same_seed_gives_the_same_dataset_and_another_seed_another(name: str) -> None:
    again = get_factors(name).make("test", 0)
    assert _equal(_made(name), again)
    assert not _equal(_made(name), _made(name, "test", 1))


@pytest.mark.parametrize("name", [name for name in factor_names() if get_factors(name).has_prompts])
def test_factors_of_a_grid_are_independent_except_for_parents(name: str) -> None:
    made = _made(name)
    for one, other in combinations(range(made.n_factors), 2):
        names = {made.names[one], made.names[other]}
        counts = np.zeros((len(made.value_names[one]), len(made.value_names[other])))
        np.add.at(counts, (made.factors[:, one], made.factors[:, other]), 1)
        is_family = any(names == {child, parent} for child, parent in made.parents.items())
        assert (counts.min() == counts.max()) is not is_family, names


@pytest.mark.parametrize("name", factor_names())
def test_the_table_is_what_metrics_take(name: str) -> None:
    made = _made(name)
    assert made.table.names == made.names
    assert made.table.n == made.n


def test_making_the_grids_of_prompts_imports_no_torch() -> None:
    code = (
        "import sys\nfrom csae_bench.factors import open_factors\n"
        "open_factors('tinyworld')\nopen_factors('english')\n"
        "assert not {'torch', 'sae_lens', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
