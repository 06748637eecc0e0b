"""Probes for first letters on a model's activations: SAE-Bench's, by content and not by name.

SAE-Bench keeps them in its own installed package, by the model's name and layer alone: other words,
prompts or weights of the same name would meet a stale probe there.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from jaxtyping import Float, Int
from sae_bench.evals.absorption import common
from sae_bench.evals.absorption.probing import LinearProbe
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from csae_bench.engines.absorption.words import LETTERS, first_letter
from csae_bench.errors import EvalError
from csae_bench.results.keys import digest
from csae_bench.upstream.absorption_isolation import StoppingModel, sae_bench_draws
from csae_bench.upstream.unlearning_isolation import replaced

_TENSORS = ("weight", "bias", "x_train", "x_test", "y_train", "y_test")


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """What decides the probes, besides the model."""

    prompt_template: str
    prompt_token_pos: int
    layer: int
    random_seed: int
    device: str


@dataclass(frozen=True, kw_only=True, eq=False)
class LetterProbes:
    """26 probes, one a letter, and the words that they are trained and tested on."""

    weight: Float[Tensor, "n_letters d_in"]
    bias: Float[Tensor, " n_letters"]
    x_train: Float[Tensor, "n_train d_in"]
    """The model's activations at the words."""
    x_test: Float[Tensor, "n_test d_in"]
    y_train: Int[Tensor, " n_train"]
    """Places of the words' letters in the alphabet."""
    y_test: Int[Tensor, " n_test"]
    words_train: tuple[str, ...]
    words_test: tuple[str, ...]

    def write(self, folder: Path, model_name: str | None, layer: int) -> None:
        """Write the files in which SAE-Bench looks for its probes."""
        place = folder / f"{model_name}" / f"layer_{layer}"
        place.mkdir(parents=True)
        with torch.random.fork_rng(devices=[]):  # its first weights are drawn
            probe = LinearProbe(self.weight.shape[1], num_outputs=len(self.weight))
        probe.load_state_dict({"fc.weight": self.weight, "fc.bias": self.bias})
        torch.save(probe.eval(), place / "probe.pth")
        np.savez(
            place / "data.npz",
            X_train=self.x_train.numpy(),
            X_test=self.x_test.numpy(),
            y_train=self.y_train.numpy(),
            y_test=self.y_test.numpy(),
        )
        for split, words in (("train", self.words_train), ("test", self.words_test)):
            pandas.DataFrame({"token": words}).to_csv(place / f"{split}_df.csv")


def letter_probes(
    model: StoppingModel, words: Sequence[str], settings: ProbeSettings
) -> LetterProbes:
    """Train SAE-Bench's probes on prompts of these words.

    Raises:
        EvalError: a letter has no word among those for training, or among those for testing.
    """
    name = model.cfg.model_name
    with (
        tempfile.TemporaryDirectory(prefix="csae-bench-") as folder,
        sae_bench_draws(words, seed=settings.random_seed),
        replaced(common, create_dataset_probe_training=_checked(settings.random_seed)),
    ):
        common.train_and_save_probes(
            model,  # pyright: ignore[reportArgumentType]
            layers=[settings.layer],
            base_template=settings.prompt_template,
            pos_idx=settings.prompt_token_pos,
            probes_dir=folder,
            device=settings.device,
        )
        place = Path(folder) / f"{name}" / f"layer_{settings.layer}"
        # SAE-Bench's format; it wrote it a moment ago, into a folder that was empty
        probe = torch.load(place / "probe.pth", map_location="cpu", weights_only=False)
        with np.load(place / "data.npz") as data:
            tensors = {key.lower(): torch.from_numpy(data[key]) for key in data}
        words_of = {split: _words(place / f"{split}_df.csv") for split in ("train", "test")}
    return LetterProbes(
        weight=probe.weights.detach(),
        bias=probe.biases.detach(),
        words_train=words_of["train"],
        words_test=words_of["test"],
        **tensors,
    )


def kept_probes(
    folder: Path | None, key: Mapping[str, Any], make: Callable[[], LetterProbes]
) -> LetterProbes:
    """Return the probes under a key, of a folder's file, made and kept if they are not there.

    Args:
        folder: none: nothing is kept.
        key: all that decides them.
    """
    if folder is None:
        return make()
    path = folder / f"probes-{digest(key)[:32]}.safetensors"
    with suppress(OSError, SafetensorError, ValueError, KeyError, TypeError):  # made again
        return _read(path)
    probes = make()
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{uuid.uuid4().hex}")
    try:
        words = json.dumps({"train": probes.words_train, "test": probes.words_test})
        tensors = {name: getattr(probes, name).contiguous() for name in _TENSORS}
        save_file(tensors, unfinished, metadata={"words": words})
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return probes


def _read(path: Path) -> LetterProbes:
    with safe_open(path, framework="pt") as file:
        words = json.loads(file.metadata()["words"])
        tensors = {name: file.get_tensor(name) for name in _TENSORS}
    return LetterProbes(
        words_train=tuple(words["train"]), words_test=tuple(words["test"]), **tensors
    )


def _words(path: Path) -> tuple[str, ...]:
    frame = pandas.read_csv(path, keep_default_na=False, na_values=[""])  # as SAE-Bench reads it
    return tuple(frame["token"])


def _checked(seed: int) -> Any:
    """Return SAE-Bench's split, refused where a letter is missing on one of its sides.

    Without a word to train on, the probes of all letters are NaN; without one to test on, its F1.
    """
    split = common.create_dataset_probe_training

    def create_dataset_probe_training(*args: Any, **options: Any) -> Any:
        sides = split(*args, **options)
        for side, rows in zip(("training", "test"), sides, strict=True):
            there = {first_letter(prompt.word) for prompt, _ in rows}
            missing = [letter for letter in LETTERS if letter not in there]
            if missing:
                raise EvalError(
                    f"No {side} word begins with {', '.join(missing)}: random_seed={seed} left "
                    "none there. Set another evals.absorption_first_letter.random_seed, or more "
                    "words_per_letter."
                )
        return sides

    return create_dataset_probe_training
