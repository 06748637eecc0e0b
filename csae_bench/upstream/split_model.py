"""A language model for SAE-Bench's core eval that runs once whatever no SAE changes.

The clean logits of a batch, the logits with the hook at zero and the activations at the hook are
the same for every SAE: they are kept, as long as there is room, and so are a text's tokens. A pass
with an SAE in place continues from the kept activations. Each step is the same as in the whole
model, on the same numbers, so every result is bit-identical to the model's own.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.activations.continuing import layer_after
from csae_bench.activations.shared import SharedPasses

T = TypeVar("T")

ZERO_ABLATION = "standard_zero_ablate_hook"
"""SAE-Bench's name of the hook that sets all activations to zero."""


class SplitModel:
    """Stand-in for a model; everything else is passed on to the model.

    Args:
        shared: holds what is kept, by model, hook and tokens.
    """

    def __init__(self, model: HookedTransformer, hook_name: str, shared: SharedPasses) -> None:
        self._model, self._hook_name, self._shared = model, hook_name, shared
        # a mask of padded tokens, which only a tokenizer that pads on the left makes, is not split
        pads_right = getattr(model.tokenizer, "padding_side", "right") == "right"
        self._start = layer_after(hook_name) if pads_right else None
        self._last: tuple[tuple[Any, ...], Tensor] | None = None
        """Key of the last batch, and its activations at the hook."""
        self._run_with_cache = model.run_with_cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, tokens: Tensor, **options: Any) -> Any:
        """Return what the model gives for tokens, unchanged."""

        def run() -> Any:
            kept: list[Tensor] = []
            hook = (self._hook_name, lambda acts, hook: kept.append(acts.detach().clone()))
            output = self._model.run_with_hooks(tokens, fwd_hooks=[hook], **options)
            key = self._key("acts", tokens)
            self._last = key, kept[0]
            self._shared.keep(key, kept[0])
            return output

        return self._shared.get_or_make(self._key("clean", tokens, options), run, only_if_room=True)

    def run_with_hooks(self, tokens: Tensor, *, fwd_hooks: list[Any], **options: Any) -> Any:
        """Return what the model gives with hooks in place."""
        is_ours = len(fwd_hooks) == 1 and fwd_hooks[0][0] == self._hook_name
        if not is_ours:
            return self._model.run_with_hooks(tokens, fwd_hooks=fwd_hooks, **options)
        change = fwd_hooks[0][1]
        if getattr(change, "__name__", "") != ZERO_ABLATION:
            return self._changed(tokens, change, options)
        return self._shared.get_or_make(
            self._key("ablated", tokens, options),
            lambda: self._changed(tokens, change, options),
            only_if_room=True,
        )

    def to_tokens(self, text: str, **options: Any) -> Tensor:
        """Return what the model's own `to_tokens` does."""
        asked = repr(sorted(options.items()))
        return self._shared.get_or_make(
            ("tokens", id(self._model), text, asked),
            lambda: self._model.to_tokens(text, **options),
            only_if_room=True,
        )

    def once(self, what: str, tokens: Tensor, make: Callable[[], T]) -> T:
        """Return what is the same for every SAE of a batch, made once while there is room."""
        return self._shared.get_or_make(self._key(what, tokens), make, only_if_room=True)

    def run_with_cache(self, tokens: Tensor, **options: Any) -> Any:
        """Return what the model gives, and the activations that it kept on the way."""
        return self._shared.get_or_make(
            self._key("cache", tokens, options),
            lambda: self._run_with_cache(tokens, **options),
            only_if_room=True,
        )

    def _changed(self, tokens: Tensor, change: Callable[..., Any], options: Any) -> Any:
        key = self._key("acts", tokens)
        is_last = self._last is not None and self._last[0] == key
        acts = self._last[1] if self._last is not None and is_last else self._shared.get(key)
        if acts is None or self._start is None:
            hook: Any = (self._hook_name, change)
            return self._model.run_with_hooks(tokens, fwd_hooks=[hook], **options)
        changed = change(acts.clone(), hook=self._model.hook_dict[self._hook_name])
        return self._model(changed, tokens=tokens, start_at_layer=self._start, **options)

    def _key(self, what: str, tokens: Tensor, options: Any = None) -> tuple[Any, ...]:
        digest = hashlib.blake2b(tokens.cpu().numpy().tobytes(), digest_size=16).hexdigest()
        asked = repr(sorted((options or {}).items(), key=str))
        return (what, id(self._model), self._hook_name, tuple(tokens.shape), digest, asked)


@contextlib.contextmanager
def remembering(
    model: HookedTransformer, hook_name: str, shared: SharedPasses
) -> Generator[None, None, None]:
    """Let `model.run_with_cache` reuse kept results for the same tokens within the context."""
    split = SplitModel(model, hook_name, shared)
    model.run_with_cache = split.run_with_cache
    try:
        yield
    finally:
        del model.run_with_cache
