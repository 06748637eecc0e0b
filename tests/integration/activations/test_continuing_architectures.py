"""A pass that continues from a hook gives the whole pass's numbers, in every architecture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.activations import continuing
from csae_bench.activations.continuing import final_logits, last_residual, layer_after
from csae_bench.activations.shared import SharedPasses
from csae_bench.models.architectures import ARCHITECTURES
from csae_bench.upstream.split_model import SplitModel
from tests.model_folders import LONG, save_model


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> HookedTransformer:
    return models.load(str(save_model(tmp_path_factory.mktemp("model") / "m", request.param)))


def test_the_rest_of_a_pass_is_the_whole_pass_bit_for_bit(model: HookedTransformer) -> None:
    with torch.no_grad():
        expected, cache = model.run_with_cache(LONG)
        for layer in range(model.cfg.n_layers):
            for place in ("pre", "post"):
                hook = f"blocks.{layer}.hook_resid_{place}"
                start = layer_after(hook)
                assert start is not None
                assert torch.equal(model(cache[hook], start_at_layer=start), expected)
        assert torch.equal(final_logits(model, cache[hook]), expected)


@pytest.mark.parametrize("hook", ["hook_resid_post", "hook_mlp_out", "hook_attn_out"])
def test_a_split_model_gives_the_whole_models_logits(model: HookedTransformer, hook: str) -> None:
    name = f"blocks.1.{hook}"

    def change(acts: torch.Tensor, hook: Any) -> torch.Tensor:
        return 0.5 * acts + 1

    def standard_zero_ablate_hook(acts: torch.Tensor, hook: Any) -> torch.Tensor:
        return torch.zeros_like(acts)

    split = SplitModel(model, name, SharedPasses(n_users=2))
    with torch.no_grad():
        assert torch.equal(split(LONG), model(LONG))
        for function in (change, standard_zero_ablate_hook):
            hooks: list[tuple[str, Callable[..., Any]]] = [(name, function)]
            expected = model.run_with_hooks(LONG, fwd_hooks=hooks)
            assert torch.equal(split.run_with_hooks(LONG, fwd_hooks=hooks), expected)
            assert (expected - model(LONG)).abs().max() > 1e-2


@pytest.mark.parametrize("start", [0, 1, -1])
def test_the_last_layer_runs_at_one_position_of_each_row(
    model: HookedTransformer, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_layers = model.cfg.n_layers
    start = start % n_layers
    resid = 3 * torch.randn(3, 30, model.cfg.d_model, generator=torch.Generator().manual_seed(0))
    at = torch.tensor([29, 12, 3])  # beyond the window and within it
    with torch.no_grad():
        last_residual(model, resid, start, torch.tensor([20, 20, 20]))  # what is tried once
        monkeypatch.setattr(continuing, "_last_layer", _refuse)
        result = last_residual(model, resid, start, at)
        expected = model(resid, start_at_layer=start, stop_at_layer=n_layers)
    torch.testing.assert_close(result[:, 0], expected[torch.arange(3), at], atol=1e-4, rtol=1e-5)


def _refuse(*_: Any) -> Any:
    raise AssertionError("the layer ran at all positions")
