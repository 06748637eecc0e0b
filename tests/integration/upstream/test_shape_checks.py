"""SAE-Bench's own checks of shapes, some of which refuse what works."""

from __future__ import annotations

import inspect
from typing import Any

import jaxtyping
import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from sae_bench.evals.sparse_probing import probe_training
from sae_bench.sae_bench_utils import activation_collection

from csae_bench.activations.continuing import final_logits
from csae_bench.upstream.isolation import without_shape_checks

REFUSED = (jaxtyping.TypeCheckError, BeartypeCallHintViolation)
"""What functions raise that carry both of their decorators, and what those with beartype alone."""


def _probe() -> dict[str, float]:
    torch.manual_seed(0)
    acts = {name: torch.randn(20, 4) for name in ("a", "b")}
    _, accuracies = probe_training.train_probe_on_activations(acts, acts, select_top_k=2)
    return accuracies


@pytest.mark.filterwarnings("ignore:'penalty' was deprecated:FutureWarning")  # of SAE-Bench's call
def test_sae_benchs_probes_are_refused_by_its_own_shapes_unless_these_are_switched_off() -> None:
    with pytest.raises(REFUSED, match="train_dataset_size"):
        _probe()  # where this passes, SAE-Bench has mended its shapes
    with without_shape_checks(probe_training):
        assert set(_probe()) == {"a", "b"}
    with pytest.raises(REFUSED):
        _probe()


def test_an_error_leaves_sae_benchs_functions_as_they_were() -> None:
    with pytest.raises(ZeroDivisionError), without_shape_checks(probe_training):
        raise ZeroDivisionError
    functions = [f for f in vars(probe_training).values() if inspect.isfunction(f)]
    assert not any(hasattr(f, "__no_type_check__") for f in functions)


def test_our_own_shapes_are_checked_where_sae_benchs_are_not(toy_model: Any) -> None:
    with (
        without_shape_checks(activation_collection, probe_training),
        pytest.raises(jaxtyping.TypeCheckError),
    ):
        final_logits(toy_model, "blocks.1.hook_resid_post", torch.zeros(2, 16))
