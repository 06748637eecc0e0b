"""A folder of a Gemma 2 of any shape that computes what the bundled model computes.

Random weights alone would do for training and core, but not for unlearning, which asks only
questions that the model answers right in all 24 orders of their choices. So the bundled model's
four layers lie among random ones, in the first dimensions of the residual stream:

- embeddings, norms and projections of the bundled model fill the first rows and columns; heads are
  wider, so that frequencies of the rotary embedding are those of every nth dimension;
- all other dimensions of the stream are random: they hold about 1% of its energy, so that they move
  the norms, and with them the answers, very little;
- one more dimension is a constant, by which tokens beyond the bundled vocabulary are unlikely.

Tensors are written as they are made: the helper holds one of them, or a part of it, at a time.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from csae_bench import tinyworld
from csae_bench.models.table import MODELS

TRUE_SHAPE: Mapping[str, Any] = MODELS["google/gemma-2-2b"].published_config or {}
"""Gemma-2-2B's published config.json."""
SMALL_SHAPE: Mapping[str, Any] = TRUE_SHAPE | {
    "hidden_size": 320,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "intermediate_size": 640,
    "vocab_size": 2048,
    "query_pre_attn_scalar": 128,
}
"""A shape of the same kind that takes a second."""

ROWS = 16_384
"""Rows of the embedding that are held at a time."""
AMPLITUDE = 2.0**-8
"""Size of what a layer adds to a random dimension of the residual stream, whose bundled dimensions
are about 1.5 each."""
EMBEDDED_NOISE = 0.02
"""The same of an embedding."""
CONSTANT = 0.5
"""Size of the constant dimension in the residual stream."""
CONSTANT_GAIN = 8.0
"""Factor of the constant dimension in the final norm."""
UNLIKELY = -4.0
"""Entry of a token beyond the bundled vocabulary in the constant dimension: a logit below -20."""


def write_gemma_folder(
    folder: Path, shape: Mapping[str, Any] = TRUE_SHAPE, *, seed: int = 0
) -> Path:
    """Write config, tokenizer and bfloat16 weights in shards, the same ones for the same seed."""
    folder.mkdir(parents=True)
    bundled = tinyworld.model_dir()
    own = json.loads((bundled / "config.json").read_text())
    ids = {key: own[key] for key in ("pad_token_id", "eos_token_id", "bos_token_id")}
    config = {**shape, **ids, "model_type": "gemma2", "dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bundled / name, folder)
    weights = _Weights(shape, own, load_file(bundled / "model.safetensors"), seed)
    index: dict[str, str] = {}
    shards = [weights.embedding(), *(weights.layer(i) for i in range(weights.n_layers))]
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        _write_shard(folder / name, shard)
        index |= dict.fromkeys(shard, name)
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": index})
    )
    return folder


@dataclass(frozen=True)
class _Part:
    """A tensor that is made when it is written, in one piece or several."""

    shape: tuple[int, ...]
    pieces: Callable[[], Iterator[Tensor]]


@dataclass
class _Weights:
    """Tensors of the folder, by shard."""

    shape: Mapping[str, Any]
    own: Mapping[str, Any]
    """The bundled model's config.json."""
    bundled: Mapping[str, Tensor]
    seed: int
    n_layers: int = field(init=False)
    places: tuple[int, ...] = field(init=False)
    """Layers that hold the bundled model's: as many, the last one last, and local ones at even
    places, as Gemma 2 has them."""

    def __post_init__(self) -> None:
        self.n_layers = self.shape["num_hidden_layers"]
        n_own, last = self.own["num_hidden_layers"], self.n_layers - 1
        spread = [round(last * i / (n_own - 1)) for i in range(n_own - 1)]
        self.places = (*(at - (at - i) % 2 for i, at in enumerate(spread)), last)
        self.d_own, self.d_model = self.own["hidden_size"], self.shape["hidden_size"]
        self.d_head = self.shape["head_dim"]

    def embedding(self) -> dict[str, _Part]:
        n_rows = self.shape["vocab_size"]
        norm = torch.zeros(self.d_model)
        norm[: self.d_own] = self.bundled["model.norm.weight"]
        norm[self.d_own] = CONSTANT_GAIN - 1
        return {
            "model.embed_tokens.weight": _Part((n_rows, self.d_model), self._embedded),
            "model.norm.weight": _whole(norm),
        }

    def layer(self, number: int) -> dict[str, _Part]:
        """Return a layer with the bundled model's within it, or a random one."""
        attention, heads = "self_attn", self.shape["num_attention_heads"]
        key_values = self.shape["num_key_value_heads"]
        widths = {
            f"{attention}.q_proj": (heads * self.d_head, self.d_model),
            f"{attention}.k_proj": (key_values * self.d_head, self.d_model),
            f"{attention}.v_proj": (key_values * self.d_head, self.d_model),
            f"{attention}.o_proj": (self.d_model, heads * self.d_head),
            "mlp.gate_proj": (self.shape["intermediate_size"], self.d_model),
            "mlp.up_proj": (self.shape["intermediate_size"], self.d_model),
            "mlp.down_proj": (self.d_model, self.shape["intermediate_size"]),
        }
        before = f"model.layers.{number}"
        parts = {
            f"{before}.{name}.weight": self._matrix(number, name, width)
            for name, width in widths.items()
        }
        for name in ("input_layernorm", "pre_feedforward_layernorm"):
            # those of the bundled model are part of the matrices that read them
            parts[f"{before}.{name}.weight"] = _whole(torch.zeros(self.d_model))
        for name in ("post_attention_layernorm", "post_feedforward_layernorm"):
            scale = torch.full((self.d_model,), AMPLITUDE - 1)
            if number in self.places:
                scale[: self.d_own] = self._own(number, name)
            parts[f"{before}.{name}.weight"] = _whole(scale)
        return parts

    def _embedded(self) -> Iterator[Tensor]:
        own = self.bundled["model.embed_tokens.weight"]
        to_stream = self.d_model**0.5  # Gemma multiplies embeddings by it
        generator = self._generator("embedding")
        for start in range(0, self.shape["vocab_size"], ROWS):
            n_rows = min(ROWS, self.shape["vocab_size"] - start)
            rows = torch.randn(n_rows, self.d_model, generator=generator)
            rows *= EMBEDDED_NOISE / to_stream
            rows[:, self.d_own] = UNLIKELY
            known = own[start : start + n_rows]
            rows[: len(known), : self.d_own] = known * (self.d_own**0.5 / to_stream)
            rows[: len(known), self.d_own] = CONSTANT / to_stream
            yield rows

    def _matrix(self, number: int, name: str, width: tuple[int, ...]) -> _Part:
        def make() -> Iterator[Tensor]:
            if number in self.places:
                yield self._enlarged(number, name, width)
                return
            weights = torch.randn(width, generator=self._generator(f"{number} {name}"))
            weights *= self.shape["initializer_range"]
            if name.endswith(("o_proj", "down_proj")):
                weights[: self.d_own + 1] = 0  # the bundled model's dimensions, and the constant
            yield weights

        return _Part(width, make)

    def _enlarged(self, number: int, name: str, width: tuple[int, ...]) -> Tensor:
        """Return the bundled model's matrix with zeros around it."""
        own, weights = self._own(number, name), torch.zeros(width)
        if name.endswith(("o_proj", "down_proj")):
            columns = self._value_places() if name.endswith("o_proj") else _first(own.shape[1])
            weights[: self.d_own, columns] = own
            # random dimensions as large as the others: the norm that follows is then the same
            noise = torch.randn(
                self.d_model - self.d_own - 1, self.d_own, generator=self._generator(str(number))
            )
            noise = torch.linalg.qr(noise).Q * (self.d_model / self.d_own - 1) ** 0.5
            weights[self.d_own + 1 :, columns] = noise @ own
            return weights
        norm = "input_layernorm" if "self_attn" in name else "pre_feedforward_layernorm"
        # the stream is as long as the bundled model's, but in more dimensions: its mean square is
        # smaller, and what is divided by its root larger
        own = own * (1 + self._own(number, norm)) * (self.d_own / self.d_model) ** 0.5
        if name.endswith("q_proj"):
            own = own * (self.d_head / self.own["head_dim"]) ** 0.5  # attention divides by more
        rows = _first(len(own))
        if name.endswith(("q_proj", "k_proj")):
            rows = self._rotated_places(len(own))
        elif name.endswith("v_proj"):
            rows = self._value_places()[: len(own)]
        weights[rows, : self.d_own] = own
        return weights

    def _rotated_places(self, n_rows: int) -> Tensor:
        """Return places of the rows of queries or keys: dimensions of equal frequency."""
        d_own, half = self.own["head_dim"], self.own["head_dim"] // 2
        head, at = torch.arange(n_rows) // d_own, torch.arange(n_rows) % d_own
        frequency = (at % half) * (self.d_head // d_own)
        return head * self.d_head + (at // half) * (self.d_head // 2) + frequency

    def _value_places(self) -> Tensor:
        d_own = self.own["head_dim"]
        rows = torch.arange(self.own["num_attention_heads"] * d_own)
        return rows // d_own * self.d_head + rows % d_own

    def _own(self, number: int, name: str) -> Tensor:
        return self.bundled[f"model.layers.{self.places.index(number)}.{name}.weight"]

    def _generator(self, purpose: str) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed} {purpose}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def _first(n: int) -> Tensor:
    return torch.arange(n)


def _whole(tensor: Tensor) -> _Part:
    return _Part(tuple(tensor.shape), lambda: iter([tensor]))


def _write_shard(path: Path, parts: Mapping[str, _Part]) -> None:
    """Write a safetensors file without holding it: that library takes whole files only."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, part in parts.items():
        start, end = end, end + 2 * torch.Size(part.shape).numel()
        header[name] = {"dtype": "BF16", "shape": part.shape, "data_offsets": [start, end]}
    written = json.dumps(header).encode()
    written += b" " * (-len(written) % 8)
    with path.open("wb") as file:
        file.write(len(written).to_bytes(8, "little") + written)
        for part in parts.values():
            for piece in part.pieces():
                file.write(piece.to(torch.bfloat16).contiguous().view(torch.uint8).numpy().data)
