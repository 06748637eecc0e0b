"""Encoding of a factor dataset by an SAE: one pooled row of codes for each prompt and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from scipy import sparse

from csae_bench.activations.shared import SharedPasses
from csae_bench.errors import DataError
from csae_bench.factors.dataset import ONE_TOKEN, POOLINGS, FactorDataset, Pooling
from csae_bench.factors.pooler import Pooler
from csae_bench.factors.reading import ActsBatch, PromptActs, acts_of_prompts
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from csae_bench.metrics.data import Codes, Factors

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

    Args:
        pooling: none: the dataset's own.

    For the other arguments and the errors see `codes_by_pooling`.
    """
    pooling = dataset.pooling if pooling is None else pooling
    return codes_by_pooling(
        sae,
        model,
        dataset,
        hook_name,
        poolings=(pooling,),
        batch_size_prompts=batch_size_prompts,
        context_size=context_size,
        shared=shared,
    )[pooling]


def codes_by_pooling(
    sae: AnySae,
    model: HookedTransformer | None,
    dataset: FactorDataset,
    hook_name: str | None,
    *,
    poolings: Sequence[Pooling],
    batch_size_prompts: int = 64,
    context_size: int | None = None,
    shared: SharedPasses | None = None,
) -> dict[Pooling, FactorCodes]:
    """Compute codes of every prompt in several poolings from one pass of model and SAE.

    Each prompt is read once, from `<bos>` on, by the layers up to the hook; prompts of like length
    share a batch. A dataset of activations is encoded as it is, and needs no model. Memory beyond
    the model's is `pooler.MAX_DENSE_CODES`, for each pooling a batch's pooled codes and the sparse
    result, and the pooled activations, of which `MAX_POOLED_ACTS` are kept at most.

    Args:
        context_size: tokens of a prompt that are read, `<bos>` included; none: the model's context.
        shared: holds the activations for other SAEs, where there is room; none: they are not kept.

    Raises:
        DataError: a prompt has no token to pool, its marked token is beyond the context, or the
            width of the activations is not the SAE's.
        EvalError: a code is NaN or infinite.
        ModelError: the model has no such hook, or its tokenizer cannot find a marked token.
    """
    for pooling in poolings:
        _check_pooling(dataset, pooling)
    if dataset.acts is not None:
        return {pooling: _codes_of_acts(sae, dataset, pooling) for pooling in poolings}
    if model is None or hook_name is None:
        raise DataError(f"factor dataset '{dataset.name}' has prompts; it needs a language model.")
    read = acts_of_prompts(
        model,
        dataset,
        hook_name,
        poolings=poolings,
        batch_size_prompts=batch_size_prompts,
        context_size=context_size or int(model.cfg.n_ctx),
        device=attributes.device(sae),
        shared=shared or SharedPasses(max_bytes=0),
    )
    return _codes_of_read(sae, read, dataset, poolings, attributes.d_head(sae, model))


def _codes_of_read(
    sae: AnySae,
    read: PromptActs,
    dataset: FactorDataset,
    poolings: Sequence[Pooling],
    d_head: int | None,
) -> dict[Pooling, FactorCodes]:
    pooler = Pooler(sae, dataset.name)
    blocks: dict[Pooling, list[Any]] = {pooling: [] for pooling in poolings}
    acts: dict[Pooling, list[NDArray[Any]]] = {pooling: [] for pooling in poolings}
    keeps_acts = len(read.order) * attributes.d_in(sae) * len(poolings) <= MAX_POOLED_ACTS
    with torch.no_grad():
        for batch in read.batches:
            if keeps_acts:
                for pooling in poolings:
                    acts[pooling].append(_pooled_acts(batch, pooling))
            rows = batch.rows.unflatten(1, (-1, d_head)) if d_head else batch.rows
            for pooling, codes in pooler.pooled(batch._replace(rows=rows), poolings).items():
                blocks[pooling].append(codes)
    in_order = np.argsort(read.order)
    return {
        pooling: FactorCodes(
            codes=_stacked(blocks[pooling])[in_order],
            dataset=dataset,
            pooling=pooling,
            n_tokens=np.ones_like(read.n_tokens) if pooling in ONE_TOKEN else read.n_tokens,
            n_truncated=read.n_truncated,
            acts=np.concatenate(acts[pooling])[in_order] if keeps_acts else None,
        )
        for pooling in poolings
    }


def _check_pooling(dataset: FactorDataset, pooling: Pooling) -> None:
    if pooling not in POOLINGS:
        raise DataError(f"pooling is '{pooling}'; it must be one of {', '.join(POOLINGS)}.")
    if pooling == "marked" and dataset.marks is None:
        raise DataError(
            f"factor dataset '{dataset.name}': pooling is 'marked', and no prompt has a mark."
        )


def _pooled_acts(batch: ActsBatch, pooling: Pooling) -> Float[NDArray[Any], "n_prompts d_in"]:
    if pooling in ONE_TOKEN:
        return batch.rows[batch.one_token[pooling]].cpu().numpy()
    how = "max" if pooling == "max" else "mean"
    # `prompt` ascends, and each has a row at least
    lengths = torch.bincount(batch.prompt)
    return torch.segment_reduce(batch.rows, how, lengths=lengths).cpu().numpy()


def _stacked(blocks: list[Any]) -> Any:
    stacked: Any = sparse.vstack(blocks, format="csr")
    blocks.clear()  # or the codes would be in memory three times
    return stacked


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
        codes = Pooler(sae, dataset.name).of_rows(acts, list(range(n)))
    return FactorCodes(
        codes=codes,
        dataset=dataset,
        pooling=pooling,
        n_tokens=np.ones(n, dtype=np.int64),
        n_truncated=0,
        acts=acts.numpy(),
    )
