"""The last layer at one position of each row: what the whole layer gives there."""

from __future__ import annotations

import pytest
import torch
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.activations import continuing
from csae_bench.activations.continuing import last_residual


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lengths of the batches that ran through the whole last layer."""
    lengths: list[int] = []
    run = continuing._last_layer  # pyright: ignore[reportPrivateUsage]

    def counted(model: HookedTransformer, resid: torch.Tensor) -> torch.Tensor:
        lengths.append(len(resid))
        return run(model, resid)

    monkeypatch.setattr(continuing, "_last_layer", counted)
    return lengths


@pytest.mark.parametrize("start", [1, 3])
@pytest.mark.parametrize("positions", [[9, 9, 9], [11, 4, 7], [2, 11, 2]])
def test_each_row_gets_what_the_whole_model_gives_at_its_position(
    model: HookedTransformer, start: int, positions: list[int], whole: list[int]
) -> None:
    resid = 3 * torch.randn(3, 12, model.cfg.d_model, generator=torch.Generator().manual_seed(0))
    at = torch.tensor(positions)
    with torch.no_grad():
        last_residual(model, resid, start, torch.tensor([8, 8, 8]))  # what is tried once
        whole.clear()
        result = last_residual(model, resid, start, at)
        expected = model(resid, start_at_layer=start, stop_at_layer=model.cfg.n_layers)
    torch.testing.assert_close(result[:, 0], expected[torch.arange(3), at], atol=1e-4, rtol=1e-5)
    assert whole == [], "the layer ran at all positions"


def test_a_layer_that_takes_no_mask_runs_as_a_whole(
    model: HookedTransformer, monkeypatch: pytest.MonkeyPatch, whole: list[int]
) -> None:
    def refuse(*_: object) -> torch.Tensor:
        raise TypeError("unexpected keyword argument 'attention_mask'")

    monkeypatch.setattr(continuing, "_last_layer_at", refuse)
    continuing._CAN_RUN_AT_ONE_POSITION.pop(model, None)  # pyright: ignore[reportPrivateUsage]
    resid = torch.randn(2, 6, model.cfg.d_model, generator=torch.Generator().manual_seed(0))
    at = torch.tensor([5, 3])
    try:
        with torch.no_grad():
            result = last_residual(model, resid, 3, at)
            expected = model(resid, start_at_layer=3, stop_at_layer=model.cfg.n_layers)
        assert torch.equal(result[:, 0], expected[torch.arange(2), at])
    finally:
        continuing._CAN_RUN_AT_ONE_POSITION.pop(model, None)  # pyright: ignore[reportPrivateUsage]
    assert whole == [2, 2]
