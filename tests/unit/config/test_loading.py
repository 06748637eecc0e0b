"""csae_bench/config/loading.py, yaml_files.py and problems.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.config import ContrastiveBatchTopKSae, GeneratorActivations
from csae_bench.config.loading import find_config, load_config, merge, partial_config
from csae_bench.errors import ConfigError, UnknownNameError, UsageError
from csae_bench.support.named_configs import config_names


def _write(tmp_path: Path, text: str, name: str = "mine.yaml") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def _problems(source: str, **flags: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(source, **flags)  # pyright: ignore[reportArgumentType]
    return caught.value.problems


@pytest.mark.parametrize("name", config_names())
def test_every_named_configuration_is_sound(name: str) -> None:
    assert load_config(name).name == name


def test_names_that_begin_with_an_underscore_are_not_listed() -> None:
    assert "custom_sae" in config_names()
    assert not any(name.startswith("_") for name in config_names())


def test_what_a_file_leaves_out_is_a_default(tmp_path: Path) -> None:
    origins = load_config(_write(tmp_path, "seed: 3")).origins
    assert origins.pop("seed") == "file"
    assert set(origins.values()) == {"default"}


@pytest.mark.parametrize(
    "text",
    ["", "\n", "# to be written\n", "{}", "null", "~", "--- {}", "sae: {}", "evals:\nsae:\n"],
)
def test_an_empty_file_is_an_error_that_names_it(text: str, tmp_path: Path) -> None:
    path = _write(tmp_path, text)
    assert _problems(path) == [f"{path}: is empty; it must be a mapping with at least one key."]


def test_an_unknown_key_is_an_error_with_file_key_and_suggestion(tmp_path: Path) -> None:
    path = _write(tmp_path, "training: {learning_rat: 0.1}")
    (problem,) = _problems(path)
    assert path in problem
    assert "training.learning_rat" in problem
    assert "Did you mean 'learning_rate'?" in problem


def test_an_unknown_key_of_a_loss_term_is_named_with_its_term(tmp_path: Path) -> None:
    path = _write(tmp_path, "sae: {architecture: contrastive_topk, losses: {rows: {weigt: 1}}}")
    assert "sae.losses.rows.weigt" in _problems(path)[0]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    path = _write(tmp_path, "modle: x\nseed: -1\ntraining: {batch_size: 3, learning_rate: abc}")
    text = " | ".join(_problems(path, sets=["sae.k=0", "nonsense"]))
    for expected in ("modle", "seed", "batch_size", "learning_rate", "sae.k", "nonsense"):
        assert expected in text


def test_a_problem_of_a_flag_names_the_flag(tmp_path: Path) -> None:
    (problem,) = _problems(_write(tmp_path, "seed: 1"), sets=["sae.k=0"])
    assert problem.startswith("--set sae.k")


def test_a_key_given_twice_is_an_error_with_its_line(tmp_path: Path) -> None:
    (problem,) = _problems(_write(tmp_path, "seed: 1\nseed: 2\n"))
    assert "line 2" in problem
    assert "'seed' is given twice" in problem


@pytest.mark.parametrize("text", ["- a list", "just text", "{unclosed", "a: b: c"])
def test_a_file_that_is_no_mapping_is_an_error(tmp_path: Path, text: str) -> None:
    assert "mine.yaml" in _problems(_write(tmp_path, text))[0]


def test_scientific_notation_without_a_dot_is_a_number(tmp_path: Path) -> None:
    path = _write(tmp_path, "training: {learning_rate: 1e-3, n_tokens: 1e6}")
    training = load_config(path).config.training
    assert (training.learning_rate, training.n_tokens) == (1e-3, 1_000_000)


def test_extends_merges_mappings_and_replaces_the_rest(tmp_path: Path) -> None:
    _write(tmp_path, "seed: 3\ntraining: {n_tokens: 9000, batch_size: 2}", "base.yaml")
    path = _write(tmp_path, "extends: base\ntraining: {batch_size: 4}")
    config = load_config(path).config
    assert (config.seed, config.training.n_tokens, config.training.batch_size) == (3, 9000, 4)


def test_extends_drops_a_block_of_another_kind(tmp_path: Path) -> None:
    _write(tmp_path, "activations: {kind: model, dataset: somewhere}", "base.yaml")
    path = _write(tmp_path, "extends: base\nactivations: {kind: generator, d_in: 8}")
    assert load_config(path).config.activations == GeneratorActivations(d_in=8)


def test_extends_in_a_circle_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path, "extends: mine", "other.yaml")
    assert "extends" in _problems(_write(tmp_path, "extends: other"))[0]


def test_an_unknown_base_is_an_error(tmp_path: Path) -> None:
    assert "there is no file" in _problems(_write(tmp_path, "extends: nothing"))[0]


def test_origins_tell_default_file_and_flag_apart(tmp_path: Path) -> None:
    resolved = load_config(_write(tmp_path, "training: {batch_size: 4}"), sets=["sae.k=8"], seed=7)
    assert resolved.origins["training.batch_size"] == "file"
    assert resolved.origins["sae.k"] == "flag"
    assert resolved.origins["seed"] == "flag"
    assert resolved.origins["training.n_tokens"] == "default"


def test_set_switches_a_loss_term_by_its_weight() -> None:
    resolved = load_config("contrastive_full", sets=["sae.losses.rows.weight=0"])
    assert isinstance(resolved.config.sae, ContrastiveBatchTopKSae)
    assert set(resolved.config.sae.active_terms()) == {
        "columns",
        "cross_view",
        "push_up",
        "mixing",
        "sparse_shift",
    }


def test_a_set_to_the_present_value_is_no_change() -> None:
    k = load_config("topk").config.sae.k  # pyright: ignore[reportAttributeAccessIssue]
    assert load_config("topk", sets=[f"sae.k={k}"]).changes == ()
    assert [c.key for c in load_config("topk", sets=["sae.k=3"]).changes] == ["sae.k"]


def test_evals_are_chosen_by_flag_and_keep_the_files_settings(tmp_path: Path) -> None:
    path = _write(tmp_path, "evals: {core: {context_size: 64}, other: {}}")
    assert load_config(path, evals=["core"]).config.evals == {"core": {"context_size": 64}}


def test_a_setting_of_an_eval_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    path = _write(tmp_path, "evals: {core: {}}")
    (problem,) = _problems(path, evals=["core"], sets=["evals.other.x=1"])
    assert "other is not among --evals" in problem


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'custom_sae'"):
        find_config("custom_se")


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(UsageError, match="no such file"):
        find_config("nowhere/config.yaml")


def test_the_sound_rest_of_a_broken_configuration_is_kept(tmp_path: Path) -> None:
    path = _write(tmp_path, "modle: x\ntraining: {n_tokens: 10, batch_size: 3}")
    partial = partial_config(path)
    assert partial is not None
    assert partial.config.training.n_tokens == 10


def test_merge_does_not_change_what_it_is_given() -> None:
    base = {"a": {"b": 1}}
    merge(base, {"a": {"b": 2}})
    assert base == {"a": {"b": 1}}


def test_an_item_of_a_list_is_set_by_its_place() -> None:
    base = {"a": [{"b": 1, "c": 2}, 3]}
    assert merge(base, {"a": {"0": {"b": 5}}}) == {"a": [{"b": 5, "c": 2}, 3]}
    assert merge(base, {"a": {1: 4}}) == {"a": [{"b": 1, "c": 2}, 4]}
    assert base == {"a": [{"b": 1, "c": 2}, 3]}


def test_a_place_that_a_list_does_not_have_is_an_error() -> None:
    (problem,) = _problems("gemma_2_2b", sets=["training.curriculum.7.strength=0"])
    assert problem.startswith("--set training.curriculum")


def test_one_setting_of_a_stage_is_set_by_flag() -> None:
    key = "training.curriculum.3.settings.mixing.temperature"
    resolved = load_config("gemma_2_2b", sets=[f"{key}=1"])
    stages = resolved.config.training.curriculum
    assert stages[3].settings["mixing"] == {"targeting": "targeted", "temperature": 1.0}
    assert stages[:3] == load_config("gemma_2_2b").config.training.curriculum[:3]
    assert [change.key for change in resolved.changes] == ["training.curriculum"]
    assert resolved.origins["training.curriculum"] == "flag"
    (problem,) = _problems("gemma_2_2b", sets=[f"{key}=0"])
    assert problem.startswith(f"--set {key}: {key} is 0; it must be greater than 0")


def test_matryoshka_widths_must_end_in_d_sae(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "sae: {architecture: matryoshka_batchtopk, d_sae: 64, matryoshka_widths: [16, 32]}",
    )
    assert "d_sae=64" in _problems(path)[0]


def test_the_twins_differ_from_custom_sae_in_nothing_but_architecture_and_objective() -> None:
    ours = load_config("custom_sae").config
    for name in ("standard", "topk", "batchtopk", "jumprelu", "matryoshka_batchtopk"):
        twin = load_config(name).config
        objective = {"curriculum": ours.training.curriculum, "hold_l0": None}
        training = twin.training.model_copy(update=objective)
        assert twin.model_copy(update={"sae": ours.sae, "training": training}) == ours
        assert twin.sae.d_sae == ours.sae.d_sae  # pyright: ignore[reportAttributeAccessIssue]


_PRESET = {"mig": {"n_permutations": 7, "split": "all"}, "core": {"context_size": 64}}


def test_a_preset_goes_over_the_file_and_under_the_flags(tmp_path: Path) -> None:
    source = _write(tmp_path, "evals:\n  mig: {n_permutations: 5, n_bins: 9}\n  factor_vae: {}\n")
    loaded = load_config(source, preset=_PRESET, sets=["evals.mig.split=train"])
    assert loaded.config.evals == {
        "mig": {"n_permutations": 7, "split": "train", "n_bins": 9},
        "factor_vae": {},
    }
    assert loaded.origins["evals.mig.n_permutations"] == "preset"
    assert loaded.origins["evals.mig.split"] == "flag"
    assert loaded.origins["evals.mig.n_bins"] == "file"


def test_a_preset_reaches_evals_that_are_chosen_by_flag_and_those_of_no_file(
    tmp_path: Path,
) -> None:
    source = _write(tmp_path, "seed: 1\n")
    assert load_config(source, preset=_PRESET).config.evals == {"core": {"context_size": 64}}
    chosen = load_config(source, preset=_PRESET, evals=["mig"])
    assert chosen.config.evals == {"mig": dict(_PRESET["mig"])}


def test_a_preset_hides_no_fault_of_the_file(tmp_path: Path) -> None:
    source = _write(tmp_path, "evals: {core: 3}\n")
    assert "evals.core" in "\n".join(_problems(source, preset=_PRESET))
    without = _write(tmp_path, "evals: 3\n", "other.yaml")
    assert "evals" in "\n".join(_problems(without, preset=_PRESET))
