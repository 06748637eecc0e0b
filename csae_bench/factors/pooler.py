"""Pooling of codes over the tokens of prompts, part by part as they are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from scipy import sparse
from torch import Tensor

from csae_bench.errors import EvalError
from csae_bench.factors.dataset import ONE_TOKEN, Pooling
from csae_bench.factors.reading import ActsBatch
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae

MAX_DENSE_CODES = 2**24
"""Codes that are in memory at once before they are pooled: 64 MiB in float32."""


class Pooler(NamedTuple):
    """Encoder of rows in parts, which pools each part as it is made."""

    sae: AnySae
    dataset: str

    def pooled(self, batch: ActsBatch, poolings: Sequence[Pooling]) -> dict[Pooling, Any]:
        """Return csr_array [n_prompts, d_sae] for each pooling; a row for each of `chosen`."""
        codes: dict[Pooling, Any] = {
            pooling: self.of_rows(batch.rows[batch.one_token[pooling]], batch.chosen)
            for pooling in poolings
            if pooling in ONE_TOKEN
        }
        over_all: list[Pooling] = [pooling for pooling in poolings if pooling not in ONE_TOKEN]
        return codes | self._over_tokens(batch, over_all) if over_all else codes

    def of_rows(self, rows: Float[Tensor, "n ..."], samples: Sequence[int]) -> Any:
        """Return csr_array [n, d_sae]; row i belongs to sample `samples[i]` of the dataset."""
        each = torch.arange(len(rows), device=rows.device)
        blocks = [_sparse(codes) for _, codes in self._encoded(rows, each, samples)]
        return sparse.vstack(blocks, format="csr")

    def _over_tokens(self, batch: ActsBatch, poolings: Sequence[Pooling]) -> dict[Pooling, Any]:
        shape = (len(batch.chosen), attributes.d_sae(self.sae))
        # not zeros for a maximum: a code may be negative
        pooled: dict[Pooling, Tensor] = {
            pooling: batch.rows.new_full(
                shape, -torch.inf if pooling == "max" else 0.0, dtype=torch.float32
            )
            for pooling in poolings
        }
        for prompt, codes in self._encoded(batch.rows, batch.prompt, batch.chosen):
            if "max" in pooled:
                pooled["max"].scatter_reduce_(0, prompt[:, None].expand_as(codes), codes, "amax")
            if "mean" in pooled:
                # a matrix product, not index_add_: that one adds in any order on a GPU
                present = torch.arange(int(prompt[0]), int(prompt[-1]) + 1, device=codes.device)
                pooled["mean"][present] += (prompt == present[:, None]).float() @ codes
        if "mean" in pooled:
            n_tokens = torch.bincount(batch.prompt, minlength=len(batch.chosen))
            pooled["mean"] /= n_tokens[:, None]
        return {pooling: _sparse(codes) for pooling, codes in pooled.items()}

    def _encoded(
        self,
        rows: Float[Tensor, "n_rows ..."],
        prompt: Int64[Tensor, " n_rows"],
        samples: Sequence[int],
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
