"""The corrected values of whole runs, and what core refuses or warns of."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from sae_lens.saes.abstopk_sae import AbsTopKSAE
from sae_lens.training.activations_store import ActivationsStore
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.corpora import open_corpus
from csae_bench.errors import ConfigError, DataError, ModelError, SaeError
from csae_bench.upstream.core import CoreOutcome, CoreSettings, run_core

Ask = Callable[..., CoreSettings]


def run(sae: SAE[Any], model: HookedTransformer, ask: CoreSettings) -> CoreOutcome:
    return run_core(sae, model, open_corpus(ask.dataset_name, split="core"), ask)


def ten_times(model: HookedTransformer) -> HookedTransformer:
    """The same function with a residual stream ten times as large."""
    scaled = copy.deepcopy(model)
    names = ("W_E", "W_pos", "W_O", "b_O", "W_out", "b_out")
    for name, parameter in scaled.named_parameters():
        if name.endswith(names):
            parameter.data *= 10
    return scaled


def sae_for_ten_times(sae: SAE[Any]) -> SAE[Any]:
    """The same SAE on activations ten times as large: equal codes, ten times the output."""
    scaled = copy.deepcopy(sae)
    scaled.W_enc.data /= 10
    scaled.W_dec.data *= 10
    scaled.b_dec.data *= 10
    return scaled


def test_corrected_values_agree_with_a_slow_evaluation_of_the_same_tokens(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    sae, ask = make_sae(), settings()
    store = ActivationsStore.from_sae(
        toy_model, sae, open_corpus(ask.dataset_name, split="core"), context_size=16
    )
    store.shuffle_input_dataset(seed=42)
    batches = [store.get_batch_tokens(4) for _ in range(3 + 5)]
    special = [toy_model.tokenizer.convert_tokens_to_ids(t) for t in ("<bos>", "<eos>", "<pad>")]  # pyright: ignore[reportOptionalMemberAccess]

    def reconstructed(acts: Tensor, hook: Any) -> Tensor:
        is_used = ~torch.isin(tokens, torch.tensor(special))
        return torch.where(is_used[..., None], sae.decode(sae.encode(acts)), acts)

    def ablated(acts: Tensor, hook: Any) -> Tensor:
        return torch.zeros_like(acts)

    kl, ce = [], []
    with torch.no_grad():
        for tokens in batches[:3]:
            clean = toy_model(tokens).double().log_softmax(-1)
            hooks = [(ask.hook_name, reconstructed)]
            with_sae = toy_model.run_with_hooks(tokens, fwd_hooks=hooks).double().log_softmax(-1)
            for row, column in (~torch.isin(tokens, torch.tensor(special))).nonzero().tolist():
                p, q = clean[row, column], with_sae[row, column]
                kl.append(float((p.exp() * (p - q)).sum()))
                if column < 15:
                    ce.append(-float(q[tokens[row, column + 1]]))
        xs, ys = [], []
        for tokens in batches[3:]:
            _, cache = toy_model.run_with_cache(tokens, names_filter=[ask.hook_name])
            acts = cache[ask.hook_name]
            is_used = ~torch.isin(tokens, torch.tensor(special))
            xs.append(acts[is_used].double())
            ys.append(sae.decode(sae.encode(acts))[is_used].double())
    x, y = torch.cat(xs), torch.cat(ys)
    expected = {
        "kl_div_with_sae": sum(kl) / len(kl),
        "ce_loss_with_sae": sum(ce) / len(ce),
        "explained_variance": float(
            1 - (x - y).square().sum(-1).mean() / (x - x.mean(0)).square().sum(-1).mean()
        ),
        "mse": float((x - y).square().sum(-1).mean()),
        "n_tokens_reconstruction": len(kl),
        "n_tokens_sparsity_variance": len(x),
    }
    result = run(sae, toy_model, ask).corrected.values
    # Equal inputs in float32, summed in float64 in another order.
    assert {name: result[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_corrected_values_are_close_to_upstreams_where_upstream_is_right(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    outcome = run(make_sae("jumprelu"), toy_model, settings())
    upstream = {k: v for category in outcome.metrics.values() for k, v in category.items()}
    right = ("kl_div_score", "kl_div_with_sae", "kl_div_with_ablation", "ce_loss_score")
    right += ("ce_loss_with_sae", "ce_loss_with_ablation", "ce_loss_without_sae", "cossim")
    right += ("l2_norm_in", "l2_norm_out", "l2_ratio", "l0", "l1", "frac_alive")
    corrected = {name: outcome.corrected.values[name] for name in right}
    # Upstream works in float32.
    assert corrected == pytest.approx({name: upstream[name] for name in right}, rel=1e-4)


def test_negated_latents_have_the_same_corrected_values_and_upstream_takes_them_for_dead(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    plain: Any = make_sae("topk", AbsTopKSAE)
    negated = copy.deepcopy(plain)
    for name in ("W_enc", "b_enc", "W_dec"):
        getattr(negated, name).data *= -1
    outcomes = [run(sae, toy_model, settings()) for sae in (plain, negated)]
    first, second = (outcome.corrected.values for outcome in outcomes)
    assert second == first
    firing = outcomes[0].metrics["misc_metrics"]["frac_alive"]
    assert isinstance(firing, float)
    right = first["frac_alive"]
    assert right is not None
    assert right > firing, "mended upstream: drop it from the corrected"


def test_corrected_explained_variance_is_blind_to_scale_and_upstreams_is_not(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    sae, ask = make_sae(), settings()
    plain = run(sae, toy_model, ask)
    scaled = run(sae_for_ten_times(sae), ten_times(toy_model), ask)
    # LayerNorm's epsilon is not scaled with the rest.
    assert scaled.corrected.values["explained_variance"] == pytest.approx(
        plain.corrected.values["explained_variance"], rel=1e-3
    )
    upstream = [o.metrics["reconstruction_quality"]["explained_variance"] for o in (plain, scaled)]
    assert abs(upstream[1] - upstream[0]) > 0.5, "mended upstream: drop it from the corrected"


def test_corrected_values_do_not_depend_on_the_batch_size_and_upstreams_mse_does(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    four = run(make_sae(), toy_model, settings())
    two = run(
        make_sae(),
        toy_model,
        settings(
            batch_size_prompts=2,
            n_eval_reconstruction_batches=6,
            n_eval_sparsity_variance_batches=10,
        ),
    )
    # Matrix products of another shape round otherwise.
    assert two.corrected.values == pytest.approx(four.corrected.values, rel=1e-5)
    ratio = (
        two.metrics["reconstruction_quality"]["mse"] / four.metrics["reconstruction_quality"]["mse"]
    )
    assert ratio == pytest.approx(2, rel=0.05), "mended upstream: drop mse from the corrected"


def test_a_dead_sae_has_no_cossim_and_upstream_says_minus_one(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    outcome = run(make_sae("zero"), toy_model, settings())
    assert outcome.metrics["reconstruction_quality"]["cossim"] == -1
    assert outcome.upstream_undefined["cossim"] == "nan"
    assert outcome.corrected.values["cossim"] is None
    n = outcome.corrected.values["n_tokens_sparsity_variance"]
    assert outcome.corrected.values["n_tokens_cossim_undefined"] == n
    assert outcome.corrected.values["l0"] == 0
    assert outcome.corrected.values["dead_fraction"] == 1


def test_token_counts_leave_special_tokens_out_and_upstreams_do_not(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    outcome = run(make_sae(), toy_model, settings())
    assert outcome.metrics["token_stats"]["total_tokens_eval_reconstruction"] == 3 * 4 * 16
    result = outcome.corrected.values["total_tokens_eval_reconstruction"]
    assert isinstance(result, int)
    assert result < 3 * 4 * 16 - 3 * 4  # a <bos> begins every sequence, and separates documents


def test_kl_of_confident_logits_is_a_number_and_upstreams_is_not(
    make_sae: Callable[..., SAE[Any]], make_model: Callable[[], HookedTransformer], settings: Ask
) -> None:
    model = make_model()
    model.unembed.W_U.data *= 300
    outcome = run(make_sae(), model, settings())
    assert outcome.metrics["model_behavior_preservation"]["kl_div_with_sae"] == -1, "mended"
    assert outcome.upstream_undefined["kl_div_with_sae"] in ("nan", "inf")
    kl = outcome.corrected.values["kl_div_with_sae"]
    assert kl is not None
    assert kl > 1


def test_bfloat16_values_are_summed_in_float64_and_upstreams_are_not(
    make_sae: Callable[..., SAE[Any]], make_model: Callable[[], HookedTransformer], settings: Ask
) -> None:
    outcome = run(make_sae(), make_model().to(torch.bfloat16), settings())

    def is_bfloat16(value: float) -> bool:
        return float(torch.tensor(value, dtype=torch.float64).bfloat16()) == value

    assert is_bfloat16(outcome.metrics["shrinkage"]["l2_norm_in"]), "mended upstream"
    result = outcome.corrected.values["l2_norm_in"]
    assert result is not None
    assert not is_bfloat16(result)


def test_a_dataset_that_is_too_small_is_begun_again_and_said_so(
    make_sae: Callable[..., SAE[Any]],
    toy_model: HookedTransformer,
    settings: Ask,
    write_text: Callable[[int], Path],
) -> None:
    ask = settings(dataset_name=str(write_text(5)))
    outcome = run(make_sae(), toy_model, ask)
    assert outcome.data["n_sequences"] == 32
    n_distinct = outcome.data["n_distinct_sequences"]
    assert n_distinct < 10
    assert outcome.data["n_epochs"] == -(-32 // n_distinct)
    assert outcome.warnings == [
        f"{ask.dataset_name} was too small and was begun {outcome.data['n_epochs']} times: "
        f"{n_distinct} of the 32 sequences are distinct."
    ]


def test_a_dataset_that_suffices_is_not_warned_of(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    outcome = run(make_sae(), toy_model, settings())
    assert outcome.data == {"n_sequences": 32, "n_distinct_sequences": 32, "n_epochs": 1}
    assert outcome.warnings == []


def test_an_empty_dataset_is_an_error_with_its_name(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    rows = Dataset.from_dict({"text": ["w1"]}).to_iterable_dataset()
    empty = rows.filter(lambda row: row["text"] == "w2")
    with pytest.raises(DataError, match="texts is empty"):
        run_core(make_sae(), toy_model, empty, settings(dataset_name="texts"))


def test_a_dataset_without_one_whole_sequence_is_an_error(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    short = Dataset.from_dict({"text": ["w1 w2 w3"]}).to_iterable_dataset()
    with pytest.raises(DataError, match="texts holds not one sequence of 16 tokens"):
        run_core(make_sae(), toy_model, short, settings(dataset_name="texts"))


def test_a_tokenizer_without_a_pad_token_is_an_error_before_anything_is_computed(
    make_sae: Callable[..., SAE[Any]], make_model: Callable[[], HookedTransformer], settings: Ask
) -> None:
    model = make_model()
    model.tokenizer.pad_token = None  # pyright: ignore[reportOptionalMemberAccess]
    with pytest.raises(ModelError, match="toy: its tokenizer has no pad token"):
        run(make_sae(), model, settings())


def test_a_hook_that_the_model_lacks_is_an_error_that_names_one_it_has(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    with pytest.raises(SaeError, match=r"blocks\.19.*its last .* blocks\.2\.hook_resid_post"):
        run(make_sae(), toy_model, settings(hook_name="blocks.19.hook_resid_post"))


def test_an_sae_of_another_width_is_an_error_with_both_widths(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    sae = TopKSAE(TopKSAEConfig(d_in=20, d_sae=8, k=2, metadata=make_sae().cfg.metadata))
    with pytest.raises(SaeError, match=r"d_in is 20; blocks\.1\.hook_resid_post of toy is 16 wide"):
        run(sae, toy_model, settings())


def test_a_context_longer_than_the_models_is_an_error(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    with pytest.raises(ConfigError, match=r"context_size is 64; it must be at most 32"):
        run(make_sae(), toy_model, settings(context_size=64))


def test_gradients_are_as_they_were_after_core(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    with torch.enable_grad():
        run(make_sae(), toy_model, settings())
        assert torch.is_grad_enabled()


class FailsInDecode(TopKSAE):
    """Runs out of luck after encoding."""

    def decode(self, feature_acts: Tensor) -> Tensor:
        raise ArithmeticError("decode")


def test_an_sae_that_fails_halfway_is_left_as_it_was(
    make_sae: Callable[..., SAE[Any]], toy_model: HookedTransformer, settings: Ask
) -> None:
    sae = make_sae("layer_norm", FailsInDecode)
    before = set(vars(sae))
    with pytest.raises(ArithmeticError):
        run(sae, toy_model, settings())
    assert set(vars(sae)) == before  # layer norm keeps its statistics between encode and decode
