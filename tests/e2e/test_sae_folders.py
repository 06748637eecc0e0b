"""What run, doctor and export say of SAE folders that are damaged or of another kind."""

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

from tests.e2e.refusals import check_refused, said
from tests.sae_folders import ABSENT, D_IN, D_SAE, HOOK, MODEL, write_sae

CsaeBench = Callable[..., Result]

DEEP = '{"metadata": ' + "[" * 20_000 + "]" * 20_000 + "}"
LONG = f'{{"architecture": "topk", "d_in": {"9" * 5000}}}'
TRANSCODER = {
    "architecture": "transcoder",
    "d_out": D_IN,
    "metadata__hook_name": "blocks.2.ln2.hook_normalized",
    "metadata__hook_name_out": "blocks.2.hook_mlp_out",
}

LISTED: dict[str, tuple[dict[str, Any], str]] = {
    # of issue 11
    "transcoder": (TRANSCODER, r"cfg\.json: architecture is 'transcoder'.*hook_name_out is"),
    "skip transcoder": ({**TRANSCODER, "architecture": "skip_transcoder"}, "'skip_transcoder'"),
    "jumprelu transcoder": (
        {**TRANSCODER, "architecture": "jumprelu_transcoder"}, "'jumprelu_transcoder'",
    ),
    "jumprelu skip transcoder": (
        {**TRANSCODER, "architecture": "jumprelu_skip_transcoder"}, "'jumprelu_skip_transcoder'",
    ),
    "temporal": ({"architecture": "temporal"}, "temporal SAE, whose codes depend on the tokens"),
    "crosscoder": ({"architecture": "crosscoder"}, "crosscoder, which reads several hooks"),
    "output at another hook": (
        {"metadata__hook_name_out": "blocks.2.hook_mlp_out"},
        rf"hook_name_out is 'blocks.2.hook_mlp_out' and hook_name is '{HOOK}'",
    ),
    "output at another hook, before SAELens 6": (
        {"hook_name_out": "blocks.3.hook_mlp_out", "metadata__sae_lens_version": "5.1.0"},
        "hook_name_out is 'blocks.3.hook_mlp_out'",
    ),
    "output of another width": ({"d_out": 64}, f"d_out is 64 and d_in is {D_IN}"),
    "nested deep": ({"text": DEEP}, r"cfg\.json cannot be read as JSON: it is nested too deep"),
    "metadata a text": ({"metadata": "hi"}, r"metadata is 'hi'; it must be an object"),
    "metadata a list": ({"metadata": [1]}, r"metadata is \[1\]; it must be an object"),
    "metadata a number": ({"metadata": 3}, "metadata is 3; it must be an object"),
    "metadata null": ({"metadata": None}, "metadata is null; it must be an object"),
    "hook_name a number": ({"metadata__hook_name": 5}, r"metadata\.hook_name is 5; it must be"),
    "model_name a list": ({"metadata__model_name": ["a"]}, r'metadata\.model_name is \["a"\]'),
    "d_in a text": ({"d_in": "wide"}, "d_in is 'wide'; it must be a whole number"),
    "d_in NaN": ({"d_in": float("nan")}, "d_in is NaN; it must be a whole number"),
    "d_in negative": ({"d_in": -128}, "d_in is -128; it must be a whole number"),
    "d_in 10**30": ({"d_in": 10**30}, r"d_in is 10{29}.*; it must be a whole number"),
    "an integer of 5,000 digits": ({"text": LONG}, r"cfg\.json.*a whole number of 5000 digits"),
    "k 10**9": ({"k": 10**9}, rf"cfg\.json.*: k is 1000000000; it must be .* d_sae={D_SAE}"),
    "k -4": ({"k": -4}, r"cfg\.json.*: k is -4; it must be a whole number from 1"),
    "k a text": ({"k": "many"}, r"cfg\.json.*: k is 'many'; it must be a whole number from 1"),
    "k NaN": ({"k": float("nan")}, r"cfg\.json.*: k is NaN; it must be a whole number from 1"),
    "an architecture of nonsense": (
        {"architecture": "nonsense"}, "SAELens knows no architecture 'nonsense'",
    ),
    "misshaped weights": (
        {"tensors": {"W_dec": np.zeros((D_SAE, 7), np.float32)}},
        rf"size mismatch for W_dec, which is \[{D_SAE}, 7\] and must be \[{D_SAE}, {D_IN}\]",
    ),
}  # fmt: skip

OWN: dict[str, tuple[dict[str, Any], str]] = {
    "cfg empty": ({"text": ""}, r"cfg\.json cannot be read as JSON"),
    "cfg a number": ({"text": "7"}, r"cfg\.json holds a int"),
    "cfg cut off": ({"text": '{"d_in": 8, "d_'}, r"cfg\.json cannot be read as JSON"),
    "d_in a list of hooks": ({"d_in": [D_IN, D_IN]}, r"d_in is \[128, 128\]"),
    "d_in true": ({"d_in": True}, "d_in is true; it must be a whole number"),
    "d_in 128.0": ({"d_in": 128.0}, r"d_in is 128\.0; it must be a whole number"),
    "d_in missing": ({"d_in": ABSENT}, "d_in is missing"),
    "d_in null": ({"d_in": None}, "d_in is null"),
    "d_in infinite": ({"d_in": float("inf")}, "d_in is Infinity"),
    "d_in of another model": (
        {"d_in": 64, "tensors": {
            "W_enc": np.ones((64, D_SAE), np.float32), "W_dec": np.ones((D_SAE, 64), np.float32),
            "b_dec": np.zeros(64, np.float32)}},
        "d_in is 64; tiny-gemma2-it has d_model=128",
    ),
    "d_sae 0": ({"d_sae": 0}, "d_sae is 0; it must be a whole number"),
    "d_sae missing": ({"d_sae": ABSENT}, "d_sae is missing"),
    "d_sae an object": ({"d_sae": {"a": 1}}, r'd_sae is {"a": 1}'),
    "d_sae 2**40": ({"d_sae": 2**40}, "d_sae is 1099511627776"),
    "k 0": ({"k": 0}, "k is 0; it must be"),
    "k 4.5": ({"k": 4.5}, r"k is 4\.5; it must be"),
    "k true": ({"k": True}, "k is true; it must be"),
    "k missing": ({"k": ABSENT}, "k is missing; it must be"),
    "k null": ({"k": None}, "k is null; it must be"),
    "k of abstopk": ({"architecture": "abstopk", "k": 33}, "k is 33; it must be"),
    "k of ours": ({"architecture": "contrastive_topk", "k": [4]}, r"k is \[4\]; it must be"),
    "k before SAELens 6": (
        {"architecture": "standard", "k": ABSENT, "activation_fn_str": "topk",
         "activation_fn_kwargs": {"k": -1}},
        "k is -1; it must be",
    ),
    "another activation function": (
        {"architecture": "standard", "activation_fn_str": "tanh-relu"},
        "activation_fn_str is 'tanh-relu'",
    ),
    "signed TopK": ({"activation_fn_kwargs": {"signed": True}}, r"kwargs\.signed is true"),
    "dtype unknown": ({"dtype": "int7"}, "dtype is 'int7'; it must be one of float32"),
    "dtype a number": ({"dtype": 32}, "dtype is 32; it must be one of"),
    "dtype missing": ({"dtype": ABSENT}, "dtype is missing"),
    "architecture a list": ({"architecture": ["topk"]}, r'architecture is \["topk"\]'),
    "architecture null": ({"architecture": None}, "architecture is null"),
    "architecture of a training": (
        {"architecture": "batchtopk"}, "'batchtopk', which is the name of a training",
    ),
    "architecture misspelt": ({"architecture": "top_k"}, "Did you mean 'topk'"),
    "architecture of 9,000 characters": (
        {"architecture": "x" * 9000}, r"knows no architecture 'x+\.\.\. \(9000 characters\)'",
    ),
    "a flag as text": ({"apply_b_dec_to_input": "false"}, "apply_b_dec_to_input is 'false'"),
    "rescale as a number": ({"rescale_acts_by_decoder_norm": 1}, "decoder_norm is 1; it must be"),
    "a threshold of NaN": ({"residual_threshold": float("nan")}, "residual_threshold is NaN; it"),
    "iterations as text": ({"max_iterations": "10"}, "max_iterations is '10'; it must be null"),
    "normalization unknown": ({"normalize_activations": "l3"}, "normalize_activations is 'l3'"),
    "normalization a list": ({"normalize_activations": []}, r"normalize_activations is \[\]"),
    "reshaping unknown": ({"reshape_activations": "hook_q"}, "reshape_activations is 'hook_q'"),
    "one attention head": ({"metadata__hook_head_index": 3}, "hook_head_index is 3: it reads a"),
    "two hooks": (
        {"metadata__hook_name": [HOOK, "blocks.1.hook_resid_post"]}, "hook_name lists 2 hooks",
    ),
    "hook_names": ({"metadata__hook_names": [HOOK, HOOK]}, "hook_names lists 2 hooks"),
    "a flag of transcoders": ({"is_transcoder": True}, "is_transcoder is true"),
    "hook_name empty": ({"metadata__hook_name": ""}, r"metadata\.hook_name is ''"),
    "hook_name of YAML": ({"metadata__hook_name": "[a: {b"}, r"metadata\.hook_name is '\[a"),
    "hook_name with ESC": ({"metadata__hook_name": "\x1b[31mb"}, r"hook_name is '\\x1b\[31mb'"),
    "hook_name beyond the model": (
        {"metadata__hook_name": "blocks.9.hook_resid_post"}, "has layers 0 to 3",
    ),
    "hook_name without a block": (
        {"metadata__hook_name": "hook_embed"}, "hook_name is 'hook_embed'; it must name a block",
    ),
    "model_name empty": ({"metadata__model_name": ""}, r"metadata\.model_name is ''"),
    "model_name a lone surrogate": ({"metadata__model_name": "\ud800"}, r"model_name is '\\ud800'"),
    "model_name with NUL": ({"metadata__model_name": "a\x00b"}, r"model_name is 'a\\x00b'"),
    "model_name unknown": ({"metadata__model_name": "no-such-model"}, "Unknown model"),
    "model_name of 9,000 characters": (
        {"metadata__model_name": "m" * 9000}, r"model_name is 'm+\.\.\. \(9000 characters\)'",
    ),
    "prepend_bos a text": ({"metadata__prepend_bos": "yes"}, r"metadata\.prepend_bos is 'yes'"),
    "version of nonsense": ({"metadata__sae_lens_version": "hi"}, "sae_lens_version is 'hi'"),
    "version a number": ({"metadata__sae_lens_version": 6}, "sae_lens_version is 6"),
    "metadata that overwrites": ({"metadata__to_dict": 1}, "metadata holds 'to_dict'"),
    "metadata with self": ({"metadata__self": 1}, "metadata holds 'self'"),
    "trained as a list": (
        {"metadata__training_architecture": []}, r"metadata\.training_architecture is \[\]",
    ),
    "a tensor missing": ({"tensors": {"b_enc": ABSENT}}, "Missing key.* b_enc"),
    "two tensors missing": (
        {"tensors": {"b_enc": ABSENT, "W_dec": ABSENT}}, "Missing key.* b_enc, W_dec",
    ),
    "a tensor too many": ({"tensors": {"extra": np.zeros(2, np.float32)}}, "Unexpected.* extra"),
    "a threshold for TopK": (
        {"tensors": {"threshold": np.zeros(D_SAE, np.float32)}}, "Unexpected.* threshold",
    ),
    "no threshold for JumpReLU": ({"architecture": "jumprelu"}, "Missing key.* threshold"),
    "the tensors of gated": ({"architecture": "gated"}, "Missing key.* b_gate, r_mag, b_mag"),
    "whole numbers": (
        {"tensors": {"W_enc": np.zeros((D_IN, D_SAE), np.int8)}}, "W_enc holds I8; it must",
    ),
    "an encoder transposed": (
        {"tensors": {"W_enc": np.zeros((D_SAE, D_IN), np.float32)}}, "size mismatch for W_enc",
    ),
    "a bias of two dimensions": (
        {"tensors": {"b_dec": np.zeros((1, D_IN), np.float32)}}, "size mismatch for b_dec",
    ),
    "a scalar for a bias": (
        {"tensors": {"b_dec": np.zeros((), np.float32)}}, r"mismatch for b_dec, which is \[\]",
    ),
}  # fmt: skip

CASES = {**LISTED, **OWN}


@pytest.mark.parametrize("name", CASES)
def test_a_folder_that_no_sae_can_be_is_refused(
    name: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    changes, pattern = CASES[name]
    folder, results = write_sae(tmp_path / "sae", **changes), tmp_path / "results"
    doctor = csae_bench("doctor", "--sae", folder, "--results", results, "--json")
    assert doctor.exit_code == 2, said(doctor)
    messages = (
        " ".join(
            check["message"]
            for check in json.loads(doctor.stdout or '{"checks": []}')["checks"]
            if check["outcome"] == "problem"
        )
        if doctor.stdout
        else said(doctor)
    )
    assert re.search(pattern, messages), messages
    check_refused(csae_bench("run", "--sae", folder, "--results", results), pattern)
    assert not list(results.rglob("*eval_results.json"))


NOT_OF_EXPORT = (
    "d_in of another model", "hook_name beyond the model", "hook_name without a block",
    "model_name unknown",
)  # fmt: skip
"""What is wrong with the model behind the SAE does not keep it from being exported."""


@pytest.mark.parametrize("name", [name for name in CASES if name not in NOT_OF_EXPORT])
def test_a_folder_that_no_sae_can_be_is_not_exported(
    name: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    changes, pattern = CASES[name]
    folder = write_sae(tmp_path / "sae", **changes)
    check_refused(csae_bench("export", folder, "--to", tmp_path / "new" / "to", "--stock"), pattern)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sae"]


def test_every_problem_of_a_folder_is_said_at_once(csae_bench: CsaeBench, tmp_path: Path) -> None:
    folder = write_sae(tmp_path / "sae", k=-4, d_in="wide", dtype="int7", metadata__hook_name=5)
    (folder / "sae_weights.safetensors").unlink()
    text = said(csae_bench("run", "--sae", folder, "--results", tmp_path / "results"))
    for part in ("k is -4", "d_in is 'wide'", "dtype is 'int7'", "hook_name is 5", "is missing"):
        assert part in text, text


def test_doctor_says_what_a_folder_holds(csae_bench: CsaeBench, tmp_path: Path) -> None:
    folder = write_sae(tmp_path / "sae", metadata__training_architecture="contrastive_topk")
    outcome = csae_bench("doctor", "--sae", folder, "--results", tmp_path / "r", "--json")
    assert outcome.exit_code == 0, said(outcome)
    by_name = {check["name"]: check["message"] for check in json.loads(outcome.stdout)["checks"]}
    assert by_name["settings"] == (
        "topk (trained as contrastive_topk), d_in=128, d_sae=32, k=4, float32, "
        "inference form of csae-bench"
    )


BEFORE_SAELENS_3 = {
    "d_in": D_IN, "d_sae": D_SAE, "dtype": "torch.float32", "device": "cuda", "hook_point": HOOK,
    "hook_point_layer": 2, "model_name": MODEL, "normalize_activations": False,
    "prepend_bos": True, "apply_b_dec_to_input": True,
}  # fmt: skip
"""It names no architecture, and everything by its old name."""


def test_a_folder_of_an_old_saelens_is_judged(csae_bench: CsaeBench, tmp_path: Path) -> None:
    folder = write_sae(tmp_path / "sae", text=json.dumps(BEFORE_SAELENS_3))
    outcome = csae_bench(
        "run", "--sae", folder, "--results", tmp_path / "r", "--evals", "mig", "--json"
    )
    assert "Traceback" not in said(outcome)
    record = json.loads(outcome.stdout)
    assert record["training_architecture"] == "standard"
    assert record["cells"]["validity"]["status"] in ("ok", "invalid")


@pytest.mark.parametrize("hook_name_out", [HOOK, "", None])
def test_an_output_at_the_same_hook_is_no_reason(
    hook_name_out: str | None, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    folder = write_sae(tmp_path / "sae", d_out=D_IN, metadata__hook_name_out=hook_name_out)
    outcome = csae_bench("doctor", "--sae", folder, "--results", tmp_path / "r")
    assert outcome.exit_code == 0, said(outcome)


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ("x" * 5000, r"'--sae': 'x+\.\.\.' is 5000 bytes long; a path has at most 4095"),
        ("a/" * 2500, r"'--sae': '[a/]+\.\.\.' is 5000 bytes long; a path has at most 4095"),
        ("a:" + "x" * 5000, r"'--sae': 'a:x+\.\.\.' is 5002 bytes long; a path has at most 4095"),
        ("a\x00b", r"'--sae': 'a\\x00b' holds a NUL"),
        ("a\x00b:c", r"'--sae': 'a\\x00b:c' holds a NUL"),
        ("", "'--sae': it is empty"),
        (" ", "'--sae': it is empty"),
        ("~nobody-of-this-name/sae", "'--sae': '~nobody-of-this-name/sae'"),
        ("/dev/null", "/dev/null is a file"),
        ("/etc/passwd", "/etc/passwd is a file"),
        ("/proc/1/fd/x", "Unknown SAE configuration"),
        ("/no/such/folder", "Unknown SAE configuration"),
        ("\x1b[31m", r"Unknown SAE configuration"),
        ("a:b", "no release 'a'"),
        (":", "no release ''"),
        ("x" * 300, r"'--sae': 'x+\.\.\.' has a part of 300 bytes"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_name_that_no_sae_can_have_is_refused(
    command: str, source: str, pattern: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    outcome = csae_bench(command, "--sae", source, "--results", tmp_path / "results")
    check_refused(outcome, pattern)
    assert len(said(outcome)) < 1500


# ---- files that are no files


def test_a_fifo_in_place_of_a_file_is_refused_without_waiting(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    for name in ("cfg.json", "sae_weights.safetensors"):
        folder = write_sae(tmp_path / name)
        (folder / name).unlink()
        os.mkfifo(folder / name)
        outcome = csae_bench("run", "--sae", folder, "--results", tmp_path / "results")
        check_refused(outcome, rf"{re.escape(name)} cannot be read: Is no regular file but a FIFO")


@pytest.mark.parametrize("name", ["cfg.json", "sae_weights.safetensors"])
@pytest.mark.parametrize(
    ("to", "pattern"),
    [("/dev/zero", "a device"), ("itself", "Too many levels"), ("/", "Is a directory")],
)
def test_a_link_in_place_of_a_file_is_refused(
    name: str, to: str, pattern: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    folder = write_sae(tmp_path / "sae")
    (folder / name).unlink()
    (folder / name).symlink_to(folder / name if to == "itself" else to)
    outcome = csae_bench("run", "--sae", folder, "--results", tmp_path / "results")
    check_refused(outcome, rf"{re.escape(name)} cannot be read: .*{pattern}")


@pytest.mark.parametrize("name", ["cfg.json", "sae_weights.safetensors"])
def test_permission_denied_is_called_so(
    name: str, csae_bench: CsaeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, open_file = write_sae(tmp_path / "sae"), os.open

    def denied(path: Any, *rest: Any, **named: Any) -> int:
        if str(path).endswith(name):  # as root, no file is closed to the tests
            raise PermissionError(13, "Permission denied", str(path))
        return open_file(path, *rest, **named)

    monkeypatch.setattr("csae_bench.support.regular_files.os.open", denied)
    for arguments in (
        ("run", "--sae", folder, "--results", tmp_path / "results"),
        ("export", folder, "--to", tmp_path / "to"),
    ):
        outcome = csae_bench(*arguments)
        check_refused(outcome, rf"{re.escape(name)} cannot be read: Permission denied\.")
        assert "damaged" not in said(outcome)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("stock", [(), ("--stock",)])
def test_weights_that_are_not_finite_are_not_exported(
    stock: tuple[str, ...], value: float, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    folder = write_sae(tmp_path / "sae", tensors={"b_enc": np.full(D_SAE, value, np.float32)})
    outcome = csae_bench("export", folder, "--to", tmp_path / "new" / "to", *stock)
    check_refused(outcome, rf"{re.escape(str(folder))}: weights are not finite: b_enc \(32 of")
    assert [path.name for path in tmp_path.iterdir()] == ["sae"]


def test_an_sae_of_nan_alone_is_refused_by_run(csae_bench: CsaeBench, tmp_path: Path) -> None:
    folder = write_sae(
        tmp_path / "sae", tensors={"W_dec": np.full((D_SAE, D_IN), np.nan, np.float32)}
    )
    outcome = csae_bench("run", "--sae", folder, "--results", tmp_path / "results")
    check_refused(outcome, r"weights are not finite: W_dec \(4096 of its values\)")


@pytest.mark.parametrize(
    ("to", "pattern"),
    [
        ("x" * 5000, "is 5000 bytes long; a path has at most 4095"),
        ("/proc/no/to", "/proc/no/to cannot be written: "),
        ("/dev/null/to", "/dev/null/to cannot be written: Not a directory"),
        ("/dev/null", "exists already"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_refused(
    to: str, pattern: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    folder = write_sae(tmp_path / "sae")
    check_refused(csae_bench("export", folder, "--to", to), pattern)
