"""Encoding of a factor dataset by an SAE: one pooled row of codes for each prompt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from csae_bench.activations.shared import SharedPasses
from csae_bench.errors import DataError, EvalError
from csae_bench.factors.dataset import POOLINGS, FactorDataset, Pooling
from csae_bench.factors.reading import PromptActs, acts_of_prompts
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from csae_bench.metrics.data import Codes, Factors

MAX_DENSE_CODES = 2**24
"""Codes that are in memory at once before they are pooled: 64 MiB in float32."""

MAX_POOLED_ACTS = 2**28
"""Pooled activations of a dataset that are kept with its codes: 1 GiB in float32."""


class TopPrompt(NamedTuple):
    """A prompt that a latent is active in."""

    row: int
    """Its row in the codes and the factor table."""
    value: float
    """The latent's pooled code."""
    text: str


@dataclass(frozen=True, kw_only=True, eq=False)
class FactorCodes:
    """Codes of a factor dataset, a row for each prompt."""

    codes: Any
    """scipy csr_array float32 [n, d_sae], without explicit zeros."""
    dataset: FactorDataset
    """The factors, in the order of the rows."""
    pooling: Pooling
    n_tokens: Int64[NDArray[Any], " n"]
    """Tokens that each row was pooled from; 1 for activations that are encoded as they are."""
    n_truncated: int
    """Prompts longer than the context, of which only the beginning was read."""
    acts: Float[NDArray[Any], "n d_in"] | None = None
    """The model's activations at the hook, pooled as the codes are, from the same forward pass;
    none where they would be more than `MAX_POOLED_ACTS`."""

    @cached_property
    def checked(self) -> Codes:
        """Codes as metrics take them."""
        from csae_bench.metrics.data import Codes

        return Codes.of(self.codes)

    @property
    def factors(self) -> Factors:
        """The factor table as metrics take it."""
        return self.dataset.table

    def top_prompts(self, latent: int, n: int = 10) -> tuple[TopPrompt, ...]:
        """Return the prompts with a latent's largest codes, at most `n`; none where it is silent.

        Of equal codes the earlier prompt comes first. For activations the text is the template.
        """
        if not 0 <= latent < self.codes.shape[1]:
            raise IndexError(f"latent is {latent}; it must be 0 to {self.codes.shape[1] - 1}.")
        column = self._by_latent[:, [latent]].tocoo()
        texts = self.dataset.prompts or self.dataset.templates
        order = np.lexsort((column.row, -column.data))[:n]
        return tuple(
            TopPrompt(int(column.row[i]), float(column.data[i]), texts[int(column.row[i])])
            for i in order
        )

    @cached_property
    def _by_latent(self) -> Any:
        return self.codes.tocsc()


def codes_of_prompts(
    sae: AnySae,
    model: HookedTransformer | None,
    dataset: FactorDataset,
    hook_name: str | None,
    *,
    pooling: Pooling | None = None,
    batch_size_prompts: int = 64,
    context_size: int | None = None,
    shared: SharedPasses | None = None,
) -> FactorCodes:
    """Compute codes of every prompt, pooled over its tokens; special tokens are left out.

    Each prompt is read once, from `<bos>` on, by the layers up to the hook; prompts of like length
    share a batch. A dataset of activations is encoded as it is, and needs no model. Memory beyond
    the model's is `MAX_DENSE_CODES`, a batch's pooled codes, the sparse result, and the pooled
    activations, of which `MAX_POOLED_ACTS` are kept at most.

    Args:
        pooling: none: the dataset's own.
        context_size: tokens of a prompt that are read, `<bos>` included; none: the model's context.
        shared: holds the activations for other SAEs, where there is room; none: they are not kept.

    Raises:
        DataError: a prompt has no token to pool, its marked token is beyond the context, or the
            width of the activations is not the SAE's.
        EvalError: a code is NaN or infinite.
        ModelError: the model has no such hook, or its tokenizer cannot find a marked token.
    """
    pooling = _checked_pooling(dataset, pooling)
    if dataset.acts is not None:
        return _codes_of_acts(sae, dataset, pooling)
    if model is None or hook_name is None:
        raise DataError(f"factor dataset '{dataset.name}' has prompts; it needs a language model.")
    read = acts_of_prompts(
        model,
        dataset,
        hook_name,
        pooling=pooling,
        batch_size_prompts=batch_size_prompts,
        context_size=context_size or int(model.cfg.n_ctx),
        device=attributes.device(sae),
        shared=shared or SharedPasses(max_bytes=0),
    )
    return _codes_of_read(sae, read, dataset, pooling, attributes.d_head(sae, model))


def _codes_of_read(
    sae: AnySae, read: PromptActs, dataset: FactorDataset, pooling: Pooling, d_head: int | None
) -> FactorCodes:
    pooler = _Pooler(sae, dataset.name, pooling)
    blocks: list[Any] = []
    pooled_acts: list[NDArray[Any]] = []
    keeps_acts = len(read.order) * attributes.d_in(sae) <= MAX_POOLED_ACTS
    with torch.no_grad():
        for rows, prompt, chosen in read.batches:
            if keeps_acts:
                pooled_acts.append(_pooled_acts(rows, prompt, pooling))
            heads = rows.unflatten(1, (-1, d_head)) if d_head else rows
            blocks.append(pooler.pooled(heads, prompt, chosen))
    return FactorCodes(
        codes=_in_order(blocks, read.order),
        dataset=dataset,
        pooling=pooling,
        n_tokens=read.n_tokens,
        n_truncated=read.n_truncated,
        acts=np.concatenate(pooled_acts)[np.argsort(read.order)] if keeps_acts else None,
    )


def _checked_pooling(dataset: FactorDataset, pooling: Pooling | None) -> Pooling:
    pooling = dataset.pooling if pooling is None else pooling
    if pooling not in POOLINGS:
        raise DataError(f"pooling is '{pooling}'; it must be one of {', '.join(POOLINGS)}.")
    if pooling == "marked" and dataset.marks is None:
        raise DataError(
            f"factor dataset '{dataset.name}': pooling is 'marked', and no prompt has a mark."
        )
    return pooling


def _pooled_acts(
    rows: Float[Tensor, "n_rows d_in"], prompt: Int64[Tensor, " n_rows"], pooling: Pooling
) -> Float[NDArray[Any], "n_prompts d_in"]:
    """`prompt` ascends; each has a row at least."""
    how = "max" if pooling == "max" else "mean"
    return torch.segment_reduce(rows, how, lengths=torch.bincount(prompt)).cpu().numpy()


def _in_order(blocks: list[Any], order: NDArray[Any]) -> Any:
    stacked: Any = sparse.vstack(blocks, format="csr")
    blocks.clear()  # or the codes would be in memory three times
    return stacked[np.argsort(order)]


def _codes_of_acts(sae: AnySae, dataset: FactorDataset, pooling: Pooling) -> FactorCodes:
    assert dataset.acts is not None
    n, d_in = dataset.acts.shape
    if d_in != attributes.d_in(sae):
        raise DataError(
            f"factor dataset '{dataset.name}' has activations of width {d_in}; the SAE takes "
            f"{attributes.d_in(sae)}."
        )
    acts = torch.from_numpy(dataset.acts).float()
    with torch.no_grad():
        codes = _Pooler(sae, dataset.name, "last").pooled(acts, torch.arange(n), list(range(n)))
    return FactorCodes(
        codes=codes,
        dataset=dataset,
        pooling=pooling,
        n_tokens=np.ones(n, dtype=np.int64),
        n_truncated=0,
        acts=acts.numpy(),
    )


class _Pooler(NamedTuple):
    """Encoder of rows in parts, which pools each part as it is made."""

    sae: AnySae
    dataset: str
    pooling: Pooling

    def pooled(
        self,
        rows: Float[Tensor, "n_rows ..."],
        prompt: Int64[Tensor, " n_rows"],
        samples: list[int],
    ) -> Any:
        """csr_array [n_prompts, d_sae]; `samples[i]` is prompt i's number in the dataset.

        `prompt` ascends.
        """
        if self.pooling in ("last", "marked"):
            blocks = [_sparse(codes) for _, codes in self._encoded(rows, prompt, samples)]
            return sparse.vstack(blocks, format="csr")
        # not zeros for a maximum: a code may be negative
        start = -torch.inf if self.pooling == "max" else 0.0
        shape = (len(samples), attributes.d_sae(self.sae))
        pooled = torch.full(shape, start, device=attributes.device(self.sae))
        for of_codes, codes in self._encoded(rows, prompt, samples):
            if self.pooling == "max":
                pooled.scatter_reduce_(0, of_codes[:, None].expand_as(codes), codes, "amax")
            else:
                # a matrix product, not index_add_: that one adds in any order on a GPU
                present = torch.arange(int(of_codes[0]), int(of_codes[-1]) + 1, device=codes.device)
                pooled[present] += (of_codes == present[:, None]).float() @ codes
        if self.pooling == "mean":
            pooled /= torch.bincount(prompt, minlength=len(samples))[:, None]
        return _sparse(pooled)

    def _encoded(
        self,
        rows: Float[Tensor, "n_rows ..."],
        prompt: Int64[Tensor, " n_rows"],
        samples: list[int],
    ) -> Iterator[tuple[Int64[Tensor, " n_part"], Float[Tensor, "n_part d_sae"]]]:
        """Prompt and codes of a part of the rows, at most `MAX_DENSE_CODES` of them."""
        size = max(1, MAX_DENSE_CODES // attributes.d_sae(self.sae))
        for start in range(0, len(rows), size):
            of_codes = prompt[start : start + size]
            codes = attributes.encode(self.sae, rows[start : start + size]).float()
            if not bool(codes.isfinite().all()):
                row, latent = (~codes.isfinite()).nonzero()[0].tolist()
                raise EvalError(
                    f"The code of latent {latent} is {codes[row, latent].item()} in sample "
                    f"{samples[int(of_codes[row])]} of factor dataset '{self.dataset}'; the SAE or "
                    "its activations are broken."
                )
            yield of_codes, codes


def _sparse(codes: Float[Tensor, "n d_sae"]) -> Any:
    return sparse.csr_array(codes.cpu().numpy())
