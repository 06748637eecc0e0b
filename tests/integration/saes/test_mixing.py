"""How mixtures are made: donors, chosen latents, the mixed activations and their encoding."""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from csae_bench.saes import losses
from csae_bench.saes.mixing import choose_latents, donors, mix
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.views import LatentStatistics, Mixture, Views
from tests.unit.saes.losses.builders import (
    all_apart,
    are_alike,
    random_views,
    some_alike,
    statistics_of,
    views_of,
)

N_PAIRS = 40


class Scene(NamedTuple):
    """An SAE, activations, and the views of them."""

    sae: Any
    acts: Tensor
    views: Views


def scene(
    make_sae: Any, architecture: str, *, pairs: PairIds | None = None, **fields: Any
) -> Scene:
    sae = make_sae(architecture, **fields)
    with torch.no_grad():  # decoder rows of different lengths, a bias, and thresholds
        sae.W_dec *= torch.linspace(0.5, 2, len(sae.W_dec))[:, None]
        sae.b_dec += torch.linspace(-1, 1, len(sae.b_dec))
    pairs = all_apart(N_PAIRS) if pairs is None else pairs
    generator = torch.Generator().manual_seed(1)
    shared = torch.randn(len(pairs), 1, sae.cfg.d_in, generator=generator)
    own = torch.randn(len(pairs), 2, sae.cfg.d_in, generator=generator)
    acts = (shared + 0.5 * own).flatten(0, 1)
    codes, pre = sae.encode_with_hidden_pre(acts)
    views = Views(
        codes=codes,
        pre_activations=pre,
        pairs=pairs,
        statistics=statistics_of(codes.detach()),
        generator=torch.Generator().manual_seed(2),
    )
    return Scene(sae, acts, views)


def mixture_of(scene: Scene, share: float = 0.5, temperature: float = 0.5) -> Mixture:
    return mix(
        scene.sae,
        scene.acts,
        scene.views,
        targeting="targeted",
        temperature=temperature,
        share=share,
    )


def the_same_draws(scene: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Donors, whether there is one, and chosen latents, as `mix` draws them with the same seed."""
    views = replace(scene.views, generator=torch.Generator().manual_seed(2))
    donor, has_donor = donors(views)
    return donor, has_donor, choose_latents(views, targeting="targeted", temperature=0.5, share=0.5)


RESCALED = ["contrastive_topk", "contrastive_batchtopk", "contrastive_matryoshka_batchtopk"]
BACKBONES = [
    *[(name, {}) for name in ("contrastive", "contrastive_jumprelu")],
    *[
        (name, {"rescale_acts_by_decoder_norm": rescale})
        for name in RESCALED
        for rescale in (False, True)
    ],
]


@pytest.mark.parametrize(("architecture", "fields"), BACKBONES)
def test_a_mixture_is_the_anchor_moved_by_what_the_decoder_makes_of_the_exchange(
    make_sae: Any, architecture: str, fields: dict[str, Any]
) -> None:
    here = scene(make_sae, architecture, **fields)
    mixture = mixture_of(here)
    donor, has_donor, chosen = the_same_draws(here)
    anchors = here.views.codes[0::2].detach()
    exchanged = chosen | chosen[donor]
    mixed_codes = torch.where(exchanged, anchors[donor], anchors)
    with torch.no_grad():
        difference = here.sae.decode(mixed_codes) - here.sae.decode(anchors)
        error = here.acts[0::2] - here.sae.decode(anchors)
        mixed = here.sae.decode(mixed_codes) + error
    assert torch.allclose(mixed, here.acts[0::2] + difference, atol=1e-5)
    low, high = here.acts.norm(dim=1).quantile(torch.tensor([0.01, 0.99]))
    kept = has_donor & exchanged.any(1) & (mixed.norm(dim=1) >= low) & (mixed.norm(dim=1) <= high)
    assert 0 < kept.sum() < N_PAIRS
    assert torch.equal(mixture.anchors, kept.nonzero().squeeze(1))
    assert torch.equal(mixture.exchanged, exchanged[kept])
    codes, pre = here.sae.encode_with_hidden_pre(mixed[kept])
    # Two orders of the same float32 sums.
    assert torch.allclose(mixture.pre_activations, pre, atol=1e-5)
    assert torch.allclose(mixture.codes, codes, atol=1e-5)


def test_the_reconstruction_error_is_kept(architecture: str, make_sae: Any) -> None:
    here = scene(make_sae, architecture)
    with torch.no_grad():
        # What the decoder cannot write stays as it was.
        here.sae.W_dec[:, 0] = 0
    encoded: list[Tensor] = []
    here.sae.hook_sae_input.add_hook(lambda value, hook: encoded.append(value))
    mixture = mixture_of(here)
    original = here.acts[0::2][mixture.anchors]
    here.sae.encode_with_hidden_pre(original)
    mixed, unmixed = encoded
    assert len(mixed) > 0
    assert torch.equal(mixed[:, 0], unmixed[:, 0])
    assert not torch.allclose(mixed[:, 1], unmixed[:, 1])


def test_gradients_flow_through_the_encoding_of_a_mixture_alone(
    architecture: str, make_sae: Any
) -> None:
    here = scene(make_sae, architecture)
    acts = here.acts.clone().requires_grad_()
    mixture = mixture_of(here._replace(acts=acts))
    mixture.pre_activations.square().sum().backward()
    assert acts.grad is None
    assert here.sae.b_enc.grad.abs().sum() > 0
    # All of what the bias gets by this one encoding; by the views' own codes it would get more.
    expected = 2 * mixture.pre_activations.detach()
    if getattr(here.sae.cfg, "rescale_acts_by_decoder_norm", False):
        expected = expected * here.sae.W_dec.detach().norm(dim=1)
    assert torch.allclose(here.sae.b_enc.grad, expected.sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ["contrastive_topk", "contrastive_jumprelu"])
def test_no_gradient_of_a_mixture_reaches_the_codes_of_the_views(
    make_sae: Any, architecture: str
) -> None:
    here = scene(make_sae, architecture)
    mixture = mixture_of(here)
    gradients = torch.autograd.grad(
        mixture.codes.sum() + mixture.pre_activations.sum(),
        (here.views.codes, here.views.pre_activations),
        allow_unused=True,
    )
    assert gradients == (None, None)


@pytest.mark.parametrize("n_pairs", [1, 6])
def test_one_sequence_has_no_mixture_and_the_term_is_zero(
    architecture: str, make_sae: Any, n_pairs: int
) -> None:
    one_sequence = PairIds(torch.zeros(n_pairs, dtype=torch.int64))
    here = scene(make_sae, architecture, pairs=one_sequence)
    mixture = mixture_of(here)
    assert len(mixture.anchors) == len(mixture.codes) == len(mixture.exchanged) == 0
    value = losses.mixing(replace(here.views, mixture=mixture))
    assert (float(value.value), value.n_compared) == (0.0, 0)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_no_mixture_is_made_of_a_row_that_is_not_finite(make_sae: Any, broken: float) -> None:
    here = scene(make_sae, "contrastive_jumprelu")
    here.acts[3, 2] = broken
    codes, pre = here.sae.encode_with_hidden_pre(here.acts)
    views = replace(here.views, codes=codes, pre_activations=pre)
    mixture = mixture_of(here._replace(views=views))
    assert mixture.pre_activations.isfinite().all()
    if math.isnan(broken):
        assert len(mixture.anchors) == 0


def test_a_mixture_of_unusual_length_is_left_out(make_sae: Any) -> None:
    usual = scene(make_sae, "contrastive_jumprelu")
    with torch.no_grad():
        usual.sae.b_dec.zero_()
        usual.sae.W_dec.mul_(1e-5)  # mixtures have the length of their anchors, but for 1e-5
    acts = usual.acts / usual.acts.norm(dim=1, keepdim=True)
    acts = acts * torch.linspace(1, 1.02, len(acts))[:, None]
    # Anchor 0 is the shortest of the 80 rows, so below their 1% quantile.
    assert mixture_of(usual._replace(acts=acts)).anchors.tolist() == list(range(1, N_PAIRS))
    acts[2 * 7] *= 50
    kept = mixture_of(usual._replace(acts=acts)).anchors.tolist()
    assert kept == [pair for pair in range(1, N_PAIRS) if pair != 7]


@pytest.mark.parametrize("seed", range(4))
def test_a_donor_shares_neither_sequence_nor_group(seed: int) -> None:
    views = random_views(pairs=some_alike(24, seed), seed=seed)
    donor, has_donor = donors(views)
    for i, j in enumerate(donor.tolist()):
        apart = [k for k in range(24) if not are_alike(views.pairs, i, k)]
        assert bool(has_donor[i]) == bool(apart)
        assert not apart or j in apart


def test_a_pair_that_is_like_all_others_has_no_donor() -> None:
    views = random_views(3, pairs=PairIds(torch.tensor([0, 1, 0]), torch.tensor([0, 1, 1])))
    donor, has_donor = donors(views)
    assert has_donor.tolist() == [True, True, False]
    assert donor[:2].tolist() == [1, 0]


def test_every_other_pair_is_a_donor_equally_often() -> None:
    views = random_views(5, 12, pairs=PairIds(torch.tensor([0, 0, 1, 2, 3])))
    drawn = torch.zeros(5, 5)
    for _ in range(2000):
        drawn[torch.arange(5), donors(views)[0]] += 1
    assert torch.equal(drawn > 0, views.pairs.negatives())
    # Binomial of 2000 draws at 1/3: a standard deviation of 21; 5 of them.
    assert (drawn[0, 2:] - 2000 / 3).abs().max() < 105


def firing(n_active: list[int], n_latents: int = 60) -> Views:
    """Anchors in which so many latents are active."""
    codes = torch.zeros(len(n_active), n_latents)
    generator = torch.Generator().manual_seed(0)
    for i, n in enumerate(n_active):
        codes[i, torch.randperm(n_latents, generator=generator)[:n]] = 1.0
    return views_of(codes, codes)


@pytest.mark.parametrize("targeting", ["targeted", "random"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.75, 1.0])
def test_the_share_of_the_active_latents_is_chosen_rounded_up(targeting: Any, share: float) -> None:
    n_active = [0, 1, 2, 3, 7, 10, 20, 50, 60]
    views = firing(n_active)
    chosen = choose_latents(views, targeting=targeting, temperature=0.5, share=share)
    expected = [math.ceil(round(share * n, 6)) for n in n_active]
    assert chosen.sum(1).tolist() == expected
    assert not (chosen & ~views.active[0::2]).any()


LIFT = [1.0, 2.0, 3.0, 5.0, 8.0]


def with_lift(lift: list[float], n_pairs: int, rate: float = 0.1) -> Views:
    """Anchors in which all latents are active, and statistics with these lifts."""
    ones, zeros = torch.ones(n_pairs, len(lift)), torch.zeros(len(lift))
    both = torch.tensor(lift) * rate**2
    statistics = LatentStatistics(
        torch.full_like(zeros, rate), both, zeros, zeros + 1, torch.tensor(1.0)
    )
    return views_of(ones, ones, statistics=statistics)


def first_choices(temperature: float, targeting: Any = "targeted", n_pairs: int = 6000) -> Tensor:
    """How often each latent is the one that is chosen."""
    chosen = choose_latents(
        with_lift(LIFT, n_pairs), targeting=targeting, temperature=temperature, share=0.2
    )
    assert (chosen.sum(1) == 1).all()
    return chosen.sum(0).double()


def test_a_low_temperature_takes_the_highest_lift() -> None:
    assert first_choices(1e-3).tolist() == [0, 0, 0, 0, 6000]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_latents_are_chosen_with_odds_of_their_lift_to_the_power_of_the_temperature(
    temperature: float,
) -> None:
    expected = torch.tensor(LIFT, dtype=torch.float64) ** (1 / temperature)
    expected *= 6000 / expected.sum()
    chi_square = ((first_choices(temperature) - expected).square() / expected).sum()
    # 4 degrees of freedom: p = 0.001 at 18.5.
    assert chi_square < 18.5


@pytest.mark.parametrize(
    ("targeting", "temperature"), [("targeted", math.inf), ("random", 0.01), ("random", math.inf)]
)
def test_an_infinite_temperature_and_random_choose_evenly(
    targeting: str, temperature: float
) -> None:
    chi_square = ((first_choices(temperature, targeting) - 1200).square() / 1200).sum()
    # 4 degrees of freedom: p = 0.001 at 18.5.
    assert chi_square < 18.5


def test_a_latent_that_never_fires_in_both_views_is_chosen_last() -> None:
    views = with_lift([0.0, 1.0, 1.0, 1.0], 500)
    chosen = choose_latents(views, targeting="targeted", temperature=0.5, share=0.75)
    assert chosen.sum(0).tolist() == [0, 500, 500, 500]


def test_the_same_generator_makes_the_same_mixture(make_sae: Any) -> None:
    one, other = (mixture_of(scene(make_sae, "contrastive_batchtopk")) for _ in range(2))
    assert torch.equal(one.anchors, other.anchors)
    assert torch.equal(one.codes, other.codes)
