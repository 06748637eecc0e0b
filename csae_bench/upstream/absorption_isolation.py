"""Gives SAE-Bench's absorption functions words, a model that stops early, and nothing to redo."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from sae_bench.evals.absorption import (
    common,
    feature_absorption,
    feature_absorption_calculator,
    k_sparse_probing,
    probing,
    util,
)
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.upstream.isolation import Halving, halving_batch, isolated
from csae_bench.upstream.unlearning_isolation import replaced, seeded

_WITH_BARS = (
    common,
    feature_absorption,
    feature_absorption_calculator,
    k_sparse_probing,
    probing,
    util,
)


@contextlib.contextmanager
def sae_bench_draws(words: Sequence[str], *, seed: int) -> Generator[list[str], None, None]:
    """Let SAE-Bench's absorption functions use these words, from a seed, and quietly.

    Its own setting `random_seed` is read nowhere: it draws splits and prompts from `random`, and
    probes from torch. Within, gradients are on, as it wants them. Yields the list of
    `isolation.isolated`.
    """

    def get_alpha_tokens(*_: Any, **__: Any) -> list[str]:
        return list(words)

    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        for module in (common, feature_absorption):
            enter(replaced(module, get_alpha_tokens=get_alpha_tokens))
        for module in _WITH_BARS:
            enter(replaced(module, tqdm=_no_bar))
        enter(seeded(seed))
        warnings = enter(isolated())
        enter(contextlib.redirect_stdout(io.StringIO()))  # it prints where it is
        enter(torch.enable_grad())
        yield warnings


class StoppingModel:
    """Stand-in for a model, which stops after the hook and gives one position's activations.

    SAE-Bench runs all layers and the unembedding to read one layer; the activations are the same.

    Args:
        position: of the word in the prompts, the only one that SAE-Bench reads.
        shared: keeps the activations for the next SAE, whose prompts are the same.
    """

    def __init__(
        self, model: HookedTransformer, layer: int, position: int, shared: SharedPasses
    ) -> None:
        self._model, self._layer, self._position = model, layer, position
        self._shared = shared
        self.halvings: list[Halving] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def run_with_cache(self, prompts: Sequence[str], names_filter: list[str]) -> Any:
        """Return, in place of a cache, the activations of prompts at the one position."""
        (hook_name,) = names_filter
        text = hashlib.blake2b("\0".join(prompts).encode(), digest_size=16).hexdigest()
        acts = self._shared.get_or_make(
            ("word activations", id(self._model), hook_name, self._position, text),
            lambda: self._read(prompts, hook_name),
            only_if_room=True,
        )
        return None, {hook_name: _AtPosition(acts, self._position)}

    def _read(self, prompts: Sequence[str], hook_name: str) -> Float[Tensor, "n_prompts d_in"]:
        def read(n_prompts: int) -> Tensor:
            parts: list[Tensor] = []
            for start in range(0, len(prompts), n_prompts):
                _, cache = self._model.run_with_cache(
                    list(prompts[start : start + n_prompts]),
                    names_filter=[hook_name],
                    stop_at_layer=self._layer + 1,
                )
                # a copy: a view would hold all positions
                parts.append(cache[hook_name][:, self._position, :].clone())
            return torch.cat(parts)

        halved = halving_batch(read, len(prompts))
        self.halvings += halved.halvings
        return halved.result


class _AtPosition:
    """Activations [batch, position, d_in] of which only one position is there."""

    def __init__(self, acts: Tensor, position: int) -> None:
        self._acts, self._position = acts, position

    def __getitem__(self, place: tuple[slice, int, slice]) -> Tensor:
        assert place[1] == self._position, "SAE-Bench reads the position that it was told"
        return self._acts


class FewerCodes:
    """Encodes the training words once for all sparse probes, which SAE-Bench does for each.

    260 probes read at most ten latents of each letter; these columns are kept from one pass. The
    numbers are those of SAE-Bench's own passes: batches are the same.
    """

    def __init__(self, max_k: int) -> None:
        self._max_k = max_k
        self._train = k_sparse_probing.train_sparse_multi_probe
        self._encode: Callable[..., Tensor] = k_sparse_probing._get_sae_acts  # pyright: ignore[reportPrivateUsage]
        self._probe: Any = None
        self._kept: _Columns | None = None

    def within(self) -> contextlib.AbstractContextManager[None]:
        """Replace SAE-Bench's functions within a context."""
        return replaced(
            k_sparse_probing,
            train_sparse_multi_probe=self._training,
            _get_sae_acts=self._codes,
        )

    def _training(self, *args: Any, **options: Any) -> Any:
        self._probe = self._train(*args, **options)
        return self._probe

    def _codes(
        self,
        sae: Any,
        input_activations: Tensor,
        batch_size: int = 4096,
        sparse_feat_ids: Tensor | None = None,
    ) -> Tensor:
        if sparse_feat_ids is None:
            return self._encode(sae, input_activations, batch_size=batch_size)
        kept = self._kept
        if kept is None or kept.read is not input_activations:
            chosen = self._probe.weights.topk(self._max_k, dim=-1).indices.flatten().unique()
            codes = self._encode(
                sae, input_activations, batch_size=batch_size, sparse_feat_ids=chosen
            )
            kept = self._kept = _Columns(input_activations, chosen, codes)
        places = torch.searchsorted(kept.latents, sparse_feat_ids).clamp(max=len(kept.latents) - 1)
        if not torch.equal(kept.latents[places], sparse_feat_ids):  # ties may be cut otherwise
            return self._encode(
                sae, input_activations, batch_size=batch_size, sparse_feat_ids=sparse_feat_ids
            )
        return kept.codes[:, places]


class _Columns(NamedTuple):
    read: Tensor
    """The activations that were encoded, by identity."""
    latents: Tensor
    """In ascending order."""
    codes: Tensor
    """Theirs, [n, n_latents]."""


class _NoBar:
    """What SAE-Bench does with a bar, without one."""

    def __init__(self, items: Any = None) -> None:
        self._items = items

    def __iter__(self) -> Any:
        return iter(self._items)

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave errors alone."""

    def set_postfix(self, *_: Any) -> None:
        """Show nothing."""

    def update(self, _: int = 1) -> None:
        """Show nothing."""


def _no_bar(items: Any = None, *_: Any, **__: Any) -> _NoBar:
    return _NoBar(items)
