"""Sources of activations."""

from __future__ import annotations

from typing import ClassVar, Literal

from csae_bench.config.base import Count, NonNegative, Settings


class ModelActivations(Settings):
    """Activations of a language model on text."""

    kind: Literal["model"] = "model"

    dataset: str = "tinyworld"
    """`tinyworld` (the text of tinyworld), `sae_probes` (English prose of the datasets that
    sae-probes ships), a folder of .jsonl or .parquet files with a `text` column, or the name of a
    dataset on the Hugging Face hub."""

    context_size: Count = 128
    """Tokens in a sequence, `<bos>` included."""

    batch_size_prompts: Count = 32
    """Sequences in one forward pass of the language model."""

    pairs_in_buffer: Count = 8192
    """Pairs held for shuffling; the buffer costs 8 * d_in bytes for each."""

    cache_gib: NonNegative = 0.0
    """GiB of activations that are kept on disk, from where other trainings on the same model, hook
    and text read them instead of running the model; 0 keeps none. The limit is that of the whole
    folder: what was not used for longest makes room."""


class GeneratorActivations(Settings):
    """Sparse combinations of random directions: activations without a language model.

    A sequence draws `n_slow_features` that stay active throughout it and, at every position,
    `n_fast_features` more, with lognormal magnitudes and Gaussian noise.
    """

    kind: Literal["generator"] = "generator"

    cache_gib: ClassVar[float] = 0.0
    """Made as fast as they could be read, so none are kept on disk."""

    d_in: Count = 2304
    """Width of an activation."""

    n_features: Count = 4608
    """Directions in the world, in superposition where above d_in."""

    n_slow_features: Count = 8
    """Number of features that a whole sequence shares; they are common to a same-sequence pair."""

    n_fast_features: Count = 24
    """Number of features drawn independently at every position."""

    noise: NonNegative = 0.05
    """Standard deviation of the noise, in units of one feature's median magnitude."""

    context_size: Count = 128
    """Positions in a sequence."""

    batch_size_prompts: Count = 32
    """Sequences made at once."""

    pairs_in_buffer: Count = 8192
    """Pairs held for shuffling."""
