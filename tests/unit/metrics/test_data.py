"""Codes and factors from whatever people have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from csae_bench.errors import EXIT_USAGE
from csae_bench.metrics.data import Codes, Factors, MetricInputError

DENSE = np.array([[0.0, 1.5, 0.0], [2.0, 0.0, 0.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])


def with_explicit_zero() -> sparse.csr_array:
    rows, columns = np.nonzero(DENSE)
    values = np.append(DENSE[rows, columns], 0.0)
    return sparse.csr_array((values, (np.append(rows, 0), np.append(columns, 2))), shape=(4, 3))


@pytest.mark.parametrize(
    "codes",
    [
        DENSE,
        DENSE.astype(np.float32),
        DENSE.tolist(),
        sparse.csr_matrix(DENSE),
        sparse.csc_array(DENSE),
        sparse.coo_array(DENSE),
        with_explicit_zero(),
        torch.tensor(DENSE),
        torch.tensor(DENSE, dtype=torch.bfloat16, requires_grad=True),
        torch.tensor(DENSE).to_sparse(),
        torch.tensor(DENSE, dtype=torch.bfloat16).to_sparse(),
    ],
    ids=lambda codes: f"{type(codes).__module__}.{type(codes).__name__}",
)
def test_codes_are_the_same_from_dense_and_sparse(codes: object) -> None:
    made = Codes.of(codes)
    assert (made.n, made.d_sae) == (4, 3)
    assert np.array_equal(made.csc.toarray(), DENSE)
    assert np.array_equal(made.csr.toarray(), DENSE)
    assert made.csc.nnz == 4


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
def test_codes_can_be_a_torch_csr_tensor() -> None:
    assert np.array_equal(Codes.of(torch.tensor(DENSE).to_sparse_csr()).csc.toarray(), DENSE)


def test_a_users_own_matrix_is_not_written_to() -> None:
    rows, columns, values = [0, 0, 1], [1, 1, 0], [1.0, 2.0, 0.0]
    codes = sparse.coo_array((values, (rows, columns)), shape=(2, 2)).tocsc()
    codes_before = codes.copy()
    Codes.of(codes)
    assert np.array_equal(codes.data, codes_before.data)


def test_firing_rates_are_shares_of_the_samples() -> None:
    assert Codes.of(DENSE).firing_rates.tolist() == [0.5, 0.5, 0]


def test_scaling_keeps_every_digit_and_bounds_every_latent() -> None:
    codes = Codes.of(DENSE * [1e300, 1e-300, 1])
    back = np.ldexp(codes.scaled.toarray(), codes.exponents)
    assert np.array_equal(back, codes.csc.toarray())
    largest = np.abs(codes.scaled.toarray()).max(0)
    assert np.all((largest[:2] >= 0.5) & (largest[:2] < 1))


def test_a_latent_varies_if_it_takes_two_values() -> None:
    codes = np.array([[0, 3, 0.1, -1, -2], [0, 0, 0.1, 0, -3.0]])
    assert Codes.of(codes).varies.tolist() == [False, True, False, True, True]
    low, high = Codes.of(codes).extremes
    assert low.tolist() == [0, 0, 0.1, -1, -3]
    assert high.tolist() == [0, 3, 0.1, 0, -2]


def test_samples_and_latents_can_be_chosen_and_repeated() -> None:
    codes = Codes.of(DENSE)
    assert np.array_equal(codes.samples(np.array([3, 3, 0])).csc.toarray(), DENSE[[3, 3, 0]])
    assert np.array_equal(codes.samples(DENSE[:, 1] != 0).csc.toarray(), DENSE[[0, 2]])
    assert np.array_equal(codes.latents(np.array([1, 0])).csc.toarray(), DENSE[:, [1, 0]])


def test_once_makes_a_thing_once() -> None:
    codes = Codes.of(DENSE)
    assert codes.once(("it",), object) is codes.once(("it",), object)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        (np.zeros(3), r"shape \(3,\)"),
        (torch.zeros(2, 2, 2), r"shape \(2, 2, 2\)"),
        (np.array([[0, 0], [0, np.nan]]), "sample 1, latent 1 \\(nan\\)"),
        (
            np.array([[0, np.inf], [np.nan, 0]]),
            "2 values that are not finite, the first at sample 0",
        ),
        (sparse.csr_array(np.array([[0, np.nan]])), "sample 0, latent 1"),
        (torch.tensor([[0.0, torch.inf]]).to_sparse(), "sample 0, latent 1 \\(inf\\)"),
        (np.array([["a", "b"]]), "dtype <U1"),
        (np.array([[1j]]), "dtype complex128"),
        ([[1, 2], [3]], "no array of numbers"),
        (np.array([["a", None]], dtype=object), "no array of numbers"),
    ],
)
def test_malformed_codes_are_refused_with_the_place(codes: object, message: str) -> None:
    with pytest.raises(MetricInputError, match=message) as raised:
        Codes.of(codes)
    assert raised.value.exit_code == EXIT_USAGE


def test_labels_of_any_kind_are_numbered_in_order() -> None:
    factors = Factors.of({"tense": ["past", "now", "past"], "size": [10, 2, 2], "is": [True] * 3})
    assert factors.values.T.tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert factors.names == ("tense", "size", "is")
    assert factors.value_names == (("now", "past"), ("2", "10"), ("True",))
    assert factors.value_ptr.tolist() == [0, 2, 4, 5]
    assert factors.value_counts.tolist() == [1, 2, 2, 1, 3]
    assert factors.one_hot().tolist() == [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1], [0, 1, 1, 0, 1]]


def test_an_array_of_factors_is_named_by_number() -> None:
    assert Factors.of(np.array([[3, -1], [5, -1]])).names == ("factor_0", "factor_1")
    assert Factors.of([7, 7, 8]).values.tolist() == [[0], [0], [1]]
    assert Factors.of([[1], [2]], names=["size"]).names == ("size",)


def test_chosen_samples_keep_the_numbers_of_their_values() -> None:
    factors = Factors.of([4, 5, 6]).samples(np.array([2, 2]))
    assert factors.values.tolist() == [[2], [2]]
    assert factors.value_counts.tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({}, "no factors"),
        ({"a": []}, "no samples"),
        ({"a": [1, 2], "b": [1]}, "differ in length"),
        ({"a": [1.0, np.nan]}, "'a' has no label at sample 1"),
        ({"a": ["x", None]}, "'a' has no label at sample 1"),
        ({"a": ["", "x"]}, "'a' has no label at sample 0"),
        ({"a": np.zeros((2, 2))}, "one label a sample"),
        ({"a": np.array([1j, 2])}, "dtype complex128"),
        (np.zeros((2, 0)), r"shape \(2, 0\)"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        ([[1, 2], [3]], "no table"),
    ],
)
def test_malformed_factors_are_refused(factors: object, message: str) -> None:
    with pytest.raises(MetricInputError, match=message):
        Factors.of(factors)


@pytest.mark.parametrize(
    ("values", "names", "value_names", "message"),
    [
        ([[0], [-1]], ("a",), (("x", "y"),), "'a' has the value -1 at sample 1"),
        ([[0], [2]], ("a",), (("x", "y"),), "must be 0 to 1"),
        ([[0, 0]], ("a", "a"), (("x",), ("x",)), "two factors are named 'a'"),
        ([[0]], ("a",), (), "give one of each"),
        ([], ("a",), (("x",),), "at least one sample"),
    ],
)
@pytest.mark.usefixtures("unchecked_shapes")
def test_factors_that_do_not_fit_their_names_are_refused(
    values: list[list[int]],
    names: tuple[str, ...],
    value_names: tuple[tuple[str, ...]],
    message: str,
) -> None:
    with pytest.raises(MetricInputError, match=message):
        Factors(np.array(values, dtype=np.int64), names, value_names)


def test_names_must_fit_the_columns() -> None:
    with pytest.raises(MetricInputError, match="for 2 factors"):
        Factors.of(np.zeros((3, 2)), names=["a"])


def test_half_precision_codes_are_read_without_loss() -> None:
    dense = np.array([[0, 0.1], [65504, 0]], np.float16)
    assert np.array_equal(Codes.of(dense).csc.toarray(), dense.astype(np.float64))
