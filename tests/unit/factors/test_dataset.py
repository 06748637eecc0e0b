from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from csae_bench.errors import DataError
from csae_bench.factors import FactorDataset, Readout

SAYS = Readout(stems=("It is",) * 4, words=((" one", " two"),) * 4)


def _dataset(**changes: Any) -> FactorDataset:
    fields: dict[str, Any] = {
        "name": "pets",
        "prompts": ("a cat", "a dog", "two cats", "two dogs"),
        "factors": np.array([[0, 0], [1, 0], [0, 1], [1, 1]]),
        "names": ("species", "number"),
        "value_names": (("cat", "dog"), ("singular", "plural")),
        "templates": ("a",) * 4,
        "split": "all",
    }
    return FactorDataset(**{**fields, **changes})


def test_a_column_is_found_by_its_factors_name() -> None:
    assert _dataset().column("number").tolist() == [0, 0, 1, 1]
    assert _dataset().has_value("species", "dog").tolist() == [False, True, False, True]


def test_an_unknown_factor_or_value_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match=r"no factor 'specie'\. Did you mean 'species'"):
        _dataset().column("specie")
    with pytest.raises(DataError, match=r"'species' has no value 'cats'\. Did you mean 'cat'"):
        _dataset().has_value("species", "cats")


def test_shuffling_gives_samples_the_rows_of_others() -> None:
    many = _dataset(
        prompts=tuple(f"prompt {n}" for n in range(40)),
        factors=np.arange(40)[:, None] % 2 * [1, 1],
        templates=("a",) * 40,
    )
    result = many.shuffled(seed=3)
    assert result.prompts == many.prompts
    assert not np.array_equal(result.factors, many.factors)
    assert np.array_equal(np.sort(result.factors, 0), np.sort(many.factors, 0))
    assert (result.factors[:, 0] == result.factors[:, 1]).all()
    assert np.array_equal(result.factors, many.shuffled(seed=3).factors)


def test_a_fingerprint_is_of_the_samples_and_not_of_their_name() -> None:
    assert _dataset().fingerprint == _dataset(name="animals").fingerprint
    assert len(_dataset().fingerprint) == 16


@pytest.mark.parametrize(
    "changes",
    [
        {"prompts": ("a cat", "a dog", "two cats", "three dogs")},
        {"factors": np.array([[0, 0], [1, 0], [0, 1], [1, 0]])},
        {"names": ("kind", "number")},
        {"value_names": (("cat", "cow"), ("singular", "plural"))},
        {"templates": ("a", "a", "a", "b")},
        {"marks": (0, 0, 0, 1)},
    ],
)
def test_other_samples_have_another_fingerprint(changes: dict[str, Any]) -> None:
    assert _dataset(**changes).fingerprint != _dataset().fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": ()}, "either prompts or activations"),
        ({"acts": np.zeros((4, 2))}, "either prompts or activations"),
        ({"prompts": (), "acts": np.zeros((0, 2))}, "no samples"),
        ({"templates": ("a",)}, "templates has 1 rows for 4 samples"),
        ({"factors": np.zeros((3, 2), int)}, "factors has 3 rows for 4 samples"),
        ({"factors": np.zeros((4, 3), int)}, r"shape \[4, 3\] for 2 names"),
        ({"factors": np.full((4, 2), 2)}, "'species' has the value 2; it must be 0 to 1"),
        ({"factors": np.full((4, 2), -1)}, "'species' has the value -1"),
        ({"value_names": (("cat", "dog"),)}, "1 entries for 2 factors"),
        ({"value_names": (("cat", "cat"), ("a", "b"))}, "two values of 'species' have one name"),
        ({"names": ("number", "number")}, "two factors have one name"),
        ({"pooling": "median"}, "it must be one of mean, max, last, marked"),
        ({"pooling": "marked"}, "no prompt has a mark"),
        ({"marks": (0, 0, 0)}, "marks has 3 rows"),
        ({"marks": (0, 5, 0, 0)}, "the mark of prompt 1 is 5; it must be 0 to 4"),
        ({"parents": {"species": "kingdom"}}, "parents names 'kingdom'"),
        ({"parents": {"species": "number"}}, "occurs with several values of its parent"),
        ({"readouts": {"size": SAYS}}, "readouts names 'size'"),
        (
            {"readouts": {"number": replace(SAYS, stems=("It is",))}},
            "'number' has 1 stems for 4 prompts",
        ),
        (
            {"readouts": {"number": replace(SAYS, words=((" one", " two"),) * 3 + ((" one",),))}},
            r"'number' has the words \[' one'\] in prompt 3; it must have another",
        ),
        (
            {"readouts": {"number": replace(SAYS, words=((" one", " one"),) * 4)}},
            r"'number' has the words \[' one', ' one'\] in prompt 0",
        ),
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_a_malformed_dataset_is_an_error_that_says_so(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=f"factor dataset 'pets': .*{message}"):
        _dataset(**changes)


def test_a_child_may_be_silent_where_its_parent_is_active() -> None:
    factors = np.array([[0, 0], [0, 1], [1, 1], [0, 0]])
    made = _dataset(factors=factors, parents={"species": "number"})
    assert made.parents == {"species": "number"}


def test_a_readout_names_the_word_of_each_value() -> None:
    made = _dataset(readouts={"number": SAYS})
    assert made.readouts["number"].words[2][made.column("number")[2]] == " two"
