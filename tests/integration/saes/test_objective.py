"""What the contrastive mixin adds to a backbone, and that it adds nothing when switched off."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from sae_lens.saes.sae import TrainCoefficientConfig, TrainStepInput

from csae_bench.config.loss_terms import LOSS_TERMS
from csae_bench.errors import ConfigError, TrainingError, UnknownNameError
from csae_bench.saes import losses
from csae_bench.saes.contrastive import ARCHITECTURES
from csae_bench.saes.heads import Kinds
from csae_bench.saes.losses import rows
from csae_bench.saes.mixing import mix
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.statistics import RunningStatistics
from csae_bench.saes.views import Views
from tests.unit.saes.losses.builders import SMALL

ALL = {name: {"weight": 0.5, **SMALL.get(name, {})} for name in LOSS_TERMS}
ON = {"rows": {"weight": 0.5, "temperature": 0.1}}


def plain(step: Any) -> TrainStepInput:
    """The same step without the pairs, as SAELens's own trainer makes it."""
    return TrainStepInput(
        step.sae_in,
        step.coefficients,
        step.dead_neuron_mask,
        step.n_training_steps,
        step.is_logging_step,
    )


def gathered(sae: Any, kinds: Kinds = None) -> RunningStatistics:
    """What the SAE has gathered of the pairs of these kinds; none: of all."""
    return sae.contrast.statistics_of(kinds)


def all_of_kind(kind: str, pairs: PairIds) -> PairIds:
    """The same pairs, all of this kind, each with values of a factor in which it differs."""
    n = len(pairs)
    values = torch.stack([torch.arange(n) % 3, torch.arange(1, n + 1) % 3], dim=1)
    return replace(pairs, kinds={kind: slice(0, n)}, values=values)


def views_of(sae: Any, step: Any, output: Any, kinds: Kinds = None) -> Views:
    """What the terms of these kinds saw in this step, but for the mixture."""
    codes = output.feature_acts
    return Views(
        codes=codes.to_dense() if codes.is_sparse else codes,
        pre_activations=output.hidden_pre,
        pairs=step.pairs,
        statistics=gathered(sae, kinds).latest(),
        head=sae.contrast.head,
        learned_temperature=sae.contrast.temperature(),
        decoder_norms=sae.W_dec.detach().norm(dim=1),
        profiles=None if sae.contrast.profiles is None else sae.contrast.profiles.latest(),
    )


@pytest.mark.parametrize("name", sorted(LOSS_TERMS))
def test_a_term_adds_its_coefficient_times_its_value_to_the_loss(
    architecture: str, make_sae: Any, make_step: Any, name: str
) -> None:
    terms = {name: {"weight": 0.5, **SMALL.get(name, {})}}
    sae, twin = make_sae(architecture, losses=terms), make_sae(architecture)
    kinds = LOSS_TERMS[name]().pairs
    step = make_step(sae)
    if kinds is not None:
        step.pairs = all_of_kind(kinds[0], step.pairs)
    torch.manual_seed(5)  # of donors and exchanged latents
    output, without = sae.training_forward_pass(step), twin.training_forward_pass(plain(step))
    views = views_of(sae, step, output, kinds)
    if name == "mixing":
        torch.manual_seed(5)
        mixture = mix(sae, step.sae_in, views, targeting="targeted", temperature=0.5, share=0.5)
        views = replace(views, mixture=mixture)
    expected = getattr(losses, name)(views, **SMALL.get(name, {}))
    assert expected.value > 0
    assert torch.equal(output.terms[name].value, expected.value)
    assert output.terms[name][1:] == expected[1:]
    assert torch.equal(output.metrics[f"raw/{name}"], expected.value)
    assert torch.equal(output.losses[name], 0.5 * expected.value)
    assert torch.equal(output.loss, without.loss + 0.5 * expected.value)
    assert set(output.losses) == {*without.losses, name}
    assert not output.metrics[f"raw/{name}"].requires_grad


def test_all_terms_together_add_up(architecture: str, make_sae: Any, make_step: Any) -> None:
    sae, twin = make_sae(architecture, losses=ALL), make_sae(architecture)
    step = make_step(sae)
    output, without = sae.training_forward_pass(step), twin.training_forward_pass(plain(step))
    total = without.loss + sum(output.losses[name] for name in LOSS_TERMS)
    assert output.terms.keys() == LOSS_TERMS.keys()
    assert output.loss.item() == pytest.approx(total.item(), rel=1e-6)
    output.loss.backward()
    for key, parameter in sae.named_parameters():
        # The straight-through estimate of JumpReLU's threshold may be 0 at every row.
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


def test_the_terms_of_a_step_can_be_changed(make_sae: Any, make_step: Any) -> None:
    sae = make_sae("contrastive_topk", losses=ALL)
    step = make_step(sae)
    sae.terms = {"triplet": sae.terms["triplet"]}
    assert sae.training_forward_pass(step).terms.keys() == {"triplet"}
    sae.terms = {}
    stock = make_sae("contrastive_topk")
    assert torch.equal(
        sae.training_forward_pass(plain(step)).loss, stock.training_forward_pass(plain(step)).loss
    )


def test_statistics_are_gathered_in_training_alone(make_sae: Any, make_step: Any) -> None:
    sae = make_sae("contrastive_topk", losses=ON)
    sae.eval()
    sae.training_forward_pass(make_step(sae))
    assert gathered(sae).weight == 0
    sae.train()
    output = sae.training_forward_pass(make_step(sae))
    rate = (output.feature_acts > 0).float().mean(0)
    assert torch.allclose(gathered(sae).latest().rate, rate)


def test_a_batch_of_one_pair_is_a_step(architecture: str, make_sae: Any, make_step: Any) -> None:
    sae = make_sae(architecture, losses=ALL)
    output = sae.training_forward_pass(make_step(sae, n_pairs=1))
    output.loss.backward()
    assert output.loss.isfinite()
    assert output.terms["rows"].n_compared == output.terms["mixing"].n_compared == 0
    assert sae.W_enc.grad.isfinite().all()


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_an_activation_that_is_not_finite_shows_in_the_loss(
    architecture: str, make_sae: Any, make_step: Any, broken: float
) -> None:
    sae = make_sae(architecture, losses=ALL)
    step = make_step(sae)
    step.sae_in[3, 2] = broken
    assert not sae.training_forward_pass(step).loss.isfinite()


def test_a_term_moves_the_weights(architecture: str, make_sae: Any, make_step: Any) -> None:
    gradients = []
    for terms in ({}, ON):
        sae = make_sae(architecture, losses=terms)
        sae.training_forward_pass(make_step(sae)).loss.backward()
        gradients.append(sae.W_enc.grad)
    assert not torch.equal(*gradients)


@pytest.mark.parametrize("terms", [{}, {"rows": {"weight": 0}}], ids=["none", "weight 0"])
def test_a_term_that_is_off_changes_nothing_and_needs_no_pairs(
    architecture: str, make_sae: Any, make_step: Any, terms: dict[str, Any]
) -> None:
    row, sae = ARCHITECTURES[architecture], make_sae(architecture, losses=terms)
    stock = row.training_sae.__mro__[2](sae.cfg)
    stock.load_state_dict(sae.state_dict())
    step = plain(make_step(sae))
    output, expected = sae.training_forward_pass(step), stock.training_forward_pass(step)
    assert torch.equal(output.loss, expected.loss)
    assert output.losses.keys() == expected.losses.keys()
    assert sae.get_coefficients() == stock.get_coefficients()


def test_a_term_without_pairs_is_an_error_that_names_the_right_trainer(
    architecture: str, make_sae: Any, make_step: Any
) -> None:
    sae = make_sae(architecture, losses=ON)
    with pytest.raises(TrainingError, match=r"'rows'.*rows of this trainer are not pairs.*Runner"):
        sae.training_forward_pass(plain(make_step(sae)))


def test_a_term_has_a_coefficient_with_its_warm_up(architecture: str, make_sae: Any) -> None:
    sae = make_sae(architecture, losses={"rows": {"weight": 0.5, "warm_up_steps": 30}})
    assert sae.get_coefficients()["rows"] == TrainCoefficientConfig(0.5, 30)


def test_the_value_is_known_while_the_warm_up_holds_the_coefficient_at_zero(
    make_sae: Any, make_step: Any
) -> None:
    sae = make_sae("contrastive_topk", losses=ON)
    output = sae.training_forward_pass(make_step(sae, coefficients={"rows": 0.0}))
    assert output.losses["rows"] == 0
    assert output.metrics["raw/rows"] > 0


def test_pre_activations_give_a_gradient_to_latents_that_are_not_active(
    make_sae: Any, make_step: Any
) -> None:
    sae = make_sae("contrastive_topk", losses={"rows": {"weight": 1.0, "on": "pre_activations"}})
    output = sae.training_forward_pass(make_step(sae))
    (gradient,) = torch.autograd.grad(output.losses["rows"], output.hidden_pre)
    silent = (output.feature_acts == 0) & (output.hidden_pre > 0)
    assert gradient[silent].abs().sum() > 0
    assert torch.equal(
        gradient[output.hidden_pre <= 0], torch.zeros_like(gradient)[output.hidden_pre <= 0]
    )


def test_a_term_on_a_fraction_of_the_latents_leaves_the_others_alone(
    make_sae: Any, make_step: Any
) -> None:
    sae = make_sae("contrastive", losses={"rows": {"weight": 1.0, "latent_fraction": 0.25}})
    output = sae.training_forward_pass(make_step(sae))
    (gradient,) = torch.autograd.grad(output.losses["rows"], output.feature_acts)
    assert gradient[:, :6].abs().sum() > 0
    assert gradient[:, 6:].abs().sum() == 0


def test_a_fraction_below_one_latent_is_one_latent(make_sae: Any, make_step: Any) -> None:
    sae = make_sae("contrastive", losses={"rows": {"weight": 1.0, "latent_fraction": 1e-6}})
    assert sae.training_forward_pass(make_step(sae)).loss.isfinite()


def test_terms_are_float32_inside_autocast(
    architecture: str, make_sae: Any, make_step: Any
) -> None:
    sae = make_sae(architecture, losses=ALL)
    step = make_step(sae)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = sae.training_forward_pass(step)
    assert all(value.value.dtype == torch.float32 for value in output.terms.values())
    assert all(output.losses[name].dtype == torch.float32 for name in LOSS_TERMS)
    expected = rows(views_of(sae, step, output), **SMALL.get("rows", {})).value
    assert torch.equal(output.metrics["raw/rows"], expected)
    output.loss.backward()
    assert sae.W_enc.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_sparse_activations_of_sae_lens_give_the_same_terms(make_sae: Any, make_step: Any) -> None:
    values: list[list[float]] = []
    for is_sparse in (False, True):
        sae = make_sae("contrastive_topk", losses=ALL, use_sparse_activations=is_sparse)
        torch.manual_seed(5)
        output = sae.training_forward_pass(make_step(sae))
        values.append([float(output.metrics[f"raw/{name}"]) for name in LOSS_TERMS])
    assert values[0] == pytest.approx(values[1], rel=1e-5)


@pytest.mark.parametrize("name", sorted(LOSS_TERMS))
def test_the_config_holds_all_settings_of_a_term(make_sae: Any, name: str) -> None:
    sae = make_sae("contrastive", losses={name: {"weight": 0.5}})
    assert sae.cfg.losses == {name: LOSS_TERMS[name](weight=0.5).model_dump()}
    assert "warm_up_steps" in sae.cfg.losses[name]


def test_an_unknown_term_is_refused_with_a_suggestion(make_sae: Any) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'rows'"):
        make_sae("contrastive", losses={"row": {"weight": 1.0}})


def test_all_wrong_settings_of_the_terms_are_reported_at_once(make_sae: Any) -> None:
    wrong = {"rows": {"latent_fraction": -1, "temprature": 0.1}, "triplet": {"margin": 0}}
    with pytest.raises(ConfigError) as caught:
        make_sae("contrastive", losses=wrong)
    assert len(caught.value.problems) == 3
    assert "losses.rows.latent_fraction is -1" in str(caught.value)
    assert "losses.rows.temprature is 0.1" in str(caught.value)
    assert "losses.triplet.margin is 0" in str(caught.value)
