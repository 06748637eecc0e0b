"""SAEs of other libraries on the command line: evaluated, recognised, or refused with a reason."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from csae_bench.errors import SaeError
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import resolve_sae
from tests.e2e.refusals import check_refused, said
from tests.sae_folders import (
    ABSENT,
    D_IN,
    D_SAE,
    FOREIGN_WRITERS,
    HOOK,
    MODEL,
    random_weights,
    write_arrays,
    write_dictionary,
    write_json,
    write_sae,
    write_sparsify,
)

CsaeBench = Callable[..., Result]


@pytest.mark.parametrize(
    ("write", "pattern"),
    [
        (write_sae, "topk, d_in=128, d_sae=32, k=4, float32, inference form of SAELens"),
        (
            lambda f: write_sae(f, architecture="topk", decoder_init_norm=0.1),
            "topk, d_in=128, d_sae=32, k=4, float32, training form of SAELens",
        ),
        (
            lambda f: write_sparsify(f / "layers.2", model=MODEL),
            "topk, d_in=128, d_sae=32, k=4, float32, form of sparsify",
        ),
        (
            lambda f: write_dictionary(f, "BatchTopKSAE"),
            "jumprelu (trained as batchtopk), d_in=128, d_sae=32, float32, "
            "form of dictionary_learning",
        ),
        (
            lambda f: write_dictionary(f, "AutoEncoderNew"),
            "standard, d_in=128, d_sae=32, float32, encodes x, not x - b_dec, "
            "form of dictionary_learning",
        ),
        (
            lambda f: write_arrays(f.with_suffix(".safetensors"), "abstopk"),
            "abstopk, d_in=128, d_sae=32, k=4, float32, form of bare arrays",
        ),
    ],
)
def test_doctor_says_which_form_it_found_and_reads_no_weights(
    write: Callable[[Path], Path],
    pattern: str,
    csae_bench: CsaeBench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = write(tmp_path / "sae")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("weights are read")

    monkeypatch.setattr("torch.load", refuse)
    monkeypatch.setattr("safetensors.torch.load_file", refuse)
    outcome = csae_bench("doctor", "--sae", place, "--results", tmp_path / "r", "--json")
    assert outcome.exit_code == 0, said(outcome)
    by_name = {check["name"]: check["message"] for check in json.loads(outcome.stdout)["checks"]}
    assert by_name["settings"] == pattern


# ---- evaluated

SMALL = (
    "--evals", "core", "--set", "threads=1",
    "--set", "evals.core.n_eval_reconstruction_batches=1",
    "--set", "evals.core.n_eval_sparsity_variance_batches=1",
    "--set", "evals.core.context_size=64",
)  # fmt: skip

AXES = np.eye(D_IN, dtype=np.float32)
BOTH_SIGNS = np.concatenate([AXES, -AXES])
"""Decoder of the exact SAE x = relu(x) - relu(-x), whose encoder is its transpose."""
NO_BIAS = {
    "b_enc": np.zeros(2 * D_IN, np.float32),
    "b_dec": np.zeros(D_IN, np.float32),
}


def identity_of_sparsify(folder: Path) -> Path:
    tensors = {
        "encoder.weight": BOTH_SIGNS, "W_dec": BOTH_SIGNS, "encoder.bias": NO_BIAS["b_enc"],
        "b_dec": NO_BIAS["b_dec"],
    }  # fmt: skip
    return write_sparsify(
        folder / "layers.2", model=MODEL, num_latents=2 * D_IN, k=D_IN, tensors=tensors
    )


def identity_of_dictionary_learning(folder: Path) -> Path:
    state = {
        "encoder.weight": BOTH_SIGNS, "decoder.weight": BOTH_SIGNS.T.copy(),
        "encoder.bias": NO_BIAS["b_enc"], "b_dec": NO_BIAS["b_dec"], "k": np.int32(D_IN),
    }  # fmt: skip
    return write_dictionary(folder / "trainer_0", dict_size=2 * D_IN, k=D_IN, state=state)


def identity_of_arrays(folder: Path) -> Path:
    return write_arrays(folder / "own.npz", W_enc=BOTH_SIGNS.T, W_dec=BOTH_SIGNS, **NO_BIAS)


def identity_with_signs(folder: Path) -> Path:
    weights = {"W_enc": AXES, "W_dec": AXES, "b_enc": NO_BIAS["b_dec"], "b_dec": NO_BIAS["b_dec"]}
    path = folder / "signed.safetensors"
    return write_arrays(path, "abstopk", k=D_IN, encoder_axes="d_in d_sae", **weights)


def test_the_identity_in_each_form_has_the_scores_of_the_identity(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    """All four in one run, found by patterns."""
    writers = (
        identity_of_sparsify, identity_of_dictionary_learning, identity_of_arrays,
        identity_with_signs,
    )  # fmt: skip
    for write in writers:
        write(tmp_path / "saes")
    results = tmp_path / "results"
    outcome = csae_bench(
        "run", "--sae", tmp_path / "saes" / "[lt]*", "--sae", tmp_path / "saes" / "*.npz",
        "--sae", tmp_path / "saes" / "*.safetensors", "--results", results, *SMALL,
    )  # fmt: skip
    assert outcome.exit_code == 0, said(outcome)
    corrected: dict[str, Any] = {}
    for path in (results / "core").glob("*_eval_results.json"):
        result = json.loads(path.read_text())
        name = re.search(r"_sae_(.+)-[0-9a-f]{8}_eval_results\.json", path.name)
        assert name is not None, path.name
        corrected[name[1]] = result["eval_result_unstructured"]["corrected"]
    assert sorted(corrected) == ["layers.2", "own", "signed", "trainer_0"]
    for right in corrected.values():
        assert right["explained_variance"] == pytest.approx(1, abs=1e-6)
        assert right["ce_loss_score"] == pytest.approx(1, abs=1e-5)
        assert right["l0"] == pytest.approx(D_IN, abs=0.1)
        assert right["mse"] == pytest.approx(0, abs=1e-6)
    assert corrected["signed"]["frac_alive"] == 1
    records = [json.loads(path.read_text()) for path in (results / "runs").glob("*.json")]
    assert {record["hook_name"] for record in records} == {HOOK}
    assert {record["training_architecture"] for record in records} == {
        "topk", "standard", "abstopk",
    }  # fmt: skip


def test_what_a_folder_does_not_say_can_be_given(csae_bench: CsaeBench, tmp_path: Path) -> None:
    place = write_sparsify(tmp_path / "some_folder")
    arguments = ("doctor", "--sae", place, "--results", tmp_path / "r")
    check_refused(csae_bench(*arguments), "model_name is not known; the form of spar.* `model`")
    check_refused(
        csae_bench(*arguments, "--model", MODEL), r"hook_name is not known.*--set hook_name=blocks"
    )
    given = csae_bench(*arguments, "--model", MODEL, "--set", f"hook_name={HOOK}")
    assert given.exit_code == 0, said(given)


@pytest.mark.parametrize(
    ("changes", "hook_name"),
    [
        ({"submodule_name": "resid_post_layer_1"}, None),  # layer is 2
        ({"submodule_name": "resid_post_layer_1", "layer": 1}, "blocks.1.hook_resid_post"),
        ({"submodule_name": "mlp_out_layer_2"}, None),
        ({"submodule_name": None}, None),
        ({"buffer": {"io": "in"}}, None),
        ({"buffer": {"io": "out"}}, HOOK),
    ],
)
def test_a_hook_of_dictionary_learning_is_translated_where_it_is_unambiguous(
    changes: dict[str, Any], hook_name: str | None, tmp_path: Path
) -> None:
    request = RunRequest(source=str(write_dictionary(tmp_path / "sae", **changes)))
    if hook_name is not None:
        assert resolve_sae(request).hook_name == hook_name
        return
    with pytest.raises(SaeError, match=r"form of dictionary_learning has it in trainer\.sub"):
        resolve_sae(request)


@pytest.mark.parametrize(
    ("folder", "hook_name"),
    [
        ("layers.2", HOOK),
        ("model.layers.1", "blocks.1.hook_resid_post"),
        ("gpt_neox.layers.0", "blocks.0.hook_resid_post"),
        ("h.3", "blocks.3.hook_resid_post"),
        ("layers.2/seed1", HOOK),
        ("layers.2.mlp", None),
        ("layers.2.attention", None),
        ("embed_tokens", None),
    ],
)
def test_a_hookpoint_of_sparsify_is_translated_where_it_is_unambiguous(
    folder: str, hook_name: str | None, tmp_path: Path
) -> None:
    request = RunRequest(source=str(write_sparsify(tmp_path / folder)), model=MODEL)
    if hook_name is not None:
        assert resolve_sae(request).hook_name == hook_name
        return
    with pytest.raises(SaeError, match="hook_name is not known; the form of sparsify has"):
        resolve_sae(request)


# ---- refused


@pytest.mark.parametrize("form", FOREIGN_WRITERS)
def test_a_fifo_in_place_of_the_weights_is_refused_without_waiting(
    form: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    place = FOREIGN_WRITERS[form](tmp_path / "sae")
    weights = place if place.is_file() else max(place.iterdir(), key=lambda p: p.stat().st_size)
    weights.unlink()
    os.mkfifo(weights)
    outcome = csae_bench("run", "--sae", place, "--results", tmp_path / "results")
    check_refused(outcome, rf"{re.escape(weights.name)} cannot be read: Is no regular file but a")


def test_the_weights_of_a_folder_are_no_sae_by_themselves(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    for path in (
        write_sae(tmp_path / "saelens") / "sae_weights.safetensors",
        write_sparsify(tmp_path / "layers.2") / "sae.safetensors",
    ):
        outcome = csae_bench("doctor", "--sae", path, "--results", tmp_path / "results")
        check_refused(outcome, "is a file; an SAE is named by the folder that holds")


def some_files(*names: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        folder.mkdir()
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"not looked at")
        return folder

    return make


def without(write: Callable[..., Path], name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (write(folder) / name).unlink()
        return folder

    return make


def nested_sparsify(folder: Path) -> Path:
    for layer in (1, 5):
        write_sparsify(folder / f"layers.{layer}", model=MODEL)
    (folder / "optimizer_0.pt").write_bytes(b"not looked at")
    return folder


def two_saes(folder: Path) -> Path:
    write_sae(folder / "a")
    write_sae(folder / "b" / "inference")
    return folder


def model_folder(folder: Path) -> Path:
    write_json(folder / "config.json", {"model_type": "gemma2", "architectures": ["Gemma2"]})
    return folder


def two_files(folder: Path) -> Path:
    write_arrays(folder / "a.npz")
    write_arrays(folder / "b.safetensors")
    return folder


def arrays(activation: str | None = "relu", **changes: Any) -> Callable[[Path], Path]:
    return lambda folder: write_arrays(folder.with_suffix(".npz"), activation, **changes)


FOREIGN: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "sparsify, with several problems": (
        lambda f: write_sparsify(
            f, transcode=True, skip_connection=True, k=-1, d_in="x", signed="yes"
        ),
        ("transcode is true", "skip_connection is true", "k is -1", "d_in is 'x'",
         "signed is 'yes'; it must be true or false"),
    ),
    "sparsify, k above its width": (lambda f: write_sparsify(f, k=10**6), ("k is 1000000", "1 to")),
    "sparsify, widths of nonsense": (
        lambda f: write_sparsify(f, num_latents="a", expansion_factor=-1),
        ("num_latents is 'a'", "expansion_factor is -1"),
    ),
    "sparsify, no width": (
        lambda f: write_sparsify(f, num_latents=0, expansion_factor=0), ("are both 0",),
    ),
    "sparsify, another width": (
        lambda f: write_sparsify(f, num_latents=0, expansion_factor=4),
        ("sae.safetensors: weights do not fit cfg.json", "size mismatch for encoder.weight",
         "must be [512, 128]"),
    ),
    "sparsify, another activation": (
        lambda f: write_sparsify(f, activation="groupmax"), ("activation is 'groupmax'; it must",),
    ),
    "sparsify, an encoder alone": (
        lambda f: write_sparsify(f, tensors={"W_dec": ABSENT}), ("Missing key(s) W_dec",),
    ),
    "sparsify, a skip connection that is not announced": (
        lambda f: write_sparsify(f, tensors={"W_skip": np.zeros((D_IN, D_IN), np.float32)}),
        ("Unexpected key(s) W_skip",),
    ),
    "sparsify without weights": (
        without(write_sparsify, "cfg.json"), ("cfg.json is missing", "sparsify keeps"),
    ),
    "sparsify without settings": (
        some_files("sae.safetensors"), ("sae.safetensors is damaged", "cfg.json is missing"),
    ),
    "sparsify, nested": (nested_sparsify, ("2 of its folders do", "sparsify's form", "layers.1")),
    "dictionary_learning, with several problems": (
        lambda f: write_dictionary(f, "CrossCoder", dict_size=-1, activation_dim=None),
        ("trainer.dict_size is -1", "trainer.activation_dim is null", "crosscoder, which reads"),
    ),
    "dictionary_learning, another class": (
        lambda f: write_dictionary(f, "AutoEncoderTopk"),
        ("trainer.dict_class is 'AutoEncoderTopk'. Did you mean 'AutoEncoderTopK'?",),
    ),
    "dictionary_learning, the identity": (
        lambda f: write_dictionary(f, "IdentityDict"), ("Available: AutoEncoder, AutoEncoderNew",),
    ),
    "dictionary_learning, a transcoder": (
        lambda f: write_dictionary(f, buffer={"io": "in_and_out"}), ("reads a module's input",),
    ),
    "dictionary_learning without weights": (
        without(write_dictionary, "ae.pt"), ("ae.pt is missing",),
    ),
    "dictionary_learning without settings": (
        without(write_dictionary, "config.json"), ("config.json is missing or no JSON object",),
    ),
    "dictionary_learning, k above its width": (
        lambda f: write_dictionary(f, k=513), ("trainer.k is 513",),
    ),
    "dictionary_learning without k": (
        lambda f: write_dictionary(f, k=ABSENT), ("trainer.k is null",),
    ),
    "dictionary_learning, a scaling that is not stored": (
        lambda f: write_dictionary(f, norm_factor=7.5),
        ("trainer.norm_factor is 7.5", "is not known. Remove the key if"),
    ),
    "dictionary_learning, a scaled buffer": (
        lambda f: write_dictionary(f, buffer={"normalize_activations": True}),
        ("buffer.normalize_activations is true",),
    ),
    "dictionary_learning, nested": (
        lambda f: (write_dictionary(f / "trainer_0"), f)[-1],
        ("1 of its folders do", "dictionary_learning's form", "trainer_0"),
    ),
    "npz that is none": (
        some_files("params.npz"), ("params.npz is damaged or no file of numpy.savez",),
    ),
    "safetensors that is none": (
        some_files("model.safetensors", "b.npy"), ("model.safetensors is damaged or no",),
    ),
    "two files of bare arrays": (
        two_files, ("2 files of bare arrays (a.npz, b.safetensors); name one",),
    ),
    "arrays without an activation": (arrays(None), ("says no activation; add one",)),
    "arrays with an unknown activation": (
        arrays("batch_topk"), ("activation is 'batch_topk'. Did you mean 'batchtopk'?",),
    ),
    "arrays with a misspelt setting": (
        arrays(apply_b_dec_to_inputs=False), ("Did you mean 'apply_b_dec_to_input'?",),
    ),
    "arrays without k": (arrays("topk", k=ABSENT), ("k is null; activation 'topk' needs",)),
    "arrays, k above their width": (arrays("topk", k=33), ("k is 33", "d_sae=32")),
    "arrays without a threshold": (
        arrays("batchtopk", threshold=ABSENT), ("threshold is missing; activation 'batchtopk'",),
    ),
    "arrays with a threshold for nothing": (
        arrays("relu", threshold=0.5), ("activation 'relu' has none",),
    ),
    "arrays with a threshold that is no number": (
        arrays("jumprelu", threshold=float("nan")), ("threshold is NaN; it must be a finite",),
    ),
    "arrays without a decoder": (arrays(W_dec=ABSENT), ("Missing key(s) W_dec; it must hold",)),
    "arrays, transposed": (
        arrays(W_enc=np.zeros((D_SAE, D_IN), np.float32)),
        ("size mismatch for W_enc, which is [32, 128] and must be [128, 32]", "it is transposed"),
    ),
    "arrays, square": (
        arrays(**random_weights(d_in=D_IN, d_sae=D_IN)),
        ("d_in and d_sae are both 128", "add encoder_axes='d_in d_sae'"),
    ),
    "arrays, square and transposed": (
        arrays(**random_weights(d_in=D_IN, d_sae=D_IN), encoder_axes="d_sae d_in"),
        ("encoder_axes is 'd_sae d_in'; it must be 'd_in d_sae'",),
    ),
    "arrays of whole numbers": (
        arrays(b_enc=np.zeros(D_SAE, np.int32)), ("b_enc holds int32; it must hold one of",),
    ),
    "arrays that are objects": (
        arrays(b_enc=np.array([None] * D_SAE)), ("'b_enc' holds Python objects",),
    ),
    "arrays without a hook": (
        arrays(hook_name=ABSENT), ("hook_name is not known", "--set hook_name=blocks.2."),
    ),
    "arrays without a model": (
        arrays(model_name=ABSENT), ("model_name is not known", "Pass it with --model."),
    ),
    "pickles": (some_files("sae.pt", "x.pth"), ("torch pickles (sae.pt, x.pth)", "opens no")),
    "single arrays": (some_files("W_enc.npy"), ("single arrays (W_enc.npy)", "numpy.savez")),
    "several SAEs": (two_saes, ("2 of its folders do", "a, b", "Name one of them")),
    "a language model": (model_folder, ("a language model", "'gemma2'", "--model")),
    "nothing": (some_files("readme.txt"), ("cfg.json is missing",)),
}  # fmt: skip
OF_THE_RUN_ALONE = ("arrays without a hook", "arrays without a model")
"""What is wrong with them does not keep them from being exported."""


@pytest.mark.parametrize("name", FOREIGN)
def test_what_cannot_be_read_is_named_as_what_it_is(
    name: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    make, parts = FOREIGN[name]
    folder, results = make(tmp_path / "sae"), tmp_path / "results"
    for arguments in (
        ("run", "--sae", folder, "--results", results),
        ("doctor", "--sae", folder, "--results", results, "--json"),
        *([] if name in OF_THE_RUN_ALONE else [("export", folder, "--to", tmp_path / "to")]),
    ):
        outcome = csae_bench(*arguments)
        for part in parts:
            check_refused(outcome, re.escape(part))
    assert not (tmp_path / "to").exists()
