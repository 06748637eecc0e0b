"""Activations as whole sequences: of a language model on text, or of seeded sparse features.

A source is deterministic and knows its place as one number, the sequences drawn so far; a source
that was restored continues with the very sequences the first one would have given next.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from csae_bench.activations.fused_attention import fused_attention
from csae_bench.activations.reading import ReadActivations, activations_at, check_hook
from csae_bench.config import GeneratorActivations, ModelActivations
from csae_bench.corpora import open_corpus
from csae_bench.errors import DataError
from csae_bench.support.transfers import to_device

if TYPE_CHECKING:
    from sae_lens.training.activations_store import ActivationsStore
    from transformer_lens import HookedTransformer


class Sequences(NamedTuple):
    """Activations in the order of their tokens."""

    acts: Float[Tensor, "n_seq n_pos d_in"]
    usable: Bool[Tensor, "n_seq n_pos"]
    """False at special tokens, which never train."""
    ids: Int64[Tensor, "n_seq n_pos"]
    """Number of the sequence that a position belongs to. Texts are packed into windows of the
    model's context; each text within a window is a sequence of its own."""


@runtime_checkable
class ActivationSource(Protocol):
    """Source that sequences are drawn from."""

    d_in: int
    """Width of an activation."""
    context_size: int
    """Positions in a window."""
    epochs: int
    """Passes over a finite dataset that are complete."""
    windows_per_epoch: int | None
    """Windows in one pass; none until a pass is complete."""

    def next_sequences(self) -> Sequences:
        """Return the next windows, as many as one forward pass takes."""
        ...

    def state_dict(self) -> dict[str, int]:
        """Return the source's place."""
        ...

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume from the place `state` was taken at; on a source that was not used yet."""
        ...


class ModelSource:
    """Activations at the hook of a SAELens activations store.

    A dataset that ends is started over with a warning, without losing the sequences of the batch
    it ends in. Special tokens are those the tokenizer calls special and those that mark the turns
    of a chat; SAELens's own list leaves out the latter.
    """

    epochs = 0
    windows_per_epoch: int | None = None

    def __init__(self, store: ActivationsStore, read: ReadActivations | None = None) -> None:
        """Build a source that has drawn nothing yet.

        Args:
            store: makes the tokens.
            read: reads them in its place; the store's device is then that of the tokens alone.
        """
        self._store, self._read = store, read
        self.d_in = store.d_in
        self.context_size = store.training_context_size
        tokenizer: Any = store.model.tokenizer
        self._special = torch.tensor(special_token_ids(tokenizer), dtype=torch.long)
        boundaries = {tokenizer.bos_token_id, tokenizer.eos_token_id} - {None}
        self._boundaries = torch.tensor(sorted(boundaries), dtype=torch.long)
        self._n_drawn = 0
        self._n_drawn_before_epoch = 0

    def next_sequences(self) -> Sequences:
        """Return the next `store_batch_size_prompts` windows."""
        first = self._n_drawn
        tokens = self.next_windows()
        acts = self.activations(tokens)
        ids = self._ids(tokens.cpu(), first)
        kept = slice(*self._store.seqpos_slice)
        usable = ~torch.isin(tokens.cpu(), self._special)
        return Sequences(acts, usable[:, kept], ids[:, kept])

    def next_windows(self) -> Int64[Tensor, "n_seq n_tokens"]:
        """Return the tokens of the next `store_batch_size_prompts` windows."""
        n_windows = self._store.store_batch_size_prompts
        return torch.stack([self._next_window() for _ in range(n_windows)])

    def activations(
        self, tokens: Int64[Tensor, "n_seq n_tokens"]
    ) -> Float[Tensor, "n_seq n_pos d_in"]:
        """Return the activations of windows."""
        with torch.no_grad(), fused_attention(self._store.model):
            if self._read is not None:
                return self._read(tokens)
            return self._store.get_activations(tokens).to(self._store.device)

    def state_dict(self) -> dict[str, int]:
        """Windows drawn since the start."""
        return {"n_drawn": self._n_drawn}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Draw as many windows again: tokens only, the model does not run."""
        while self._n_drawn < state["n_drawn"]:
            self._next_window(warns=False)

    def _next_window(self, *, warns: bool = True) -> Tensor:
        try:
            # one by one: at the end of the data, get_batch_tokens drops what it has collected
            tokens = self._store.get_batch_tokens(
                batch_size=1, raise_at_epoch_end=True, move_to_model_device=self._read is None
            )[0]
        except StopIteration:
            self._start_over()
            if warns:
                warn_of_new_epoch(self.epochs, self.windows_per_epoch, self.context_size)
            return self._next_window(warns=warns)
        self._n_drawn += 1
        return tokens

    def _start_over(self) -> None:
        self.windows_per_epoch = self._n_drawn - self._n_drawn_before_epoch
        if self.windows_per_epoch == 0:
            raise DataError(
                "The dataset is too small: all its text together does not fill one sequence of "
                f"{self._store.context_size} tokens. Add text, or lower activations.context_size."
            ) from None
        self.epochs += 1
        self._n_drawn_before_epoch = self._n_drawn

    def _ids(
        self, tokens: Int64[Tensor, "n_seq n_pos"], first: int
    ) -> Int64[Tensor, "n_seq n_pos"]:
        n_seq, n_pos = tokens.shape
        text_of_window = torch.isin(tokens, self._boundaries).cumsum(1)
        return (first + torch.arange(n_seq))[:, None] * (n_pos + 1) + text_of_window


class EpochWarning(UserWarning):
    """A finite dataset is read once more."""


def warn_of_new_epoch(n_epochs: int, n_windows: int | None, context_size: int) -> None:
    """Warn that a dataset of `n_windows` is read once more, after `n_epochs` passes."""
    warnings.warn(
        f"The dataset ended after {n_windows} sequences of {context_size} tokens; starting over "
        f"(pass {n_epochs + 1}).",
        EpochWarning,
        stacklevel=3,
    )


def model_source(
    model: HookedTransformer,
    settings: ModelActivations,
    *,
    hook_name: str,
    seed: int,
    device: str = "cpu",
) -> ModelSource:
    """Activations of the model at `hook_name`, of width d_model, on the settings' text.

    Raises:
        ModelError: the model has no such hook.
        DataError: the text is not there, or malformed.
    """
    from sae_lens.training.activations_store import ActivationsStore

    check_hook(model, hook_name)
    # for good: a cached source opens this one in a thread, where catch_warnings must not be used
    warnings.filterwarnings("ignore", "Dataset is not tokenized", UserWarning)
    store = ActivationsStore(
        model=model,
        dataset=open_corpus(settings.dataset, split="sae", seed=seed),
        streaming=True,
        hook_name=hook_name,
        hook_head_index=None,
        context_size=settings.context_size,
        d_in=model.cfg.d_model,
        # what follows is for SAELens's own buffer, which is not used
        n_batches_in_buffer=1,
        total_training_tokens=0,
        train_batch_size_tokens=1,
        normalize_activations="none",
        store_batch_size_prompts=settings.batch_size_prompts,
        prepend_bos=True,
        # tokens are made on the CPU: on a GPU each text would be a copy to wait for
        device=torch.device("cpu"),
        dtype="float32",
    )
    return ModelSource(store, activations_at(model, hook_name, device=device))


def special_token_ids(tokenizer: Any) -> list[int]:
    """Ids of every token the tokenizer marks as special, turn markers of a chat included."""
    marked = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    return sorted(marked | set(tokenizer.all_special_ids))


class GeneratorSource:
    """Sparse combinations of random directions; see `GeneratorActivations`.

    Directions have length 1 and a magnitude's median is 1, so the noise vector is `noise` long
    whatever d_in is. Batch i is made from (seed, i) alone.
    """

    epochs = 0
    windows_per_epoch: int | None = None

    def __init__(
        self, settings: GeneratorActivations, seed: int, *, device: torch.device | str = "cpu"
    ) -> None:
        self._settings = settings
        self._seed = seed
        self._device = device
        self.d_in = settings.d_in
        self.context_size = settings.context_size
        self._n_batches = 0
        directions = torch.randn(
            settings.n_features, settings.d_in, generator=_generator(seed, "directions")
        )
        self._directions = directions.div_(directions.norm(dim=1, keepdim=True)).to(device)

    def next_sequences(self) -> Sequences:
        """Return the next `batch_size_prompts` sequences; every position is usable."""
        world, generator = self._settings, _generator(self._seed, "batch", self._n_batches)
        n_seq, n_pos = world.batch_size_prompts, world.context_size
        slow = torch.randint(
            world.n_features, (n_seq, 1, world.n_slow_features), generator=generator
        )
        fast = torch.randint(
            world.n_features, (n_seq, n_pos, world.n_fast_features), generator=generator
        )
        active = torch.cat([slow.expand(-1, n_pos, -1), fast], dim=2)
        magnitudes = torch.randn(active.shape, generator=generator).mul_(LOG_MAGNITUDE_STD).exp_()
        noise = torch.randn(n_seq, n_pos, world.d_in, generator=generator)
        acts = to_device(noise.mul_(world.noise / world.d_in**0.5), self._device)
        acts.view(-1, world.d_in).add_(
            self._combine(active.flatten(0, 1), magnitudes.flatten(0, 1))
        )
        ids = torch.arange(n_seq) + self._n_batches * n_seq
        self._n_batches += 1
        return Sequences(
            acts, torch.ones(n_seq, n_pos, dtype=torch.bool), ids[:, None].expand(-1, n_pos)
        )

    def state_dict(self) -> dict[str, int]:
        """Batches made since the start."""
        return {"n_batches": self._n_batches}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume with the batch that follows."""
        self._n_batches = state["n_batches"]

    def _combine(
        self, active: Int64[Tensor, "n n_active"], magnitudes: Float[Tensor, "n n_active"]
    ) -> Float[Tensor, "n d_in"]:
        return torch.nn.functional.embedding_bag(
            to_device(active, self._device),
            self._directions,
            mode="sum",
            per_sample_weights=to_device(magnitudes, self._device),
        )


LOG_MAGNITUDE_STD = 0.5
"""Standard deviation of the logarithm of a feature's magnitude; its median is 1."""


def _generator(seed: int, purpose: str, number: int = 0) -> torch.Generator:
    """Make a generator for one purpose, independent of every other seed, purpose and number."""
    entropy = [seed, number, *purpose.encode()]
    return torch.Generator().manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
