"""Every loss term on a GPU against the same on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
import torch

from csae_bench.saes.views import Views
from tests.unit.saes.losses.builders import (
    ALL_TERMS,
    gradients,
    random_views,
    some_alike,
    term_of,
)

DEVICE = "cuda"


def on_gpu(value: Any) -> Any:
    """The same with every tensor on the GPU."""
    if isinstance(value, torch.Tensor):
        return value.to(DEVICE)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(on_gpu(each) for each in value))
    if isinstance(value, Mapping):
        return {key: on_gpu(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: on_gpu(getattr(value, field.name)) for field in fields(value)}
        return replace(value, **changed)
    return value


def batch(dtype: torch.dtype) -> tuple[Views, Views]:
    """One batch on the CPU, and on the GPU; no term samples so many latents that it must draw."""
    views = random_views(64, 48, pairs=some_alike(64))
    views = replace(
        views, codes=views.codes.to(dtype), pre_activations=views.pre_activations.to(dtype)
    )
    views = replace(views, generator=None)
    return views, on_gpu(views)


@pytest.mark.parametrize("name", ALL_TERMS)
# sums in another order: in float32 a few units in the last place of numbers up to 100 times the
# result, in float64 far below what a wrong formula would change
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-5), (torch.float32, 1e-4)], ids=["f64", "f32"]
)
def test_term_is_equal_on_gpu_and_cpu(name: str, dtype: torch.dtype, tolerance: float) -> None:
    here, there = batch(dtype)
    term = term_of(name)
    on_cpu, on_gpu = term(here), term(there)
    assert on_gpu.value.device.type == DEVICE
    assert on_gpu.n_compared == on_cpu.n_compared > 0
    assert float(on_gpu.value) == pytest.approx(float(on_cpu.value), rel=tolerance)
    for ours, expected in zip(gradients(there, term), gradients(here, term), strict=True):
        scale = float(expected.abs().max())
        assert torch.allclose(ours.cpu(), expected, rtol=0, atol=tolerance * scale + 1e-12)


@pytest.mark.parametrize("name", ["rows", "triplet", "columns", "barlow", "cross_view"])
def test_term_stays_float32_under_autocast(name: str) -> None:
    here, there = batch(torch.float32)
    term = term_of(name)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        on_gpu = term(there)
    # as precise as without autocast; bfloat16 would be off by 1e-3 and more
    assert float(on_gpu.value) == pytest.approx(float(term(here).value), rel=1e-4)
