"""Names, descriptions and fingerprints of models: everything that reads no weights."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from csae_bench import tinyworld
from csae_bench.errors import ModelError, UnknownNameError
from csae_bench.models import (
    describe,
    model_names,
    resolve,
    weights_fingerprint,
)
from csae_bench.models.architectures import ARCHITECTURES, hooked_config
from csae_bench.models.hf_config import HfConfig
from csae_bench.models.table import MODELS

GPT2_CONFIG = {
    "architectures": ["GPT2LMHeadModel"],
    "n_embd": 8,
    "n_head": 2,
    "n_layer": 6,
    "n_positions": 16,
    "vocab_size": 11,
}
GEMMA2_CONFIG = {
    "architectures": ["Gemma2ForCausalLM"],
    "head_dim": 4,
    "hidden_size": 8,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 1,
    "sliding_window": 4,
    "vocab_size": 11,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder as far as anything that reads no weights can tell."""
    path = tmp_path / "my-model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(GPT2_CONFIG))
    (path / "tokenizer.json").write_text("{}")
    write_safetensors(path / "model.safetensors")
    return path


def write_safetensors(path: Path, n_bytes: int = 16) -> None:
    tensors = {"w": {"dtype": "F32", "shape": [n_bytes // 4], "data_offsets": [0, n_bytes]}}
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(n_bytes))


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub model has been downloaded, whatever this machine has."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


# Names


@pytest.mark.parametrize("name", model_names())
def test_every_row_of_the_table_is_found_under_its_name(name: str) -> None:
    model = resolve(name)
    assert model.name == name
    row = MODELS[name]
    of_folder = "tinyworld" if row.prepare is None else "package"
    assert model.kind == ("hub" if row.folder is None else of_folder)
    assert (model.path is None) == (model.kind == "hub")


@pytest.mark.parametrize("name", [name for name in model_names() if MODELS[name].folder is None])
def test_every_hub_row_is_described_offline_with_its_hook_inside_the_model(name: str) -> None:
    info = describe(name)
    layer = int(info.default_hook_name.split(".")[1])
    assert info.default_hook_name == f"blocks.{layer}.hook_resid_post"
    assert 0 <= layer < info.n_layers


def test_the_bundled_model_lies_in_the_package() -> None:
    model = resolve("tiny-gemma2-it")
    assert (model.kind, model.path) == ("tinyworld", tinyworld.model_dir())


@pytest.mark.parametrize(
    ("written", "full_name"),
    [
        ("gemma-2-2b", "google/gemma-2-2b"),
        ("Gemma-2-2B-it", "google/gemma-2-2b-it"),
        ("google/gemma-2-2b", "google/gemma-2-2b"),
        ("gpt2-small", "gpt2"),
        ("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped"),
    ],
)
def test_hub_names_resolve_to_their_full_name(written: str, full_name: str) -> None:
    model = resolve(written)
    assert (model.name, model.kind, model.path) == (full_name, "hub", None)


def test_a_name_that_nobody_knows_suggests_the_nearest_of_the_table() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'tiny-gemma2-it'") as error:
        resolve("tiny-gema2-it")
    assert set(error.value.available) >= set(model_names())


def test_a_name_that_nobody_knows_suggests_names_of_transformer_lens_too() -> None:
    with pytest.raises(UnknownNameError, match="EleutherAI/pythia-70m"):
        resolve("EleutherAI/pythia-70mm")


@pytest.mark.parametrize("name", ["", "org/unheard-of"])
def test_what_is_neither_name_nor_folder_is_unknown(name: str) -> None:
    with pytest.raises(UnknownNameError, match="tiny-gemma2-it"):
        resolve(name)


def test_a_folder_takes_its_base_name(folder: Path) -> None:
    model = resolve(f"{folder}/")
    assert (model.name, model.kind, model.path) == ("my-model", "folder", folder)


def test_a_relative_folder_with_a_config_needs_no_dot(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert resolve("my-model").path == folder
    assert resolve("./my-model").path == folder


def test_a_home_folder_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert resolve("~/my-model").path == folder


def test_a_folder_keeps_the_name_of_its_symbolic_link(folder: Path) -> None:
    link = folder.parent / "alias"
    link.symlink_to(folder)
    assert resolve(str(link)).name == "alias"


def test_a_name_of_the_table_beats_a_folder_of_that_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    folder.rename(folder.parent / "gpt2")
    assert resolve("gpt2").kind == "hub"
    assert resolve("./gpt2").kind == "folder"


def test_a_folder_with_a_config_beats_a_name_outside_the_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    folder.rename(folder.parent / "distilgpt2")
    assert resolve("distilgpt2").kind == "folder"


# Descriptions


def test_a_folder_is_described_from_its_config(folder: Path) -> None:
    info = describe(str(folder))
    assert (info.name, info.kind, info.path) == ("my-model", "folder", folder)
    assert info.architecture == "GPT2LMHeadModel"
    assert (info.d_model, info.n_layers, info.n_ctx, info.d_vocab) == (8, 6, 16, 11)


def test_gemma_2_2b_is_described_without_a_network() -> None:
    info = describe("gemma-2-2b")
    assert (info.name, info.architecture) == ("google/gemma-2-2b", "Gemma2ForCausalLM")
    assert (info.d_model, info.n_layers, info.n_ctx, info.d_vocab) == (2304, 26, 8192, 256000)
    assert info.default_hook_name == "blocks.19.hook_resid_post"


@pytest.mark.parametrize(
    ("n_layers", "layer"), [(1, 0), (2, 1), (3, 1), (4, 2), (6, 3), (12, 7), (26, 17)]
)
def test_the_default_hook_is_after_two_thirds_of_the_layers(
    folder: Path, n_layers: int, layer: int
) -> None:
    change_config(folder, n_layer=n_layers)
    assert describe(str(folder)).default_hook_name == f"blocks.{layer}.hook_resid_post"


def test_a_folder_named_like_a_row_does_not_take_that_row_s_hook(folder: Path) -> None:
    info = describe(str(folder.rename(folder.parent / "gpt2")))
    assert (info.kind, info.default_hook_name) == ("folder", "blocks.3.hook_resid_post")


def test_reading_nothing_but_configs_imports_neither_torch_nor_transformers(folder: Path) -> None:
    code = (
        "import sys; from csae_bench.models import *; model_names();"
        "describe('gemma-2-2b'); weights_fingerprint('distilgpt2');"
        f"describe({str(folder)!r}); weights_fingerprint({str(folder)!r});"
        "print({'torch', 'transformers', 'transformer_lens', 'sae_lens'} & set(sys.modules))"
    )
    code = code.replace("import *", "import describe, model_names, weights_fingerprint")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.usefixtures("empty_cache")
def test_a_hub_model_that_cannot_be_described_offline_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"EleutherAI/pythia-70m: its config\.json .* HF_HUB_OFF"):
        describe("pythia-70m")


@pytest.mark.usefixtures("empty_cache")
def test_a_hub_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9 does not answer; pass a local folder"):
        describe("pythia-70m")


@pytest.mark.parametrize(
    ("key", "field", "published"),
    [("head_dim", "d_head", 256), ("sliding_window", "window_size", 4096)],
)
def test_a_setting_that_gemma2_leaves_out_is_the_published_one(
    key: str, field: str, published: int
) -> None:
    config = {k: value for k, value in GEMMA2_CONFIG.items() if k != key}
    assert hooked_config(HfConfig(config, "config.json"))[field] == published


def test_rope_theta_is_read_from_either_place() -> None:
    for rope in ({"rope_theta": 7.0}, {"rope_parameters": {"rope_theta": 7.0}}):
        fields = hooked_config(HfConfig({**GEMMA2_CONFIG, **rope}, "config.json"))
        assert fields["rotary_base"] == 7.0


def test_absent_soft_caps_are_off() -> None:
    off = {"attn_logit_softcapping": None, "final_logit_softcapping": None}
    fields = hooked_config(HfConfig({**GEMMA2_CONFIG, **off}, "config.json"))
    assert (fields["attn_scores_soft_cap"], fields["output_logits_soft_cap"]) == (-1.0, -1.0)


# Errors


@pytest.mark.parametrize(
    ("base", "change", "key", "value"),
    [
        (GPT2_CONFIG, {"n_embd": "8"}, "n_embd", "'8'"),
        (GPT2_CONFIG, {"n_embd": True}, "n_embd", "True"),
        (GPT2_CONFIG, {"n_layer": 0}, "n_layer", "0"),
        (GPT2_CONFIG, {"n_head": 3}, "n_head", "3; it must be a divisor of n_embd=8"),
        (GPT2_CONFIG, {"n_inner": -1}, "n_inner", "-1"),
        (GPT2_CONFIG, {"layer_norm_epsilon": 0}, "layer_norm_epsilon", "0"),
        (GPT2_CONFIG, {"activation_function": "swish"}, "activation_function", "'swish'"),
        (GPT2_CONFIG, {"scale_attn_weights": 1}, "scale_attn_weights", "1"),
        (GPT2_CONFIG, {"add_cross_attention": True}, "add_cross_attention", "True"),
        (GPT2_CONFIG, {"quantization_config": {"bits": 4}}, "quantization_config", "{'bits': 4}"),
        (GPT2_CONFIG, {"architectures": None}, "architectures", "None"),
        (GPT2_CONFIG, {"architectures": []}, "architectures", "[]"),
        (GEMMA2_CONFIG, {"num_key_value_heads": 3}, "num_key_value_heads", "3; it must be a div"),
        (GEMMA2_CONFIG, {"attention_bias": True}, "attention_bias", "True"),
        (GEMMA2_CONFIG, {"use_bidirectional_attention": True}, "use_bidirectional_attention", "T"),
        (GEMMA2_CONFIG, {"layer_types": ["full_attention"]}, "layer_types", "['full_attention']"),
        (GEMMA2_CONFIG, {"layer_types": ["chunked"] * 2}, "layer_types", "['chunked', 'chunked']"),
        (GEMMA2_CONFIG, {"sliding_window": None}, "sliding_window", "None"),
        (GEMMA2_CONFIG, {"rope_scaling": {"factor": 2}}, "rope_scaling", "{'factor': 2}"),
        (GEMMA2_CONFIG, {"rope_parameters": {"rope_type": "yarn"}}, "rope_type", "'yarn'"),
        (GEMMA2_CONFIG, {"rope_parameters": 1}, "rope_parameters", "1"),
        (GEMMA2_CONFIG, {"attn_logit_softcapping": -1.0}, "attn_logit_softcapping", "-1.0"),
        (GEMMA2_CONFIG, {"vocab_size": float("nan")}, "vocab_size", "nan"),
    ],
)
def test_a_setting_that_is_wrong_names_file_key_and_value(
    folder: Path, base: dict[str, Any], change: dict[str, Any], key: str, value: str
) -> None:
    (folder / "config.json").write_text(json.dumps(base))
    change_config(folder, **change)
    expected = rf"{re.escape(str(folder))}/config\.json.*: {key} is {re.escape(value)}"
    with pytest.raises(ModelError, match=expected):
        describe(str(folder))


@pytest.mark.parametrize("key", ["hidden_size", "intermediate_size", "num_hidden_layers"])
def test_a_missing_size_is_named(folder: Path, key: str) -> None:
    config = {k: v for k, v in GEMMA2_CONFIG.items() if k != key}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=f"{key} is missing; it must be a whole number"):
        describe(str(folder))


def test_an_unsupported_architecture_lists_the_supported(folder: Path) -> None:
    change_config(folder, architectures=["MambaForCausalLM"])
    with pytest.raises(ModelError) as error:
        describe(str(folder))
    assert "MambaForCausalLM" in str(error.value)
    assert all(name in str(error.value) for name in ARCHITECTURES)


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])


def keep_pytorch_weights_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def lose_a_shard(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": shards})
    )


def spoil_the_index(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("[]")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shutil.rmtree, "no such folder"),
        (drop("config.json"), r"has no config\.json"),
        (write("config.json", b"{"), r"config\.json is not JSON"),
        (write("config.json", b"\xff\xfe"), r"config\.json is not JSON"),
        (write("config.json", b"[]"), "holds a list; it must hold a JSON object"),
        (drop("tokenizer.json"), r"has no tokenizer; it must hold tokenizer\.json or vocab"),
        (drop("model.safetensors"), r"has no weights: neither model\.safetensors"),
        (keep_pytorch_weights_only, r"only pytorch_model\.bin; save the model"),
        (write("model.safetensors", b""), "is not a safetensors file"),
        (write("model.safetensors", b"version https://git-lfs"), "git lfs pull"),
        (write("model.safetensors", b"\x02" + bytes(7) + b"[]"), "is not a safetensors file"),
        (cut_weights, r"bytes; its header promises \d+"),
        (lose_a_shard, r"has no model-00002-of-00002\.safetensors, which model\.saf"),
        (spoil_the_index, "is not an index of weights"),
    ],
)
def test_what_a_folder_lacks_is_said_with_its_path(
    folder: Path, change: Callable[[Path], None], message: str
) -> None:
    change(folder)
    with pytest.raises(ModelError, match=f"{re.escape(str(folder))}.*{message}"):
        describe(str(folder))


def test_a_file_in_place_of_a_folder_points_to_the_folder(folder: Path) -> None:
    with pytest.raises(ModelError, match=f"is a file; pass the model's folder, {folder}"):
        describe(str(folder / "config.json"))


# Fingerprints


def test_a_fingerprint_does_not_depend_on_where_the_folder_lies(folder: Path) -> None:
    copied = shutil.copytree(folder, folder.parent / "copied")
    (copied / "README.md").write_text("a model card")
    assert weights_fingerprint(str(copied)) == weights_fingerprint(str(folder))
    assert re.fullmatch("[0-9a-f]{64}", weights_fingerprint(str(folder)))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: change_config(folder, layer_norm_epsilon=1e-6),
        lambda folder: write_safetensors(folder / "model.safetensors", n_bytes=32),
        write("tokenizer.json", b'{"a": 1}'),
        write("tokenizer_config.json", b"{}"),
    ],
    ids=["config", "weights", "tokenizer", "tokenizer_config"],
)
def test_a_fingerprint_changes_with_whatever_changes_the_model(
    folder: Path, change: Callable[[Path], None]
) -> None:
    before = weights_fingerprint(str(folder))
    change(folder)
    assert weights_fingerprint(str(folder)) != before


def test_the_fingerprint_of_a_hub_model_is_its_full_name() -> None:
    assert weights_fingerprint("gemma-2-2b") == "google/gemma-2-2b"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_an_incomplete_folder_has_no_fingerprint(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        weights_fingerprint(str(folder))
