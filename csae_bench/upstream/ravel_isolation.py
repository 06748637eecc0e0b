"""Gives SAE-Bench's RAVEL functions a tokenizer, layers of any model, and nothing to run twice."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Generator
from typing import Any

import torch
from jaxtyping import Float
from sae_bench.evals.ravel import generation, instance, intervention
from sae_bench.evals.ravel import main as ravel_main
from sae_bench.sae_bench_utils import activation_collection
from torch import Tensor, nn

from csae_bench.activations.shared import SharedPasses
from csae_bench.errors import ModelError
from csae_bench.models.loading import quiet_transformers
from csae_bench.upstream.isolation import isolated
from csae_bench.upstream.unlearning_isolation import replaced, seeded


@contextlib.contextmanager
def ravel_sees(
    tokenizer: Any, *, seed: int, shared: SharedPasses | None = None
) -> Generator[list[str], None, None]:
    """Let SAE-Bench's RAVEL functions use this tokenizer, quietly and with gradients.

    Its layers are found for any architecture, and give a tuple as they did before transformers 5.
    Yields the list of `isolation.isolated`.

    Args:
        seed: of the generators; SAE-Bench seeds them again, but not when it asks for facts.
        shared: keeps the source prompts' activations, which no SAE changes.
    """
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        enter(replaced(ravel_main, AutoTokenizer=_Tokenizers(WithBos(tokenizer))))
        enter(replaced(activation_collection, get_module=_layer))
        if shared is not None:
            sources = _Sources(shared)
            enter(replaced(activation_collection, get_layer_activations=sources.activations))
        for module in (instance, generation, intervention):
            enter(replaced(module, tqdm=_no_bar))
        enter(quiet_transformers())
        enter(seeded(seed))
        warnings = enter(isolated())
        enter(contextlib.redirect_stdout(io.StringIO()))
        enter(torch.enable_grad())
        yield warnings


class WithBos:
    """A tokenizer that puts one bos first, as the SAE's model was given texts.

    SAE-Bench counts the tokens of what follows an entity with the special token in front, which is
    the entity's place from the end; without one it would read the token after the entity.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        first = tokenizer.bos_token_id
        self._bos = tokenizer.eos_token_id if first is None else first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, bos first."""
        return [self._bos, *self._tokenizer.encode(text, add_special_tokens=False)]


class _Tokenizers:
    """In place of transformers' AutoTokenizer."""

    def __init__(self, tokenizer: WithBos) -> None:
        self._tokenizer = tokenizer

    def from_pretrained(self, _: str) -> WithBos:
        return self._tokenizer


def layers_of(model: Any) -> nn.ModuleList:
    """Return the layers of a model of transformers.

    Raises:
        ModelError: they are not where they are in any architecture known here.
    """
    inner = model.base_model
    for name in ("layers", "h"):
        if isinstance(getattr(inner, name, None), nn.ModuleList):
            return getattr(inner, name)
    raise ModelError(
        f"{type(model).__name__} has its layers neither in `layers` nor in `h`; ravel cannot "
        "intervene in it."
    )


class _TupleLayer:
    """A layer whose hooks are given a tuple, of which they change the first."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer = layer

    def register_forward_hook(self, hook: Any) -> Any:
        def with_tuple(module: nn.Module, inputs: Any, output: Any) -> Any:
            if isinstance(output, tuple):
                return hook(module, inputs, output)
            return hook(module, inputs, (output,))[0]

        return self._layer.register_forward_hook(with_tuple)


def _layer(model: Any, layer_num: int) -> Any:
    return _TupleLayer(layers_of(model)[layer_num])


class _Enough(Exception):
    """Ends a forward pass whose rest is not needed."""


class _Sources:
    """Activations of source prompts, read by passes that stop at the layer."""

    def __init__(self, shared: SharedPasses) -> None:
        self._shared = shared

    @torch.no_grad()
    def activations(
        self, model: Any, target_layer: int, inputs: Any, source_pos_B: Tensor
    ) -> Float[Tensor, "batch d_in"]:
        asked = hashlib.blake2b(digest_size=16)
        for part in (inputs["input_ids"], inputs["attention_mask"], source_pos_B):
            asked.update(part.cpu().numpy().tobytes())
        key = ("ravel sources", id(model), target_layer, asked.hexdigest())
        return self._shared.get_or_make(
            key, lambda: _read(model, target_layer, inputs, source_pos_B)
        )


def _read(model: Any, layer: int, inputs: Any, positions: Tensor) -> Tensor:
    kept: list[Tensor] = []

    def gather(module: nn.Module, args: Any, output: Any) -> None:
        kept.append(output[0] if isinstance(output, tuple) else output)
        raise _Enough

    handle = layers_of(model)[layer].register_forward_hook(gather)
    try:
        with contextlib.suppress(_Enough):
            model(
                input_ids=inputs["input_ids"].to(model.device),
                attention_mask=inputs.get("attention_mask", None),
            )
    finally:
        handle.remove()
    (acts,) = kept
    return acts[list(range(acts.shape[0])), positions, :].clone()


def _no_bar(items: Any, *_: Any, **__: Any) -> Any:
    return items
