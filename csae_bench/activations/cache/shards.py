"""Content of a shard: consecutive draws of a source, as one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from csae_bench.activations.cache.folder import Place

_METADATA = "draws"
_LENGTH_BYTES = 8
"""Bytes of a safetensors file that say how long its header is."""


class Draw(NamedTuple):
    """What a source gave at once."""

    before: Place
    """Place of the source before it."""
    after: Place
    numbers: Mapping[str, int | None]
    """State of the source, besides its place."""
    n_rows: int
    """Activations in it."""
    tensors: dict[str, Tensor]
    """On the CPU."""

    @property
    def n_bytes(self) -> int:
        """Size of the tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())


def pack(draws: Sequence[Draw]) -> bytes:
    """Return the content of a file with these draws; equal draws give equal bytes."""
    about = [
        {"before": draw.before, "after": draw.after, "n_rows": draw.n_rows, **draw.numbers}
        for draw in draws
    ]
    tensors = {
        f"{i}.{name}": tensor.contiguous()
        for i, draw in enumerate(draws)
        for name, tensor in draw.tensors.items()
    }
    return safetensors.torch.save(tensors, {_METADATA: json.dumps(about)})


def unpack(content: bytes) -> list[Draw]:
    """Return the draws of a file whose hash is right."""
    n_header = int.from_bytes(content[:_LENGTH_BYTES], "little")
    header: dict[str, Any] = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + n_header])
    draws = [
        Draw(
            before=tuple(about.pop("before")),
            after=tuple(about.pop("after")),
            n_rows=about.pop("n_rows"),
            numbers=about,
            tensors={},
        )
        for about in json.loads(header["__metadata__"][_METADATA])
    ]
    for name, tensor in safetensors.torch.load(content).items():
        number, _, what = name.partition(".")
        draws[int(number)].tensors[what] = tensor
    return draws


def stored(acts: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a copy on the CPU, in the model's `dtype` where that loses nothing.

    What a model of bfloat16 computes is exact in bfloat16, though it is passed on as float32.
    """
    if dtype != acts.dtype:
        small = acts.to(dtype)
        if torch.equal(small.to(acts.dtype), acts):
            acts = small
    return acts.detach().to("cpu", copy=True)
