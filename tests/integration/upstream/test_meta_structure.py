"""SAE-Bench's meta-structure eval: its own numbers, from a seed, on any decoder."""

from __future__ import annotations

import contextlib
import copy
import io
from typing import Any

import pytest
import torch
from sae_bench.evals.meta_structure import main as reference_main
from sae_bench.evals.meta_structure.eval_config import MetaStructureEvalConfig
from sae_lens import SAE, StandardSAE, StandardSAEConfig
from torch import Tensor, nn

from csae_bench.activations.shared import SharedPasses
from csae_bench.errors import EvalError, SaeError
from csae_bench.upstream import meta_structure
from csae_bench.upstream.isolation import isolated
from csae_bench.upstream.meta_structure import MetaStructureOutcome, run_meta_structure

D_IN, D_SAE = 16, 48
SHARE = "decoder_fraction_variance_explained"
SHORT: dict[str, Any] = {"train_steps": 4, "train_batch_size": 16}
LEARNS: dict[str, Any] = {
    "train_steps": 300, "train_batch_size": 48, "learning_rate": 2e-2, "k": 2, "autocast": False,
}  # fmt: skip


class Bare(nn.Module):
    """A decoder without a configuration, as other libraries have it."""

    def __init__(self, decoder: Tensor) -> None:
        super().__init__()
        self.W_dec = nn.Parameter(decoder)

    def encode(self, x: Tensor) -> Tensor:
        return x @ self.W_dec.T

    def decode(self, feature_acts: Tensor) -> Tensor:
        return feature_acts @ self.W_dec


def unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def random_rows(seed: int = 0) -> Tensor:
    return unit(torch.randn(D_SAE, D_IN, generator=torch.Generator().manual_seed(seed)))


def stock(decoder: Tensor) -> SAE[Any]:
    sae = StandardSAE(StandardSAEConfig(d_in=D_IN, d_sae=D_SAE))
    sae.W_dec.data = decoder.clone()
    return sae


def reference(sae: SAE[Any], *, seed: int | None = 42, **settings: Any) -> dict[str, float]:
    """What SAE-Bench's unmodified function gives, as its command line seeds it."""
    if seed is not None:
        reference_main._set_random_seed(seed)
    with isolated(), torch.enable_grad(), contextlib.redirect_stderr(io.StringIO()):
        output = reference_main.run_eval_single_sae(
            "release", "id", sae, MetaStructureEvalConfig(**settings), "cpu"
        )
    values = output.eval_result_metrics.meta_structure
    return {SHARE: values.decoder_fraction_variance_explained,
            "final_reconstruction_mse": values.final_reconstruction_mse}  # fmt: skip


def run(decoder: Tensor | nn.Module, *, n_control: int = 0, **settings: Any) -> Any:
    sae: Any = decoder if isinstance(decoder, nn.Module) else Bare(decoder)
    return run_meta_structure(sae, SHORT | settings, device="cpu", n_control=n_control)


def its_own(outcome: MetaStructureOutcome) -> dict[str, float]:
    values = dict(outcome.metrics["meta_structure"])
    assert values.pop("train_time_seconds") > 0
    return values


@pytest.mark.parametrize("settings", [{}, {"autocast": False, "weight_decay": 0.1, "k": 2}])
def test_values_are_those_of_sae_bench(settings: dict[str, Any]) -> None:
    sae = stock(0.5 * random_rows())
    outcome = run(sae, **settings)
    assert its_own(outcome) == reference(sae, **SHORT, **settings)
    expected = vars(MetaStructureEvalConfig(**SHORT, **settings))
    assert {name: outcome.eval_config[name] for name in expected if name[0] != "_"} == {
        name: value for name, value in expected.items() if name[0] != "_"
    }


def test_another_seed_gives_another_value_and_the_same_seed_the_same() -> None:
    first, again, other = (its_own(run(random_rows(), random_seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


# What SAE-Bench does otherwise: where one of these fails, upstream has mended it


def test_sae_bench_does_not_use_the_seed_of_its_settings() -> None:
    sae = stock(random_rows())
    reference_main._set_random_seed(0)
    first, second = (reference(sae, seed=None, random_seed=1, **SHORT) for _ in range(2))
    assert first != second


def test_sae_bench_converts_the_callers_sae_and_we_do_not() -> None:
    sae = stock(random_rows()).to(torch.bfloat16)
    run(sae)
    assert sae.W_dec.dtype == torch.bfloat16
    reference(sae, **SHORT)
    assert sae.W_dec.dtype == torch.float32


def test_sae_bench_needs_a_configuration_and_we_do_not() -> None:
    decoder = random_rows()
    with pytest.raises(AttributeError, match="cfg"):
        reference(Bare(decoder), **SHORT)  # type: ignore[arg-type]
    assert its_own(run(decoder)) == its_own(run(stock(decoder)))


def test_the_corrected_value_does_not_depend_on_norms_and_sae_benchs_does() -> None:
    norms = torch.linspace(0.5, 4, D_SAE)[:, None].exp2().round()  # exact in float32
    plain, scaled = run(random_rows()), run(norms * random_rows())
    assert its_own(plain)[SHARE] != pytest.approx(its_own(scaled)[SHARE], abs=1e-3)
    # a row that is scaled back differs in its last bits
    assert scaled.corrected[SHARE] == pytest.approx(plain.corrected[SHARE], abs=1e-3)
    assert plain.corrected[SHARE] == its_own(plain)[SHARE]
    assert plain.warnings == []
    assert "depends on the norms" in scaled.warnings[0]


@pytest.mark.parametrize(
    ("decoder", "reason"),
    [
        (torch.zeros(D_SAE, D_IN), "all rows of the decoder are zero"),
        (random_rows()[:1].repeat(D_SAE, 1), "that are not zero have one direction"),
    ],
)
def test_sae_bench_has_its_best_value_where_nothing_varies_and_we_have_none(
    decoder: Tensor, reason: str
) -> None:
    outcome = run(decoder, n_control=1)
    assert its_own(outcome)[SHARE] == pytest.approx(0, abs=1e-6) or its_own(outcome)[SHARE] < 0
    assert set(outcome.corrected.values()) == {None}
    assert set(outcome.reasons) == set(outcome.corrected)
    assert all(reason in why for why in outcome.reasons.values())
    assert reason in outcome.warnings[0]


def test_zero_rows_are_left_out_and_counted() -> None:
    decoder = random_rows()
    decoder[::2] = 0
    outcome = run(decoder)
    assert (outcome.data["n_rows"], outcome.data["n_zero_rows"]) == (D_SAE, D_SAE // 2)
    # a row that is scaled to norm 1 anew differs in its last bits
    assert outcome.corrected[SHARE] == pytest.approx(its_own(run(decoder[1::2]))[SHARE], abs=1e-3)


# Planted structure


def test_a_decoder_of_few_directions_is_told_from_a_random_one() -> None:
    few = unit(torch.eye(D_IN)[:6])
    pairs = torch.combinations(torch.arange(6))
    composed = unit(few[pairs[:, 0]] + few[pairs[:, 1]]).repeat(4, 1)[:D_SAE]
    structured, random = (run(rows, n_control=1, **LEARNS) for rows in (composed, random_rows(5)))
    above = "above_random"
    assert structured.corrected[SHARE] > 0.9
    assert structured.corrected[above] > 0.2
    assert abs(random.corrected[above]) < 0.1


def test_random_directions_are_measured_once_for_all_saes(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    own = reference_main.run_eval_single_sae

    def counting(*args: Any) -> Any:
        calls.append(1)
        return own(*args)

    monkeypatch.setattr(meta_structure.meta_structure_main, "run_eval_single_sae", counting)
    shared = SharedPasses(n_users=2)
    outcomes = [
        run_meta_structure(Bare(random_rows(seed)), SHORT, device="cpu", n_control=2, shared=shared)  # type: ignore[arg-type]
        for seed in (0, 1)
    ]
    assert len(calls) == 2 + 2
    name = "random_directions"
    assert outcomes[0].corrected[name] == outcomes[1].corrected[name]


def test_without_a_control_its_values_are_null_with_the_reason() -> None:
    outcome = run(random_rows())
    assert outcome.corrected["random_directions"] is None
    assert set(outcome.reasons.values()) == {"evals.meta_structure_decoder_variance.n_control is 0"}


# Faults


def test_an_sae_without_a_decoder_is_refused() -> None:
    with pytest.raises(SaeError, match=r"has 'W_dec' as \[16\]; SAE-Bench's meta_structure"):
        run(random_rows()[0])


def test_a_value_that_is_not_finite_is_refused_with_its_count() -> None:
    decoder = random_rows()
    decoder[3, 1], decoder[7, 0] = torch.nan, torch.inf
    with pytest.raises(SaeError, match=f"in 2 of the {D_SAE} rows of W_dec"):
        run(decoder)


def test_a_training_that_diverges_is_an_error() -> None:
    with pytest.raises(EvalError, match=r"diverged: .* learning_rate=1e\+30"):
        run(random_rows(), learning_rate=1e30, autocast=False)


def test_generators_gradients_and_the_sae_are_as_before() -> None:
    sae = stock(random_rows())
    before, state = copy.deepcopy(sae.state_dict()), torch.get_rng_state()
    with torch.no_grad():
        run(sae)
        assert not torch.is_grad_enabled()
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in sae.state_dict().items())
