"""What goes wrong ends in a sentence; what was finished is kept, and nothing stale is used."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from sae_bench.evals.unlearning.utils import feature_activation, metrics
from sae_lens import SAE, TopKSAE, TopKSAEConfig
from transformer_lens import HookedTransformer

from csae_bench.engines.unlearning import cache as cache_module
from csae_bench.engines.unlearning.data import FORGET, SUBJECTS, Question, UnlearningData
from csae_bench.engines.unlearning.engine import AnswerEngine
from csae_bench.errors import ConfigError, DataError, EvalError, ModelError, SaeError
from csae_bench.upstream.unlearning import UnlearningOutcome, run_unlearning
from csae_bench.upstream.unlearning_isolation import replaced
from tests.integration.engines.unlearning.conftest import MakeSettings

Run = Callable[..., UnlearningOutcome]


@pytest.fixture(scope="module")
def few(data: UnlearningData) -> UnlearningData:
    """Three questions of each subject: each test runs the eval once or more."""
    return replace(data, questions={name: asked[:3] for name, asked in data.questions.items()})


@pytest.fixture
def run(
    knowing_sae: SAE[Any],
    model: HookedTransformer,
    few: UnlearningData,
    make_settings: MakeSettings,
) -> Run:
    def run(sae: SAE[Any] | None = None, **changes: Any) -> UnlearningOutcome:
        settings = make_settings(**({"n_control": 0} | changes.pop("settings", {})))
        return run_unlearning(
            knowing_sae if sae is None else sae,
            model,
            changes.pop("data", few),
            settings,
            **changes,
        )

    return run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The clamp of each time the engine is asked, in order; None without one."""
    clamps: list[Any] = []
    original = AnswerEngine.probabilities

    def watched(self: AnswerEngine, prompts: Any, clamp: Any = None, **options: Any) -> Any:
        clamps.append(clamp)
        return original(self, prompts, clamp, **options)

    monkeypatch.setattr(AnswerEngine, "probabilities", watched)
    return clamps


def n_settings(asked: list[Any]) -> int:
    """Settings under which questions were asked, all subjects of one together."""
    return len({(clamp.latents, clamp.multiplier) for clamp in asked if clamp is not None})


def killed_after(n_files: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is interrupted as it has written so many files of the cache."""
    original, written = cache_module.write_json, [0]

    def write(path: Path, value: Any) -> None:
        original(path, value)
        written[0] += 1
        if written[0] == n_files:
            raise KeyboardInterrupt

    monkeypatch.setattr(cache_module, "write_json", write)


def assert_same(one: UnlearningOutcome, other: UnlearningOutcome) -> None:
    assert one.unlearning_score == other.unlearning_score
    assert one.sweep.settings == other.sweep.settings
    for name in SUBJECTS:
        np.testing.assert_array_equal(one.sweep.rights[name], other.sweep.rights[name])


N_BEFORE_SWEEP = len(SUBJECTS) + 1
"""Files of question ids, and that of where latents fire."""


def test_a_sweep_that_was_killed_resumes_where_it_was(
    run: Run, asked: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = run()
    n_whole = n_settings(asked)
    assert n_whole > 3
    with monkeypatch.context() as patched:
        killed_after(N_BEFORE_SWEEP + 3, patched)
        with pytest.raises(KeyboardInterrupt):
            run(cache=tmp_path)
    asked.clear()
    assert_same(run(cache=tmp_path), whole)
    # one setting clamps nothing, and of the three finished ones some may be that
    assert n_whole - 3 <= n_settings(asked) < n_whole


def test_only_question_ids_stay_after_the_end_and_serve_the_next_sae(
    run: Run, random_sae: SAE[Any], asked: list[Any], tmp_path: Path
) -> None:
    run(cache=tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("model-")
    assert len(list(folder.iterdir())) == len(SUBJECTS)
    asked.clear()
    run(random_sae, cache=tmp_path)
    # the baseline of each subject, and no order of any question
    assert asked.count(None) == len(SUBJECTS)


def test_a_finished_setting_of_other_weights_is_not_used(
    run: Run, knowing_sae: SAE[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched:
        killed_after(N_BEFORE_SWEEP + 4, patched)
        with pytest.raises(KeyboardInterrupt):
            run(cache=tmp_path)
    retrained = copy.deepcopy(knowing_sae)
    retrained.W_dec.data *= -1
    assert_same(run(retrained, cache=tmp_path), run(retrained))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"random_seed": 7}},
        {"settings": {"seq_len": 48}},
        {"settings": {"model_fingerprint": "other"}},
    ],
)
def test_finished_parts_under_other_settings_are_not_used(
    changes: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched:
        killed_after(N_BEFORE_SWEEP, patched)
        with pytest.raises(KeyboardInterrupt):
            run(cache=tmp_path)
    before = {path: path.read_text() for path in tmp_path.rglob("sparsities*.json")}
    (kept,) = before.values()
    changed = json.loads(kept)
    changed["forget"] = [0.0] * len(changed["forget"])  # would clamp nothing
    for path in before:
        path.write_text(json.dumps(changed))
    assert_same(run(cache=tmp_path, **changes), run(**changes))


def test_other_texts_are_read_again(
    run: Run, few: UnlearningData, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched:
        killed_after(N_BEFORE_SWEEP + 2, patched)
        with pytest.raises(KeyboardInterrupt):
            run(cache=tmp_path)
    other = replace(few, forget_texts=few.retain_texts)
    assert_same(run(cache=tmp_path, data=other), run(data=other))


def test_a_damaged_file_of_the_cache_is_made_again(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched:
        killed_after(N_BEFORE_SWEEP + 2, patched)
        with pytest.raises(KeyboardInterrupt):
            run(cache=tmp_path)
    for path in tmp_path.rglob("*.json"):
        path.write_text(path.read_text()[:10])
    assert_same(run(cache=tmp_path), run())


def test_a_subject_with_no_question_right_in_all_orders_is_an_error(
    run: Run, few: UnlearningData
) -> None:
    hopeless = tuple(q._replace(answer=(q.answer + 1) % 4) for q in few.questions["human_aging"])
    with pytest.raises(EvalError, match="no question of human_aging right in all 24 orders"):
        run(data=replace(few, questions={**few.questions, "human_aging": hopeless}))


def test_a_question_that_is_answered_wrong_in_one_order_is_left_out(
    run: Run, few: UnlearningData
) -> None:
    first, *others = few.questions[FORGET]
    wrong = first._replace(answer=(first.answer + 1) % 4)
    result = run(data=replace(few, questions={**few.questions, FORGET: (wrong, *others)}))
    assert result.sweep.questions[FORGET].tolist() == list(range(1, len(others) + 1))


def test_texts_that_fill_no_sequence_are_an_error(run: Run, few: UnlearningData) -> None:
    with pytest.raises(DataError, match="texts to forget hold not one sequence of 64 tokens"):
        run(data=replace(few, forget_texts=("The food of the Baltora germ is honey, they say.",)))


def test_letters_of_several_tokens_are_an_error(run: Run, model: HookedTransformer) -> None:
    def of_two_tokens(text: Any, **options: Any) -> Any:
        return original(f"{text} {text}", **options)

    original = model.to_tokens
    with (
        replaced(model, to_tokens=of_two_tokens),
        pytest.raises(ModelError, match=r"splits the answers 'A' \(2\)"),
    ):
        run()


def test_a_hook_that_the_model_lacks_is_an_error(run: Run) -> None:
    with pytest.raises(SaeError, match="its last residual stream is blocks"):
        run(settings={"hook_name": "blocks.9.hook_resid_post"})


@pytest.mark.parametrize("normalization", ["layer_norm", "constant_norm_rescale"])
def test_an_sae_that_sae_bench_cannot_clamp_is_an_error(normalization: Any, run: Run) -> None:
    sae = TopKSAE(TopKSAEConfig(d_in=128, d_sae=16, k=4, normalize_activations=normalization))
    codes = sae.encode(torch.ones(1, 2, 128))
    sae.decode(codes)
    with pytest.raises(AttributeError):  # should SAELens remember, such SAEs have a score
        sae.decode(codes)
    with pytest.raises(SaeError, match=f"normalize_activations is '{normalization}'"):
        run(sae)


def test_sequences_longer_than_the_context_are_an_error(run: Run) -> None:
    with pytest.raises(ConfigError, match="seq_len is 300; it must be at most 256"):
        run(settings={"seq_len": 300})


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_in_the_process_is_left_changed(
    fails: bool,
    run: Run,
    model: HookedTransformer,
    few: UnlearningData,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    bad = (Question("Is this asked?", ("<bos>", "no", "perhaps", "never"), 0),)
    questions = {**few.questions, "human_aging": bad} if fails else few.questions
    globals_before = {module: dict(vars(module)) for module in (metrics, feature_activation)}
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the generator that SAE-Bench draws from
    random.seed(3)
    states = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
    with torch.enable_grad():
        if fails:
            with pytest.raises(DataError, match="beginning-of-sequence token once"):
                run(data=replace(few, questions=questions))
        else:
            run()
        assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert random.getstate() == states[2]
    for module, before in globals_before.items():
        assert {name: vars(module)[name] for name in before} == before
    assert model.cfg.model_name == "tiny-gemma2-it"
    assert not any(hook.fwd_hooks for hook in model.hook_dict.values())
    assert list(tmp_path.iterdir()) == []


class WithoutCfg(torch.nn.Module):
    """The same codes as an SAE of SAELens, from a module of nobody's class."""

    def __init__(self, sae: SAE[Any]) -> None:
        super().__init__()
        self.W_dec = torch.nn.Parameter(sae.W_dec.data, requires_grad=False)
        self._of = [sae]

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self._of[0].encode(x)

    def decode(self, feature_acts: torch.Tensor) -> torch.Tensor:
        return self._of[0].decode(feature_acts)


def test_a_plain_module_is_asked_as_an_sae_of_saelens_is(run: Run, knowing_sae: SAE[Any]) -> None:
    plain, own = run(cast(Any, WithoutCfg(knowing_sae))), run()
    assert plain.unlearning_score == own.unlearning_score > 0
    assert plain.sweep.settings == own.sweep.settings
