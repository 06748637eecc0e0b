"""The corrected values against slow, obvious float64, and where they are undefined."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from csae_bench.upstream import sums
from csae_bench.upstream.corrected import (
    activation_values,
    alive_values,
    reconstruction_values,
)
from csae_bench.upstream.sums import (
    ActivationSums,
    LogitSums,
    activation_sums,
    clean_sums,
    logit_sums,
)

SUMMATION = 1e-12
"""Relative: float64 sums of some hundred terms in another order."""


def random_batch(seed: int = 0, n: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    acts = torch.randn(n, 7, 5, generator=g) * 3 + 2
    codes = torch.relu(torch.randn(n, 7, 11, generator=g))
    reconstructions = acts + torch.randn(n, 7, 5, generator=g)
    is_used = torch.rand(n, 7, generator=g) > 0.3
    return acts, codes, reconstructions, is_used


def sums_of(
    clean: Tensor, with_sae: Tensor, ablated: Tensor, tokens: Tensor, is_used: Tensor
) -> LogitSums:
    of_all = clean_sums(clean, ablated, tokens, is_used)
    return logit_sums(of_all, clean, with_sae, tokens, is_used)


def random_logits(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    clean, with_sae, ablated = (3 * torch.randn(2, 6, 13, generator=g) for _ in range(3))
    tokens = torch.randint(0, 13, (2, 6), generator=g)
    return clean, with_sae, ablated, tokens, torch.rand(2, 6, generator=g) > 0.3


def values_of(*batches: tuple[Tensor, Tensor, Tensor, Tensor]) -> dict[str, float | int | None]:
    total: ActivationSums | None = None
    for batch in batches:
        sums = activation_sums(*batch)
        total = sums if total is None else total + sums
    assert total is not None
    return activation_values(total).values


def test_a_latent_is_alive_that_is_ever_not_0_at_a_token_used() -> None:
    acts, codes, reconstructions, is_used = random_batch()
    codes[:] = 0
    (used, *_), (unused, *_) = is_used.nonzero().tolist(), (~is_used).nonzero().tolist()
    codes[used[0], used[1], 2] = -0.5
    codes[unused[0], unused[1], 3] = 1
    batches = [activation_sums(acts, codes, reconstructions, is_used)]
    assert alive_values(batches[0]).values["frac_alive"] == pytest.approx(1 / 11)
    codes[used[0], used[1], 5] = 1
    batches += [activation_sums(acts, codes, reconstructions, is_used)]
    values = alive_values(batches[0] + batches[1]).values
    assert values == pytest.approx({"frac_alive": 2 / 11, "dead_fraction": 9 / 11})


def test_nothing_is_alive_or_dead_without_tokens() -> None:
    acts, codes, reconstructions, is_used = random_batch()
    sums = activation_sums(acts, codes, reconstructions, torch.zeros_like(is_used))
    assert alive_values(sums).values == {"frac_alive": None, "dead_fraction": None}


def test_activation_values_agree_with_a_loop_over_tokens() -> None:
    batches = [random_batch(0), random_batch(1, n=2)]
    xs, zs, ys = [], [], []
    for acts, codes, reconstructions, is_used in batches:
        for row, column in is_used.nonzero().tolist():
            xs.append(acts[row, column].double().numpy())
            zs.append(codes[row, column].double().numpy())
            ys.append(reconstructions[row, column].double().numpy())
    n = len(xs)
    mean = sum(xs) / n
    pairs = list(zip(xs, ys, strict=True))
    residual = sum(((x - y) ** 2).sum() for x, y in pairs) / n
    norms = [(math.sqrt(x @ x), math.sqrt(y @ y)) for x, y in pairs]
    expected = {
        "explained_variance": 1 - residual / (sum(((x - mean) ** 2).sum() for x in xs) / n),
        "mse": residual,
        "l2_norm_in": sum(a for a, _ in norms) / n,
        "l2_norm_out": sum(b for _, b in norms) / n,
        "l2_ratio": sum(b / a for a, b in norms) / n,
        "relative_reconstruction_bias": sum(y @ y for y in ys) / sum(x @ y for x, y in pairs),
        "cossim": sum(x @ y / a / b for (x, y), (a, b) in zip(pairs, norms, strict=True)) / n,
        "l0": sum((z != 0).sum() for z in zs) / n,
        "l1": sum(abs(z).sum() for z in zs) / n,
        "n_tokens_sparsity_variance": n,
        "total_tokens_eval_sparsity_variance": n,
    }
    result = values_of(*batches)
    assert {name: result[name] for name in expected} == pytest.approx(expected, rel=SUMMATION)


def test_kl_and_cross_entropy_agree_with_a_loop_over_tokens() -> None:
    clean, with_sae, ablated, tokens, is_used = random_logits()

    def log_p(logits: Tensor, row: int, column: int) -> list[float]:
        exact = [float(x) for x in logits[row, column].double()]
        log_sum = math.log(math.fsum(math.exp(x) for x in exact))
        return [x - log_sum for x in exact]

    kl: dict[str, list[float]] = {"with_sae": [], "with_ablation": []}
    ce: dict[str, list[float]] = {"without_sae": [], "with_sae": [], "with_ablation": []}
    for row, column in is_used.nonzero().tolist():
        ps = log_p(clean, row, column)
        for name, logits in (("with_sae", with_sae), ("with_ablation", ablated)):
            qs = log_p(logits, row, column)
            terms = (math.exp(p) * (p - q) for p, q in zip(ps, qs, strict=True))
            kl[name].append(math.fsum(terms))
        if column + 1 < tokens.shape[1]:
            target = int(tokens[row, column + 1])
            for name, logits in zip(ce, (clean, with_sae, ablated), strict=True):
                ce[name].append(-log_p(logits, row, column)[target])

    expected = {f"kl_div_{name}": sum(v) / len(v) for name, v in kl.items()}
    expected |= {f"ce_loss_{name}": sum(v) / len(v) for name, v in ce.items()}
    expected["kl_div_score"] = 1 - expected["kl_div_with_sae"] / expected["kl_div_with_ablation"]
    expected["ce_loss_score"] = (
        expected["ce_loss_with_ablation"] - expected["ce_loss_with_sae"]
    ) / (expected["ce_loss_with_ablation"] - expected["ce_loss_without_sae"])
    expected["n_tokens_reconstruction"] = int(is_used.sum())
    expected["total_tokens_eval_reconstruction"] = int(is_used.sum())
    result = reconstruction_values(sums_of(clean, with_sae, ablated, tokens, is_used))
    assert result.values == pytest.approx(expected, rel=SUMMATION)
    assert result.reasons == {}


def test_kl_does_not_depend_on_how_many_logits_are_taken_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = sums_of(*random_logits())
    monkeypatch.setattr(sums, "CHUNK_ELEMENTS", 30)  # two positions of 13 words
    assert vars(sums_of(*random_logits())) == pytest.approx(vars(whole), rel=SUMMATION)


def test_sums_are_the_same_where_probabilities_are_too_large_to_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clean, _, ablated, tokens, is_used = random_logits()
    assert clean_sums(clean, ablated, tokens, is_used).kept is not None
    kept = sums_of(*random_logits())
    monkeypatch.setattr(sums, "KEPT_ELEMENTS", clean.numel() - 1)
    assert clean_sums(clean, ablated, tokens, is_used).kept is None
    assert sums_of(*random_logits()) == kept


def test_batches_add_up_to_their_concatenation() -> None:
    one, two = random_batch(0), random_batch(1)
    joined = tuple(torch.cat(parts) for parts in zip(one, two, strict=True))
    assert values_of(one, two) == pytest.approx(values_of(joined), rel=SUMMATION)  # pyright: ignore[reportArgumentType]


def test_explained_variance_survives_a_mean_far_above_the_deviation() -> None:
    acts, codes, reconstructions, is_used = (x.double() for x in random_batch())
    shifted = (acts + 1e6, codes, reconstructions + 1e6, is_used.bool())
    plain = values_of((acts, codes, reconstructions, is_used.bool()))
    # 1e6 costs six of float64's sixteen digits in the activations themselves.
    assert values_of(shifted)["explained_variance"] == pytest.approx(
        plain["explained_variance"], rel=1e-8
    )


def test_kl_is_finite_where_probabilities_underflow() -> None:
    clean, with_sae, ablated, tokens, is_used = random_logits()
    extreme = sums_of(clean * 500, with_sae * 500, ablated * 500, tokens, is_used)
    assert math.isfinite(extreme.kl_with_sae)
    assert extreme.kl_with_sae > 0


def test_kl_of_equal_logits_is_exactly_zero() -> None:
    clean, _, ablated, tokens, is_used = random_logits()
    assert sums_of(clean, clean, ablated, tokens, is_used).kl_with_sae == 0


def test_a_word_that_cannot_occur_adds_nothing_to_kl() -> None:
    logits = [x.clone() for x in random_logits()[:3]]
    for x in logits:
        x[..., 0] = -math.inf
    tokens, is_used = torch.ones(2, 6, dtype=torch.long), torch.ones(2, 6, dtype=torch.bool)
    assert math.isfinite(sums_of(*logits, tokens, is_used).kl_with_sae)


def test_cossim_of_a_zero_output_is_missing_with_its_count() -> None:
    acts, codes, reconstructions, is_used = random_batch()
    values, reasons = activation_values(
        activation_sums(acts, codes, torch.zeros_like(reconstructions), is_used)
    )
    n = int(is_used.sum())
    assert values["cossim"] is None
    assert values["cossim_where_defined"] is None
    assert values["n_tokens_cossim_undefined"] == n
    assert reasons["cossim"] == f"undefined for {n} of {n} tokens, where a vector is 0"


def test_one_zero_output_makes_cossim_missing_and_leaves_the_mean_over_the_others() -> None:
    acts, codes, reconstructions, is_used = random_batch()
    row, column = is_used.nonzero()[0].tolist()
    reconstructions[row, column] = 0
    others = is_used.clone()
    others[row, column] = False
    values = values_of((acts, codes, reconstructions, is_used))
    assert values["cossim"] is None
    assert values["n_tokens_cossim_undefined"] == 1
    assert values["cossim_where_defined"] == pytest.approx(
        values_of((acts, codes, reconstructions, others))["cossim"], rel=SUMMATION
    )


def test_relative_reconstruction_bias_of_a_zero_output_is_missing() -> None:
    acts, codes, reconstructions, is_used = random_batch()
    values, reasons = activation_values(
        activation_sums(acts, codes, torch.zeros_like(reconstructions), is_used)
    )
    assert values["relative_reconstruction_bias"] is None
    assert "E[x . y] = 0" in reasons["relative_reconstruction_bias"]


def test_a_perfect_reconstruction_explains_all_variance_exactly() -> None:
    acts, codes, _, is_used = random_batch()
    values = values_of((acts, codes, acts, is_used))
    assert values["explained_variance"] == 1
    assert values["mse"] == 0


def test_activations_that_do_not_vary_have_no_explained_variance() -> None:
    acts, codes, reconstructions, is_used = random_batch()
    values, reasons = activation_values(
        activation_sums(torch.ones_like(acts), codes, reconstructions, is_used)
    )
    assert values["explained_variance"] is None
    assert reasons["explained_variance"] == "the activations do not vary"


def test_without_a_token_everything_is_missing_and_says_so() -> None:
    acts, codes, reconstructions, is_used = random_batch()
    nothing = torch.zeros_like(is_used)
    values, reasons = activation_values(activation_sums(acts, codes, reconstructions, nothing))
    counts = {name for name in values if "tokens" in name}
    assert all(values[name] == 0 for name in counts)
    assert set(reasons) == set(values) - counts
    assert set(reasons.values()) == {"no token was used"}


def test_a_score_without_effect_of_ablation_is_missing() -> None:
    values, reasons = reconstruction_values(LogitSums(10, 9, 0.0, 0.0, 5.0, 5.0, 5.0))
    assert values["kl_div_score"] is None
    assert values["ce_loss_score"] is None
    assert "ablating the activation changes nothing" in reasons["ce_loss_score"]


def test_an_output_that_is_not_a_number_gives_null_with_a_reason() -> None:
    acts, codes, reconstructions, is_used = random_batch()
    reconstructions[is_used.nonzero()[0][0]] = math.nan
    values, reasons = activation_values(activation_sums(acts, codes, reconstructions, is_used))
    assert values["mse"] is None
    assert reasons["mse"] == "not a finite number (nan)"
    assert values["l2_norm_in"] is not None


def test_bfloat16_sums_are_those_of_the_same_numbers_in_float32() -> None:
    acts, codes, reconstructions, is_used = random_batch()
    narrow = [x.bfloat16() for x in (acts, codes, reconstructions)]
    wide = [x.float() for x in narrow]
    assert values_of((*narrow, is_used)) == values_of((*wide, is_used))  # pyright: ignore[reportArgumentType]
