"""Inputs of every metric: codes of an SAE, dense or sparse, and labelled factors, both checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy import sparse
from typing_extensions import override

from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.labels import labels_of, number

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Codes:
    """Feature activations float64 [n, d_sae], stored sparse; zero means that a latent is silent.

    `Codes.of` makes them from arrays and checks them; nothing else needs to.
    """

    csc: Any
    """scipy csc_array float64 [n, d_sae] without explicit zeros, indices sorted."""

    @classmethod
    def of(cls, codes: Any) -> Codes:
        """Codes from a numpy array, a scipy sparse matrix or a torch tensor, dense or sparse.

        Raises:
            MetricInputError: not numbers, not 2-D, no sample, no latent, NaN or infinite.
        """
        if isinstance(codes, Codes):
            return codes
        if type(codes).__module__.split(".")[0] == "torch":
            codes = _from_torch(codes)
        if not sparse.issparse(codes):
            codes = _array(codes, "codes")
        if codes.ndim != 2 or 0 in codes.shape:
            raise MetricInputError(
                f"codes have the shape {tuple(codes.shape)}; they must be [n, d_sae] with at "
                "least one sample and one latent."
            )
        if codes.dtype.kind not in "biuf":
            raise MetricInputError(f"codes are of dtype {codes.dtype}; they must be real numbers.")
        if codes.dtype == np.float16:  # scipy has no sparse arrays of it
            codes = codes.astype(np.float32)
        csc = sparse.csc_array(codes, copy=sparse.issparse(codes))
        with np.errstate(over="ignore"):
            csc.data = csc.data.astype(np.float64)
            csc.sum_duplicates()
        _check_finite(csc)
        csc.eliminate_zeros()
        csc.sort_indices()
        return cls(csc)

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.csc.shape[0])

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return int(self.csc.shape[1])

    @cached_property
    def csr(self) -> Any:
        """The same as a scipy csr_array, by sample."""
        return self.csc.tocsr()

    @cached_property
    def extremes(self) -> tuple[Float[NDArray[Any], " d_sae"], Float[NDArray[Any], " d_sae"]]:
        """Each latent's smallest and largest code, zeros counted where there are any."""
        counts = np.diff(self.csc.indptr)
        fired = np.flatnonzero(counts)
        low, high = np.zeros(self.d_sae), np.zeros(self.d_sae)
        if len(fired):
            low[fired] = np.minimum.reduceat(self.csc.data, self.csc.indptr[fired])
            high[fired] = np.maximum.reduceat(self.csc.data, self.csc.indptr[fired])
        never_0 = counts == self.n
        return np.where(never_0, low, low.clip(max=0)), np.where(never_0, high, high.clip(min=0))

    @property
    def varies(self) -> Bool[NDArray[Any], " d_sae"]:
        """Whether a latent takes more than one value."""
        low, high = self.extremes
        return low < high

    @property
    def largest(self) -> Float[NDArray[Any], " d_sae"]:
        """Each latent's largest magnitude; 0 for one that never fires."""
        low, high = self.extremes
        return np.maximum(-low, high)

    @cached_property
    def exponents(self) -> Int[NDArray[Any], " d_sae"]:
        """Binary exponent of each latent's largest magnitude, in [.5, 1) times 2**exponent."""
        return np.frexp(self.largest)[1]

    @cached_property
    def scaled(self) -> Any:
        """csc_array with each latent divided by two to the power of its exponent.

        Squares of codes of any magnitude stay finite, and no digit is lost: the metrics ignore
        the scale of a latent.
        """
        per_entry = np.repeat(self.exponents, np.diff(self.csc.indptr))
        data = np.ldexp(self.csc.data, -per_entry)
        return sparse.csc_array((data, self.csc.indices, self.csc.indptr), shape=self.csc.shape)

    @cached_property
    def firing_rates(self) -> Float[NDArray[Any], " d_sae"]:
        """Share of the samples on which each latent is not zero."""
        return np.diff(self.csc.indptr) / self.n

    def once(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        """Return `make()`, computed on first use: several metrics share the bins."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @cached_property
    def _made(self) -> dict[tuple[Any, ...], Any]:
        return {}

    def samples(self, index: NDArray[Any]) -> Codes:
        """Select samples by index (repeats allowed) or mask."""
        chosen = self.csr[_rows(index, self.n)].tocsc()
        chosen.sort_indices()
        return Codes(chosen)

    def latents(self, index: NDArray[Any]) -> Codes:
        """Select latents by index or mask."""
        index = np.asarray(index)
        if (len(index) if index.dtype != np.bool_ else index.sum()) == 0:
            raise MetricInputError("no latent is chosen; choose at least one.")
        return Codes(self.csc[:, index])


@dataclass(frozen=True, eq=False)
class Factors:
    """Labelled ground truth: for each sample a value of each factor.

    Raises:
        MetricInputError: not 2-D, empty, a negative or nameless value, a repeated name.
    """

    values: Int[NDArray[Any], "n n_factors"]
    """int64, indices into `value_names`."""
    names: tuple[str, ...]
    value_names: tuple[tuple[str, ...], ...]
    """Names of each factor's values; a value need not occur."""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or 0 in self.values.shape:
            raise MetricInputError(
                f"factors have the shape {self.values.shape}; they must be [n, n_factors] with at "
                "least one sample and one factor."
            )
        if not len(self.names) == len(self.value_names) == self.values.shape[1]:
            raise MetricInputError(
                f"there are {self.values.shape[1]} factors, {len(self.names)} names and value "
                f"names for {len(self.value_names)}; give one of each for every factor."
            )
        repeated = [name for name in self.names if self.names.count(name) > 1]
        if repeated:
            raise MetricInputError(
                f"two factors are named '{repeated[0]}'; give each a name of its own."
            )
        for name, column, value_names in zip(
            self.names, self.values.T, self.value_names, strict=True
        ):
            outside = np.flatnonzero((column < 0) | (column >= len(value_names)))
            if len(outside):
                raise MetricInputError(
                    f"factor '{name}' has the value {column[outside[0]]} at sample {outside[0]}; "
                    f"values must be 0 to {len(value_names) - 1}. Factors.of numbers any labels."
                )

    @classmethod
    def of(cls, factors: Any, names: Sequence[str] | None = None) -> Factors:
        """Factors from labels: an array [n, n_factors] or [n], or a mapping of name to labels [n].

        Labels of any kind are numbered in sorted order, mixed ones by their text. Every sample
        needs a label: NaN, None and the empty text count as missing.

        Args:
            names: of the factors, for an array; `factor_0`, `factor_1`, ... by default.

        Raises:
            MetricInputError: a missing label, no sample, columns of unequal length.
        """
        if isinstance(factors, Factors):
            return factors
        columns = labels_of(factors, names)
        numbered = [number(column, name) for name, column in columns.items()]
        return cls(
            values=np.stack([values for values, _ in numbered], axis=1),
            names=tuple(columns),
            value_names=tuple(value_names for _, value_names in numbered),
        )

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.values)

    @property
    def n_factors(self) -> int:
        return len(self.names)

    @cached_property
    def n_values(self) -> Int[NDArray[Any], " n_factors"]:
        """Number of values of each factor."""
        return np.array([len(names) for names in self.value_names])

    @cached_property
    def value_ptr(self) -> Int[NDArray[Any], " n_factors_plus_1"]:
        """Offsets into all values: factor k's are value_ptr[k] to value_ptr[k + 1] - 1."""
        return np.concatenate([[0], np.cumsum(self.n_values)])

    @cached_property
    def varies(self) -> Bool[NDArray[Any], " n_factors"]:
        """Whether a factor has more than one value in the samples."""
        return np.array([len(np.unique(column)) > 1 for column in self.values.T])

    @cached_property
    def value_counts(self) -> Int[NDArray[Any], " n_values_total"]:
        """Number of samples with each value of each factor."""
        return np.bincount(
            (self.values + self.value_ptr[:-1]).ravel(), minlength=int(self.value_ptr[-1])
        )

    def one_hot(self, dtype: Any = np.int32) -> NDArray[Any]:
        """[n, n_values_total]: 1 where a sample has a value, one 1 a factor in each row."""
        one_hot = np.zeros((self.n, int(self.value_ptr[-1])), dtype)
        one_hot[np.arange(self.n)[:, None], self.values + self.value_ptr[:-1]] = 1
        return one_hot

    def samples(self, index: NDArray[Any]) -> Factors:
        """Select samples by index (repeats allowed) or mask; the values stay."""
        return Factors(self.values[_rows(index, self.n)], self.names, self.value_names)

    @override
    def __repr__(self) -> str:
        return f"Factors(n={self.n}, names={self.names})"


def _from_torch(codes: Any) -> Any:
    codes = codes.detach().cpu()
    if str(codes.layout) == "torch.strided":
        return (codes.float() if str(codes.dtype) == "torch.bfloat16" else codes).numpy()
    if codes.ndim != 2:
        return np.empty(tuple(codes.shape))
    codes = codes.to_sparse_coo().coalesce()
    values = _from_torch(codes.values())
    return sparse.coo_array((values, tuple(codes.indices().numpy())), shape=tuple(codes.shape))


def _array(values: Any, what: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
        return array.astype(np.float64) if array.dtype.kind == "O" else array
    except (TypeError, ValueError) as error:
        raise MetricInputError(
            f"{what} are no array of numbers: {error}; give a rectangular array [n, d_sae]."
        ) from error


def _check_finite(csc: Any) -> None:
    bad = np.flatnonzero(~np.isfinite(csc.data))
    if not len(bad):
        return
    latents = np.searchsorted(csc.indptr, bad, side="right") - 1
    first = np.lexsort((latents, csc.indices[bad]))[0]
    raise MetricInputError(
        f"codes have {len(bad)} values that are not finite, the first at sample "
        f"{csc.indices[bad[first]]}, latent {latents[first]} ({csc.data[bad[first]]}); all must "
        "be finite float64."
    )


def _rows(index: NDArray[Any], n: int) -> NDArray[np.int64]:
    index = np.asarray(index)
    rows = np.flatnonzero(index) if index.dtype == np.bool_ else index.astype(np.int64)
    if not len(rows):
        raise MetricInputError(f"none of {n} samples is chosen; choose at least one.")
    return rows
