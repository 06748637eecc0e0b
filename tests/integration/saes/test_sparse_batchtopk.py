"""The step from active codes alone has the losses, gradients and state of SAELens's dense step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from sae_lens.saes.batchtopk_sae import BatchTopK

from csae_bench.config.loss_terms import LOSS_TERMS
from csae_bench.saes import sparse_batchtopk
from csae_bench.saes.sparse_batchtopk import SparseBatchTopK
from csae_bench.saes.step import SparseStepOutput
from tests.unit.saes.losses.builders import SMALL

WIDE: dict[str, Any] = {"d_in": 16, "d_sae": 256, "k": 5}
TERMS = {name: {"weight": 0.5, **SMALL.get(name, {})} for name in LOSS_TERMS}
ROWS = {
    "plain": {"weight": 0.5},
    "some latents": {"weight": 0.5, "latent_fraction": 0.5},
    "weighted": {"weight": 0.5, "invariance_weighted": True},
    "learned": {"weight": 0.5, "temperature": "learned"},
    "head": {"weight": 0.5, "projection": "linear", "projection_width": 8},
    "pre-activations": {"weight": 0.5, "on": "pre_activations"},
}


def both(
    make_sae: Any, make_step: Any, monkeypatch: pytest.MonkeyPatch, *, dead: int = 0, **fields: Any
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Output of a step and the SAE with its gradients: sparse, and SAELens's dense one."""
    passes: list[tuple[Any, Any]] = []
    for density in (sparse_batchtopk._DENSEST, 0.0):  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(sparse_batchtopk, "_DENSEST", density)
        sae = make_sae("contrastive_batchtopk", **{**WIDE, **fields})
        with torch.no_grad():  # decoder rows of different lengths
            sae.W_dec *= torch.linspace(0.5, 2, len(sae.W_dec))[:, None]
        step = make_step(sae, n_pairs=64)
        step.dead_neuron_mask = torch.arange(256) < dead
        torch.manual_seed(7)  # of donors and exchanged latents
        output = sae.training_forward_pass(step)
        output.loss.backward()
        passes.append((output, sae))
    monkeypatch.undo()
    assert passes[0][0].active_codes is not None
    assert passes[1][0].active_codes is None
    return passes[0], passes[1]


def assert_equal(sparse: tuple[Any, Any], dense: tuple[Any, Any], *, at_kinks: int = 0) -> None:
    """Up to the order of float32 sums of up to 256 terms.

    Args:
        at_kinks: latents of which a pre-activation may be so near 0 that rounding says whether it
            is active; that moves the gradient of the latent's own encoder weights.
    """
    (ours, sae), (theirs, twin) = sparse, dense
    assert torch.equal(ours.feature_acts != 0, theirs.feature_acts != 0)
    for name in ("sae_out", "feature_acts", "hidden_pre", "loss"):
        assert torch.allclose(getattr(ours, name), getattr(theirs, name), atol=1e-5), name
    assert ours.losses.keys() == theirs.losses.keys()
    for name, loss in theirs.losses.items():
        assert torch.allclose(ours.losses[name], loss, rtol=1e-5), name
    assert ours.metrics.keys() == theirs.metrics.keys()
    for name, parameter in twin.named_parameters():
        largest = parameter.grad.abs().max()
        assert largest > 0, name
        error = (dict(sae.named_parameters())[name].grad - parameter.grad).abs()
        is_off = error > 1e-5 * largest
        if at_kinks and name.endswith("_enc"):  # [d_in, d_sae] or [d_sae]
            assert error.max() < 1e-4 * largest, name
            is_off = is_off.reshape(-1, len(sae.W_dec)).any(0)
            assert is_off.sum() <= at_kinks, name
        else:
            assert not is_off.any(), name
    for name, buffer in twin.named_buffers():
        assert torch.allclose(dict(sae.named_buffers())[name], buffer, atol=1e-6), name


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("apply_b_dec_to_input", [True, False])
def test_every_term_together_has_the_gradient_of_the_dense_step(
    make_sae: Any,
    make_step: Any,
    monkeypatch: pytest.MonkeyPatch,
    rescale: bool,
    apply_b_dec_to_input: bool,
) -> None:
    fields = {
        "rescale_acts_by_decoder_norm": rescale,
        "apply_b_dec_to_input": apply_b_dec_to_input,
    }
    passes = both(make_sae, make_step, monkeypatch, losses=TERMS, **fields)
    assert_equal(*passes, at_kinks=1)  # mixed rows are encoded anew


@pytest.mark.parametrize("settings", ROWS.values(), ids=ROWS)
def test_rows_reads_the_active_codes_as_it_reads_dense_ones(
    make_sae: Any, make_step: Any, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    assert_equal(*both(make_sae, make_step, monkeypatch, losses={"rows": settings}))


@pytest.mark.parametrize("n_dead", [1, 5, 60])  # below, and above, half of d_in
def test_dead_latents_have_saelens_auxiliary_loss(
    make_sae: Any, make_step: Any, monkeypatch: pytest.MonkeyPatch, n_dead: int
) -> None:
    losses = {"rows": {"weight": 0.5}}
    sparse, dense = both(make_sae, make_step, monkeypatch, losses=losses, dead=n_dead)
    assert dense[0].losses["auxiliary_reconstruction_loss"] > 0
    assert_equal(sparse, dense)


def sparse_sae(make_sae: Any, **fields: Any) -> SparseBatchTopK:
    """An SAE that steps sparsely."""
    losses = {"rows": {"weight": 0.5}}
    return make_sae("contrastive_batchtopk", **{**WIDE, "losses": losses, **fields})


def places(sae: SparseBatchTopK, values: list[float], n_wanted: int) -> list[int]:
    """Places of the largest."""
    entries = sae._places_of_largest(torch.tensor(values), n_wanted)  # pyright: ignore[reportPrivateUsage]
    return entries.tolist()


def test_the_largest_are_those_of_saelens_whatever_the_last_batch_was(make_sae: Any) -> None:
    sae = sparse_sae(make_sae)
    for scale in (1.0, 100.0, 0.01, 1.0):
        values = scale * torch.randn(40, 256, generator=torch.Generator().manual_seed(3))
        wanted = BatchTopK(5)(values).flatten().nonzero().squeeze(1)
        assert places(sae, values.flatten().tolist(), 200) == wanted.tolist()


def test_values_at_or_below_zero_are_never_active(make_sae: Any) -> None:
    assert places(sparse_sae(make_sae), [0.0, -1.0, 2.0, 0.0, 3.0], 4) == [2, 4]
    assert places(sparse_sae(make_sae), [0.0, -1.0], 1) == []


def test_of_equal_values_the_first_are_taken(make_sae: Any) -> None:
    assert places(sparse_sae(make_sae), [1.0, 3.0, 2.0, 2.0, 2.0, 0.5], 3) == [1, 2, 3]


def test_a_nan_is_active_so_that_it_shows_in_the_loss(make_sae: Any) -> None:
    sae = sparse_sae(make_sae)
    assert places(sae, [1.0, torch.nan, 2.0, 3.0], 2) == [1, 3]
    assert {1, 2} <= set(places(sae, [1.0, torch.nan, torch.nan, 3.0], 1))
    assert places(sae, [1.0, 4.0, 2.0, 3.0], 2) == [1, 3], "the floor is still a number"


def test_a_batch_without_an_active_latent_is_no_error(make_sae: Any, make_step: Any) -> None:
    sae = sparse_sae(make_sae)
    with torch.no_grad():
        sae.b_enc -= 1e6
    output = sae.training_forward_pass(make_step(sae))
    output.loss.backward()
    assert not output.feature_acts.any()
    assert output.losses["rows"] > 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in sae.parameters())


def test_hooks_see_what_they_see_in_saelens(make_sae: Any, make_step: Any) -> None:
    sae = sparse_sae(make_sae)
    seen: list[torch.Tensor] = []
    sae.hook_sae_acts_post.add_hook(lambda value, hook: seen.append(value))
    output = sae.training_forward_pass(make_step(sae))
    assert len(seen) == 1
    assert torch.equal(output.feature_acts, seen[0])


@pytest.mark.parametrize(
    "fields", [{"k": 9}, {"losses": {}}, {"normalize_activations": "layer_norm"}], ids=str
)
def test_elsewhere_the_step_is_saelens_own(
    make_sae: Any, make_step: Any, fields: dict[str, Any]
) -> None:
    sae = sparse_sae(make_sae, **fields)
    output = sae.training_forward_pass(make_step(sae))
    assert not isinstance(output, SparseStepOutput) or output.active_codes is None


def test_under_autocast_the_step_is_saelens_own(make_sae: Any, make_step: Any) -> None:
    sae = sparse_sae(make_sae)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = sae.training_forward_pass(replace(make_step(sae)))
    assert output.active_codes is None
