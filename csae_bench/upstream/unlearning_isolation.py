"""Passes SAE-Bench's unlearning eval what it would look up by name, and undoes its effects."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import torch
from sae_bench.evals.unlearning.utils import feature_activation, metrics
from sae_bench.sae_bench_utils import activation_collection
from transformer_lens import HookedTransformer

from csae_bench.engines.unlearning.data import UnlearningData
from csae_bench.upstream.isolation import isolated, without_shape_checks

CHAT_MODEL = "gemma-2-2b-it"
"""The name under which SAE-Bench asks in Gemma's chat format; any other raises there."""


@contextlib.contextmanager
def sae_bench_sees(
    model: HookedTransformer, data: UnlearningData, *, seed: int, progress: bool = False
) -> Generator[list[str], None, None]:
    """Give SAE-Bench's unlearning functions `data`, and let `model` pass for an instruct Gemma.

    Within, the generators of random, numpy and torch start from `seed`: SAE-Bench seeds two of
    them elsewhere and numpy's never. On leaving, also by an error, generators, gradient mode,
    SAE-Bench's module globals and the model's name are what they were. Yields the list of
    `isolation.isolated`.
    """
    rows = {
        name: [question._asdict() for question in asked] for name, asked in data.questions.items()
    }

    def load_dataset(path: str, name: str, split: str | None = None) -> list[dict[str, Any]]:
        assert split == "test", f"SAE-Bench asks for {path}, {name}, {split}"
        return rows[name]

    def forget_and_retain(*_: Any, **__: Any) -> tuple[list[str], list[str]]:
        return list(data.forget_texts), list(data.retain_texts)

    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        enter(replaced(metrics, load_dataset=load_dataset))
        enter(replaced(feature_activation, get_forget_retain_data=forget_and_retain))
        if not progress:
            for module in (metrics, activation_collection):
                enter(replaced(module, tqdm=_no_bar))
        enter(without_shape_checks(activation_collection))
        enter(replaced(model.cfg, model_name=CHAT_MODEL))
        enter(seeded(seed))
        warnings = enter(isolated())
        enter(contextlib.redirect_stdout(io.StringIO()))  # it prints shapes and counts
        yield warnings


@contextlib.contextmanager
def replaced(owner: Any, **values: Any) -> Generator[None, None, None]:
    """Set attributes of a module or object to these values within the context."""
    before: Mapping[str, Any] = {name: getattr(owner, name) for name in values}
    try:
        for name, value in values.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


@contextlib.contextmanager
def seeded(seed: int) -> Generator[None, None, None]:
    """Seed the global generators within the context, and restore their state afterwards."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - SAE-Bench draws there
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def _no_bar(items: Any, *_: Any, **__: Any) -> Any:
    return items
