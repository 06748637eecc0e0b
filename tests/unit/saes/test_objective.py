"""What the contrastive mixin adds to a backbone, and that it adds nothing when switched off."""

import inspect
from typing import Any

import pytest
import torch
from sae_lens.saes.sae import TrainCoefficientConfig, TrainStepInput

from csae_bench.errors import ConfigError, TrainingError, UnknownNameError
from csae_bench.loss_terms import LOSS_TERMS, TermSettings
from csae_bench.saes import losses
from csae_bench.saes.contrastive import ARCHITECTURES
from csae_bench.saes.losses import rows

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


@pytest.mark.parametrize(("name", "settings"), LOSS_TERMS.items())
def test_each_term_of_the_table_has_a_function_that_takes_its_own_settings(
    name: str, settings: type[TermSettings]
) -> None:
    parameters = inspect.signature(getattr(losses, name)).parameters.values()
    by_keyword = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
    own = settings.model_fields.keys() - TermSettings.model_fields.keys()
    assert by_keyword == own - {"on", "latent_fraction"}


def test_a_term_adds_its_coefficient_times_its_value_to_the_loss(
    architecture: str, make_sae: Any, make_step: Any
) -> None:
    sae, twin = make_sae(architecture, losses=ON), make_sae(architecture)
    step = make_step(sae)
    output, without = sae.training_forward_pass(step), twin.training_forward_pass(plain(step))
    codes = output.feature_acts
    value = rows(codes[0::2], codes[1::2], step.pairs, temperature=0.1)
    assert torch.equal(output.metrics["raw/rows"], value)
    assert torch.equal(output.losses["rows"], 0.5 * value)
    assert torch.equal(output.loss, without.loss + 0.5 * value)
    assert set(output.losses) == {*without.losses, "rows"}
    assert not output.metrics["raw/rows"].requires_grad


def test_a_term_moves_the_weights(architecture: str, make_sae: Any, make_step: Any) -> None:
    gradients = []
    for terms in ({}, ON):
        sae = make_sae(architecture, losses=terms)
        sae.training_forward_pass(make_step(sae)).loss.backward()
        gradients.append(sae.W_enc.grad)
    assert not torch.equal(*gradients)


@pytest.mark.parametrize("losses", [{}, {"rows": {"weight": 0}}], ids=["none", "weight 0"])
def test_a_term_that_is_off_changes_nothing_and_needs_no_pairs(
    architecture: str, make_sae: Any, make_step: Any, losses: dict[str, Any]
) -> None:
    row, sae = ARCHITECTURES[architecture], make_sae(architecture, losses=losses)
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


def test_the_term_is_float32_inside_autocast(
    architecture: str, make_sae: Any, make_step: Any
) -> None:
    sae = make_sae(architecture, losses=ON)
    step = make_step(sae)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = sae.training_forward_pass(step)
    codes = output.feature_acts.float()
    expected = rows(codes[0::2], codes[1::2], step.pairs, temperature=0.1)
    assert output.losses["rows"].dtype == torch.float32
    assert torch.equal(output.metrics["raw/rows"], expected)
    output.loss.backward()
    assert sae.W_enc.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_sparse_activations_of_sae_lens_give_the_same_term(make_sae: Any, make_step: Any) -> None:
    dense = make_sae("contrastive_topk", losses=ON)
    sparse = make_sae("contrastive_topk", losses=ON, use_sparse_activations=True)
    values = [
        sae.training_forward_pass(make_step(sae)).metrics["raw/rows"].item()
        for sae in (dense, sparse)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_the_config_holds_all_settings_of_a_term(make_sae: Any) -> None:
    sae = make_sae("contrastive", losses={"rows": {"weight": 0.5}})
    assert sae.cfg.losses == {
        "rows": {
            "weight": 0.5,
            "warm_up_steps": 0,
            "temperature": 0.2,
            "latent_fraction": 1.0,
            "on": "codes",
        }
    }


def test_an_unknown_term_is_refused_with_a_suggestion(make_sae: Any) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'rows'"):
        make_sae("contrastive", losses={"row": {"weight": 1.0}})


def test_all_wrong_settings_of_the_terms_are_reported_at_once(make_sae: Any) -> None:
    wrong = {"rows": {"temperature": -1, "temprature": 0.1}}
    with pytest.raises(ConfigError) as caught:
        make_sae("contrastive", losses=wrong)
    assert len(caught.value.problems) == 2
    assert "losses.rows.temperature is -1" in str(caught.value)
    assert "losses.rows.temprature is 0.1" in str(caught.value)
