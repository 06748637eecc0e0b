"""A module with encode, decode and W_dec goes through everything that an SAE of SAELens does."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from sae_bench.custom_saes.relu_sae import ReluSAE
from sae_lens import StandardSAE, StandardSAEConfig
from torch import Tensor, nn

from csae_bench import models
from csae_bench.activations.interventions import Interventions, LatentSetting
from csae_bench.corpora import open_corpus
from csae_bench.errors import SaeError
from csae_bench.evals import EvalContext, EvalResult, get_eval
from csae_bench.factors import open_factors
from csae_bench.factors.encoding import codes_of_prompts
from csae_bench.runs.execute import ExecuteOptions, execute
from csae_bench.runs.job import EvalJob
from csae_bench.runs.plan import plan_sae
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import resolve_sae
from csae_bench.runs.session import Session
from csae_bench.runs.vital_signs import vital_signs
from csae_bench.saes import attributes
from csae_bench.saes.hashing import loaded_hash
from csae_bench.saes.loading import load_sae, training_architecture
from csae_bench.upstream import sae_cfg_dict
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.core import CoreSettings, run_core
from tests.sae_folders import HOOK, MODEL, write_sae

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

D_IN, D_SAE = 128, 48
QUICK = {"n_permutations": 2}
"""Settings of mig, which looks at every code."""

FORMS = ("without cfg", "with a small cfg", "of SAE-Bench", "no module")


class Plain(nn.Module):
    """A ReLU SAE as a researcher writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.W_enc = nn.Parameter(torch.zeros(D_IN, D_SAE))
        self.W_dec = nn.Parameter(torch.zeros(D_SAE, D_IN))
        self.b_enc = nn.Parameter(torch.zeros(D_SAE))
        self.b_dec = nn.Parameter(torch.zeros(D_IN))

    def encode(self, x: Tensor) -> Tensor:
        return torch.relu((x - self.b_dec) @ self.W_enc + self.b_enc)

    def decode(self, feature_acts: Tensor) -> Tensor:
        return feature_acts @ self.W_dec + self.b_dec


class SmallCfg:
    d_in, d_sae, hook_name, model_name = D_IN, D_SAE, HOOK, MODEL


class NoModule:
    """The same without torch's module behind it."""

    def __init__(self, sae: Plain) -> None:
        self.W_enc, self.W_dec = sae.W_enc.data, sae.W_dec.data
        self.b_enc, self.b_dec = sae.b_enc.data, sae.b_dec.data

    encode, decode = Plain.encode, Plain.decode


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load(MODEL)


@pytest.fixture(scope="module")
def factors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset of two factors."""
    path = tmp_path_factory.mktemp("factors") / "factors.csv"
    rows = [
        f"The {one} {verb} the {other} again,{one},{verb}"
        for one in ("dog", "cat", "girl", "boy")
        for other in ("house", "tree", "ball", "book", "river")
        for verb in ("sees", "likes")
    ]
    path.write_text("\n".join(["text,who,verb", *rows]))
    return path


@pytest.fixture(scope="module")
def of_saelens() -> StandardSAE:
    torch.manual_seed(0)
    sae = StandardSAE(StandardSAEConfig(d_in=D_IN, d_sae=D_SAE))
    directions = torch.nn.functional.normalize(torch.randn(D_SAE, D_IN), dim=1)
    sae.W_dec.data, sae.W_enc.data = directions, directions.T.clone() * 0.3
    return sae.requires_grad_(False)


@pytest.fixture(scope="module", params=FORMS)
def plain(request: pytest.FixtureRequest, of_saelens: StandardSAE) -> Any:
    if request.param == "of SAE-Bench":
        sae: Any = ReluSAE(D_IN, D_SAE, MODEL, 2, torch.device("cpu"), torch.float32, HOOK)
    else:
        sae = Plain()
    sae.load_state_dict(of_saelens.state_dict())
    sae.requires_grad_(False)
    if request.param == "with a small cfg":
        sae.cfg = SmallCfg()
    return NoModule(sae) if request.param == "no module" else sae


def test_it_has_the_vital_signs_of_saelens_own(
    plain: Any, of_saelens: StandardSAE, model: HookedTransformer
) -> None:
    config = resolve_sae(
        RunRequest(source="custom_sae", sets=("activations.context_size=32",))
    ).config
    both = [
        vital_signs(sae, config=config, model=model, hook_name=HOOK) for sae in (plain, of_saelens)
    ]
    assert both[0] == both[1]


def test_it_has_the_codes_and_the_mig_of_saelens_own(
    plain: Any, of_saelens: StandardSAE, model: HookedTransformer, factors: Path
) -> None:
    dataset = open_factors(str(factors))
    codes = [codes_of_prompts(sae, model, dataset, HOOK).codes for sae in (plain, of_saelens)]
    assert (codes[0] != codes[1]).nnz == 0
    if isinstance(plain, Plain):  # equal codes have equal scores, and these take seconds
        mine, theirs = (mig(sae, model, factors) for sae in (plain, of_saelens))
        assert mine.metrics == theirs.metrics


def mig(sae: Any, model: HookedTransformer, factors: Path) -> EvalResult:
    spec = get_eval("mig")
    context = EvalContext(
        sae=sae,
        sae_id="sae",
        model_name=MODEL,
        hook_name=HOOK,
        device="cpu",
        artifacts=factors.parent / "artifacts",
        rng=np.random.default_rng(0),
        load_model=lambda _: model,
    )
    with torch.no_grad():
        return spec.run(context, spec.config.model_validate(QUICK | {"factors": str(factors)}))


def test_its_latents_can_be_set(
    plain: Any, of_saelens: StandardSAE, model: HookedTransformer
) -> None:
    dataset = open_factors("tinyworld", split="test", seed=0)
    collected = [
        Interventions(sae, model, dataset, HOOK, [0, 1], [3]).with_codes(
            [0, 1], [LatentSetting(3, 5.0)]
        )
        for sae in (plain, of_saelens)
    ]
    assert np.array_equal(collected[0][0], collected[1][0], equal_nan=True)


def core(sae: Any, model: HookedTransformer) -> Any:
    settings = CoreSettings(
        dataset_name="tinyworld",
        model_name=MODEL,
        hook_name=HOOK,
        context_size=32,
        batch_size_prompts=4,
        n_eval_reconstruction_batches=2,
        n_eval_sparsity_variance_batches=2,
    )
    dataset = open_corpus("tinyworld", split="core")
    with torch.no_grad():
        return run_core(sae, model, dataset, settings)


def test_sae_bench_core_gives_it_the_values_of_saelens_own(
    plain: Any, of_saelens: StandardSAE, model: HookedTransformer
) -> None:
    before = copy.deepcopy(attributes.tensors(plain))
    mine, theirs = core(plain, model), core(of_saelens, model)
    assert mine.metrics == theirs.metrics
    assert mine.corrected.values == theirs.corrected.values
    after = attributes.tensors(plain)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_its_copy_for_sae_bench_takes_the_type_of_the_model(
    plain: Any, model: HookedTransformer
) -> None:
    half = copy.deepcopy(model.cfg)
    half.dtype = torch.bfloat16

    class Half:
        cfg = half

    own = formatted_copy(plain, cast(Any, Half()), MODEL, HOOK)
    acts = torch.zeros(2, D_IN, dtype=torch.bfloat16)
    if isinstance(plain, nn.Module):
        assert own.encode(acts).dtype == torch.bfloat16
        assert own.cfg.dtype == "bfloat16"
    assert own.encode(acts).shape == (2, D_SAE)
    assert attributes.dtype(plain) == torch.float32


@pytest.mark.parametrize("form", FORMS[:3:2])
def test_the_harness_files_a_result_of_it(
    form: str, of_saelens: StandardSAE, model: HookedTransformer, factors: Path, tmp_path: Path
) -> None:
    sae: Any = Plain()
    if form == "of SAE-Bench":
        sae = ReluSAE(D_IN, D_SAE, MODEL, 2, torch.device("cpu"), torch.float32, HOOK)
    sae.load_state_dict(of_saelens.state_dict())
    sae.requires_grad_(False)
    folder = write_sae(tmp_path / "sae")
    request = RunRequest(
        source=str(folder),
        results=tmp_path / "results",
        evals=("mig",),
        sets=(f"evals.mig.factors={factors}", "evals.mig.n_permutations=2"),
    )
    planned = plan_sae(request)
    (job,) = planned.evals
    assert isinstance(job, EvalJob)
    ref = replace(job.sae, location=None, weights_hash="0" * 64)
    job = replace(job, sae=ref)
    session = Session("cpu")
    session.add_sae(sae, ref)
    cell = execute(job, session, request.store, ExecuteOptions()).cell
    assert cell.status == "ok", cell.reasons
    (path,) = (tmp_path / "results" / "mig").glob("*_eval_results.json")
    cfg = json.loads(path.read_text())["sae_cfg_dict"]
    assert cfg["d_in"] == D_IN
    assert cfg["d_sae"] == D_SAE


def test_it_has_a_hash_and_a_configuration(plain: Any) -> None:
    assert loaded_hash(plain) == loaded_hash(copy.deepcopy(plain))
    json.dumps(sae_cfg_dict(plain), allow_nan=False)
    assert training_architecture(plain) == type(plain).__name__


def test_load_sae_returns_a_module_as_it_is() -> None:
    sae = Plain()
    assert load_sae(sae) is sae


class NoEncode(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.W_dec = nn.Parameter(torch.ones(D_SAE, D_IN))

    def decode(self, feature_acts: Tensor) -> Tensor:
        return feature_acts @ self.W_dec


class NoDecoder(nn.Module):
    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, feature_acts: Tensor) -> Tensor:
        return feature_acts


def changed(**values: Any) -> Plain:
    sae = Plain()
    for name, value in values.items():
        if isinstance(value, Tensor):
            delattr(sae, name)
            sae.register_buffer(name, value)
        else:
            setattr(sae, name, value)
    return sae


def cfg(**values: Any) -> Any:
    return type("Cfg", (), values)()


@pytest.mark.parametrize(
    ("sae", "message"),
    [
        (NoEncode(), r"The SAE \(NoEncode\) has no method 'encode'"),
        (NoDecoder(), r"The SAE \(NoDecoder\) has no attribute 'W_dec'"),
        (changed(W_dec=torch.ones(4)), r"has 'W_dec' as \[4\]; csae-bench needs a tensor \[d_sae"),
        (changed(W_dec=torch.ones(4, 4, 4)), r"has 'W_dec' as \[4, 4, 4\]"),
        (changed(W_dec=torch.ones(4, 4, dtype=torch.int32)), "has 'W_dec' of torch.int32"),
        (changed(cfg=cfg(d_sae=7)), r"cfg\.d_sae=7, and W_dec is \[48, 128\]: axis 0"),
        (changed(cfg=cfg(d_in=7)), r"cfg\.d_in=7, and W_dec is \[48, 128\]: axis 1"),
        (changed(cfg=cfg(d_in=D_IN, d_out=3)), "d_out is 3 and d_in is 128"),
        (changed(cfg=cfg(hook_name=HOOK, hook_name_out="x")), "hook_name_out is 'x'"),
        (changed(b_enc=torch.full((D_SAE,), torch.nan)), r"not finite: b_enc \(48 of"),
    ],
)
def test_a_module_that_lacks_what_an_sae_needs_is_an_error_that_names_it(
    sae: nn.Module, message: str
) -> None:
    with pytest.raises(SaeError, match=message):
        load_sae(sae)


class NoEncoderMatrix(nn.Module):
    """Encodes with its decoder, as a matching pursuit does."""

    def __init__(self) -> None:
        super().__init__()
        self.W_dec = nn.Parameter(torch.ones(D_SAE, D_IN), requires_grad=False)

    def encode(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.W_dec.T)

    def decode(self, feature_acts: Tensor) -> Tensor:
        return feature_acts @ self.W_dec


def test_core_names_the_encoder_that_it_needs(model: HookedTransformer) -> None:
    with pytest.raises(SaeError, match=r"has no attribute 'W_enc'; SAE-Bench's core eval needs it"):
        core(NoEncoderMatrix(), model)


def test_factor_evals_do_not_need_an_encoder_matrix(
    model: HookedTransformer, factors: Path
) -> None:
    result = mig(NoEncoderMatrix(), model, factors)
    assert result.metrics


def test_a_cfg_may_be_a_mapping() -> None:
    sae = changed(cfg={"d_in": D_IN, "d_sae": D_SAE, "hook_name": HOOK, "architecture": "mine"})
    assert load_sae(sae) is sae
    assert training_architecture(sae) == "mine"
    assert sae_cfg_dict(sae)["hook_name"] == HOOK
    with pytest.raises(SaeError, match="hook_name_out is 'x'"):
        load_sae(changed(cfg={"hook_name": HOOK, "metadata": {"hook_name_out": "x"}}))
