from collections import Counter

import numpy as np
import pytest

from csae_bench.tinyworld import FACTORS, factor_grid, paraphrases
from csae_bench.tinyworld.grammar import RESERVED_TEMPLATES, TRAIN_TEMPLATES


@pytest.fixture(scope="module")
def grid():
    return factor_grid()


def test_the_grid_has_at_least_two_thousand_prompts_on_reserved_templates(grid):
    assert len(grid.prompts) >= 2000
    assert set(grid.templates) == set(RESERVED_TEMPLATES)


def test_the_grid_holds_every_combination_equally_often(grid):
    counts = Counter(map(tuple, grid.factors.tolist()))
    assert set(counts.values()) == {3}
    assert len(counts) == 864


def test_a_combination_never_meets_the_same_template_twice(grid):
    met = list(zip(map(tuple, grid.factors.tolist()), grid.templates, strict=True))
    assert len(set(met)) == len(met)


def test_the_grids_prompts_are_all_different(grid):
    assert len({p.text for p in grid.prompts}) == len(grid.prompts)


def test_every_template_is_used_equally_often(grid):
    assert set(Counter(grid.templates).values()) == {len(grid.prompts) // 6}


def test_the_factor_table_has_names_for_its_columns_and_values(grid):
    assert grid.names == tuple(FACTORS)
    assert grid.factors.dtype == np.int64
    assert grid.factors.shape == (len(grid.prompts), len(grid.names))
    assert [len(v) for v in grid.value_names] == [c.max() + 1 for c in grid.factors.T]


def test_the_child_factor_lies_in_its_parent(grid):
    topic, domain = (grid.factors[:, grid.names.index(n)] for n in ("topic", "domain"))
    assert grid.parents == {"topic": "domain"}
    assert (topic // 3 == domain).all()


def test_the_grid_is_the_same_each_time_and_another_for_another_seed(grid):
    assert factor_grid().prompts == grid.prompts
    assert factor_grid(seed=1).prompts != grid.prompts


def test_the_training_grid_uses_training_templates():
    assert set(factor_grid("train", repeats=1).templates) == set(TRAIN_TEMPLATES)


def test_more_repeats_than_templates_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="repeats is 7; it must be 1 to 6"):
        factor_grid(repeats=7)


def test_every_prompt_has_a_follow_up_for_every_factor(grid):
    for prompt in grid.prompts[::100]:
        for name, value in zip(grid.names, prompt.values, strict=True):
            assert prompt.follow_ups[name].answer == value
            assert prompt.later_prompt(name).startswith(prompt.text)


def test_a_combination_has_at_least_eight_paraphrases():
    (group,) = paraphrases(1, group_size=12)
    assert len(set(group)) == 12


def test_paraphrases_resume_anywhere():
    assert list(paraphrases(5, seed=3))[2:] == list(paraphrases(3, seed=3, start=2))
