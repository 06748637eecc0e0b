"""`csae_bench.evaluate`: SAEs in memory get the command line's numbers, and change by nothing."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

import csae_bench
from csae_bench import models
from csae_bench.cli.main import main
from csae_bench.errors import ConfigError, SaeError, UsageError
from csae_bench.results.slots import provenance_of
from csae_bench.saes.hashing import loaded_hash

if TYPE_CHECKING:
    from csae_bench.api.evaluation import Evaluation

SAE = Path(__file__).parents[1] / "golden" / "data" / "sae"
PROMPTS = Path(__file__).parents[1] / "golden" / "data" / "prompts.csv"
EVALS = ("core", "mig", "feature_correlation")
SETTINGS: dict[str, dict[str, Any]] = {
    "core": {"n_eval_reconstruction_batches": 1, "n_eval_sparsity_variance_batches": 1},
    "mig": {"factors": str(PROMPTS), "n_permutations": 5},
    "feature_correlation": {"factors": str(PROMPTS), "n_permutations": 5},
}


class ByHand(nn.Module):
    """A JumpReLU as somebody would write it down, around the weights of an SAE of SAELens."""

    def __init__(self, sae: Any) -> None:
        super().__init__()
        self.W_enc = nn.Parameter(sae.W_enc.detach().clone())
        self.W_dec = nn.Parameter(sae.W_dec.detach().clone())
        self.b_enc = nn.Parameter(sae.b_enc.detach().clone())
        self.b_dec = nn.Parameter(sae.b_dec.detach().clone())
        self.threshold = nn.Parameter(sae.threshold.detach().clone())

    def encode(self, x: Tensor) -> Tensor:
        h = (
            (x - self.b_dec) @ self.W_enc + self.b_enc
            if self.centres
            else x @ self.W_enc + self.b_enc
        )
        return torch.relu(h) * (h > self.threshold)

    def decode(self, feature_acts: Tensor) -> Tensor:
        return feature_acts @ self.W_dec + self.b_dec

    centres = False


@pytest.fixture(scope="module")
def sae() -> Any:
    return csae_bench.load_sae(SAE)


def test_a_file_of_an_saes_arrays_gets_its_numbers(
    sae: Any, evaluation: Evaluation, tmp_path: Path
) -> None:
    arrays = {name: tensor.numpy() for name, tensor in sae.state_dict().items()}
    names = {name: getattr(sae.cfg.metadata, name) for name in ("hook_name", "model_name")}
    flag = sae.cfg.apply_b_dec_to_input
    path = tmp_path / "sae.npz"
    np.savez(path, **arrays, **names, activation="jumprelu", apply_b_dec_to_input=flag)
    settings = {"mig": SETTINGS["mig"]}
    from_file = csae_bench.evaluate(path, evals=["mig"], settings=settings, progress=False)
    expected = evaluation["mig"].metrics
    assert expected
    # norms of 1 are folded once more, which moves codes by a rounding
    assert from_file["mig"].metrics == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.fixture(scope="module")
def evaluation(sae: Any) -> Evaluation:
    return csae_bench.evaluate(sae, evals=EVALS, settings=SETTINGS, progress=False)


@pytest.fixture(scope="module")
def from_the_command_line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    sets = [
        part
        for name, settings in SETTINGS.items()
        for key, value in settings.items()
        for part in ("--set", f"evals.{name}.{key}={value}")
    ]
    arguments = ["run", "--sae", str(SAE), "--evals", ",".join(EVALS), "--results", str(results)]
    outcome = CliRunner().invoke(main, [*arguments, *sets])
    assert outcome.exit_code == 0, outcome.stderr
    return results


def _filed(results: Path, name: str) -> dict[str, Any]:
    (path,) = (results / name).glob("*_eval_results.json")
    return json.loads(path.read_text())


@pytest.mark.parametrize("name", EVALS)
def test_an_sae_of_sae_lens_gets_the_command_lines_numbers(
    name: str, evaluation: Evaluation, from_the_command_line: Path
) -> None:
    theirs = _filed(from_the_command_line, name)
    assert evaluation[name].status == "ok", evaluation[name].reasons
    assert evaluation[name].result is not None
    assert evaluation[name].result["eval_result_metrics"] == theirs["eval_result_metrics"]
    assert evaluation[name].details == theirs["eval_result_details"]


@pytest.mark.parametrize("name", EVALS)
def test_a_module_written_by_hand_gets_the_same_numbers(
    name: str, sae: Any, evaluation: Evaluation
) -> None:
    module = ByHand(sae)
    module.centres = bool(sae.cfg.apply_b_dec_to_input)
    by_hand = csae_bench.evaluate(
        module,
        model=sae.cfg.metadata.model_name,
        hook_name=sae.cfg.metadata.hook_name,
        evals=[name],
        settings={name: SETTINGS[name]},
        progress=False,
    )
    assert by_hand[name].status == "ok", by_hand[name].reasons
    assert by_hand[name].metrics == evaluation[name].metrics


def test_two_at_once_get_what_each_gets_by_itself(sae: Any, evaluation: Evaluation) -> None:
    halved = copy.deepcopy(sae)
    halved.W_dec.data *= 0.5
    options: dict[str, Any] = {"evals": EVALS, "settings": SETTINGS, "progress": False}
    both = csae_bench.evaluate({"a": halved, "b": sae}, **options)
    alone = csae_bench.evaluate(halved, **options)
    for name in EVALS:
        assert both["b"][name].metrics == evaluation[name].metrics
        assert both["a"][name].metrics == alone[name].metrics
    assert both["a"]["core"].metrics != both["b"]["core"].metrics
    assert set(both.to_frame()["sae"]) == {"a", "b"}


def test_a_loaded_model_gives_the_same_numbers(sae: Any, evaluation: Evaluation) -> None:
    model = models.load(sae.cfg.metadata.model_name)
    model.cfg.model_name = "a model that no table knows"
    other = csae_bench.evaluate(
        sae, model=model, evals=["mig"], settings={"mig": SETTINGS["mig"]}, progress=False
    )
    assert other["mig"].metrics == evaluation["mig"].metrics
    assert other.ref.release.startswith("a model that no table knows_layer_")


def test_sae_and_generators_are_as_they_were(sae: Any) -> None:
    hashed, cfg = loaded_hash(sae), sae.cfg.to_dict()
    gradients = torch.is_grad_enabled()
    csae_bench.evaluate(
        sae, evals=["mig"], settings={"mig": SETTINGS["mig"]}, device="cpu", progress=False
    )
    assert loaded_hash(sae) == hashed
    assert sae.cfg.to_dict() == cfg
    assert torch.is_grad_enabled() == gradients


def test_a_dead_sae_is_invalid_with_reasons_and_without_metrics(sae: Any) -> None:
    dead = copy.deepcopy(sae)
    with torch.no_grad():
        for parameter in dead.parameters():
            parameter.zero_()
    evaluation = csae_bench.evaluate(dead, evals=["mig"], progress=False)
    assert evaluation.status == "invalid"
    assert any("no latent is active" in reason for reason in evaluation.reasons)
    assert evaluation["mig"].status == "skipped"
    assert evaluation["mig"].metrics == {}
    assert "no latent is active" in evaluation._repr_html_()


def test_it_shows_itself_as_a_table(evaluation: Evaluation) -> None:
    template = evaluation.to_frame()
    (value,) = template[(template["eval"] == "mig") & (template["metric"] == "value_mig")]["value"]
    assert value == evaluation["mig"].metrics["value_mig"]
    page = evaluation._repr_html_()
    assert "<table>" in page
    assert "value MIG" in page


def test_what_is_saved_is_what_the_command_line_files(
    evaluation: Evaluation, tmp_path: Path, from_the_command_line: Path
) -> None:
    paths = evaluation.save(tmp_path)
    assert [path.parent.name for path in paths] == list(EVALS)
    ours, theirs = _filed(tmp_path, "mig"), _filed(from_the_command_line, "mig")
    assert ours.keys() == theirs.keys()
    assert provenance_of(ours).keys() == provenance_of(theirs).keys()
    assert (tmp_path / "artifacts" / "mig").is_dir()
    report = csae_bench.compare(tmp_path)
    assert report.exit_code == 0
    assert "CE loss score" in report.to_markdown()
    assert report.to_html(tmp_path / "report.html").is_file()
    assert {"metric", "verdict"} <= set(report.to_frame().columns) or report.to_frame().empty


def test_a_preset_gives_settings_over_which_others_are_laid(sae: Any) -> None:
    core = csae_bench.evaluate(
        sae,
        evals=["core"],
        preset="quick",
        settings={"core": {"n_eval_sparsity_variance_batches": 1}},
        progress=False,
    )["core"]
    used = (core.result or {})["eval_config"]
    assert used["n_eval_reconstruction_batches"] == 5
    assert used["n_eval_sparsity_variance_batches"] == 1


@pytest.mark.parametrize(
    ("options", "error", "culprit"),
    [
        ({"preset": "quik"}, UsageError, "Did you mean 'quick'"),
        ({"evals": ["mgi"]}, UsageError, "Did you mean 'mig'"),
        ({"evals": ["mig"], "settings": {"mig": {"n_permutation": 1}}}, ConfigError, "n_permut"),
        ({"evals": ["mig"], "settings": {"core": {}}}, UsageError, "not among evals"),
        ({"model": "nowhere"}, UsageError, "Unknown model 'nowhere'"),
        ({"hook_name": "blocks.9.hook_resid_post"}, SaeError, "does not have"),
        ({"hook_name": "blocks.2.attn.hook_q"}, SaeError, "must end in one of"),
        ({"device": "cuda:99"}, UsageError, "cuda"),
    ],
)
def test_mistakes_are_named(
    options: dict[str, Any], error: type[Exception], culprit: str, sae: Any
) -> None:
    with pytest.raises(error, match=culprit):
        csae_bench.evaluate(sae, progress=False, **options)


def test_no_sae_at_all_is_an_error() -> None:
    with pytest.raises(UsageError, match="no SAE"):
        csae_bench.evaluate({})


def test_what_is_no_sae_is_an_error() -> None:
    with pytest.raises(SaeError, match="encode"):
        csae_bench.evaluate(nn.Linear(3, 3), model="tiny-gemma2-it")  # pyright: ignore


def test_train_gives_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = csae_bench.train("identity", results=tmp_path)
    assert checkpoint.is_absolute()
    assert csae_bench.load_sae(checkpoint).cfg.d_in == 128
