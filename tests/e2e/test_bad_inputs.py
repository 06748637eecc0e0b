"""What a user can get wrong on the command line: exit code 2 and a sentence on the culprit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import CsaeBench

DEEP = 20_000

FILES: dict[str, tuple[str | bytes, str]] = {
    # name -> content, what the sentence must hold
    "deep_list": ("[" * DEEP, "line 1 is nested more than 50 levels deep"),
    "deep_mapping": ("a: " + "{a: " * DEEP, "nested more than 50 levels"),
    "deep_dashes": ("- " * DEEP, "nested more than 50 levels"),
    "long_integer": (f"seed: {'9' * 5000}", "an integer of 5000 characters"),
    "hexadecimal": (f"seed: 0x{'f' * 5000}", "an integer of 5002 characters"),
    "base_60": (f"seed: {':'.join(['1'] * 3000)}", "seed is '1:1:1"),
    "quoted_digits": (f'training: {{batch_size: "{"8" * 400}"}}', "a number of 400 digits"),
    "list_key": ("[a, b]: 1", "has a list as a key"),
    "mapping_key": ("{a: b}: 1", "has a dict as a key"),
    "set_key": ("? !!set {a}\n: 1", "has a set as a key"),
    "null_key": ("null: 1", "has nothing as a key"),
    "truth_key": ("true: 1", "has True as a key"),
    "number_key": ("1.5: 1", "has 1.5 as a key"),
    "billion_laughs": (
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(20)),
        "stands for more than 20000 values",
    ),
    "laughs_in_mappings": (
        "a0: &a0 {x: 1}\n"
        + "".join(
            f"a{i + 1}: &a{i + 1} {{{', '.join(f'k{j}: *a{i}' for j in range(10))}}}\n"
            for i in range(20)
        ),
        "stands for more than 20000 values",
    ),
    "laughs_by_merging": (
        "a0: &a0 {x: 1}\n"
        + "".join(
            f"a{i + 1}: &a{i + 1} {{<<: [{', '.join([f'*a{i}'] * 10)}]}}\n" for i in range(20)
        ),
        "stands for more than 20000 values",
    ),
    "many_values": (f"sae: [{'1,' * 20_001}]", "more than 20000 values"),
    "itself_in_a_list": ("sae: &a [*a]", "refers to itself"),
    "itself_in_a_mapping": ("&a\nsae: *a", "refers to itself"),
    "itself_merged": ("&a\n<<: *a", "refers to itself"),
    "merged_number": ("<<: 1", "expected a mapping"),
    "date": ("seed: 2024-99-99", "seed is '2024-99-99'"),
    "python_tag": ('seed: !!python/object/apply:os.system ["ls"]', "could not determine a const"),
    "base_64": ('seed: !!binary "a"', "failed to decode base64"),
    "no_anchor": ("seed: *x", "undefined alias 'x'"),
    "tab": ("sae:\n\tk: 1", "line 2 found character"),
    "nul": ('model: "\0"', "unacceptable character #x0000"),
    "bell": ("model: \x07", "unacceptable character #x0007"),
    "two_documents": ("seed: 1\n---\nseed: 2", "another document"),
    "no_float": ("seed: !!float x", "could not convert"),
    "no_integer": ("seed: !!int x", "invalid literal"),
    "no_character": ('model: "\\U00110000"', "is not YAML"),
    "surrogate": ('model: "\\ud800"', "which no text has"),
    "escaped_nul": ('activations: {dataset: "a\\0b"}', "which no text has"),
    "version": ("%YAML 9.9\n---\nseed: 1", "incompatible YAML document"),
    "latin_1": (b"model: caf\xe9", "is not UTF-8 text, from byte 10 on"),
    "utf_16": (b"\xff\xfes\x00e\x00", "is not UTF-8 text"),
    "gzip": (b"\x1f\x8b\x08\x00\x00", "is not UTF-8 text"),
    "large": (f"# {'x' * 2**20}", "larger than the 1 MiB"),
    "empty": ("", "is empty; it must be a mapping"),
    "comments": ("# later\n", "is empty; it must be a mapping"),
    "empty_sections": ("sae:\ntraining: {}\n", "is empty; it must be a mapping"),
    "evals_list": ("evals: [core]", "evals is ['core']"),
    "evals_text": ("evals: core", "evals is 'core'"),
    "evals_inner_list": ("evals: {core: [1]}", "evals.core is [1]"),
    "blank_model": ('model: "  "', "model is empty"),
    "long_dataset": (f"activations: {{dataset: {'x' * 300}}}", "at most 255"),
    "nobodys_home": ("activations: {dataset: ~nosuchuser/x}", "a user 'nosuchuser'"),
    "unnamed_stage": ('training: {curriculum: [{name: "", until: 1}]}', "0.name is empty"),
    "stage_is_null": ("training: {curriculum: [null]}", "curriculum.0 is None"),
    "stages_by_name": ("training: {curriculum: {a: 1}}", "curriculum is {'a': 1}"),
    "infinite_k": ("sae: {k: .inf}", "sae.k is inf"),
    "nan_rate": ("training: {learning_rate: .nan}", "learning_rate is nan"),
    "negative_batch": ("training: {batch_size: -2}", "batch_size is -2"),
    "half_a_token": ("training: {n_tokens: 1.5}", "n_tokens is 1.5"),
    "true_seed": ("seed: true", "seed is True; it must be a number"),
    "true_k": ("sae: {k: true}", "k is True; it must be a number"),
    "true_weight": (
        "sae: {architecture: contrastive_topk, losses: {rows: {weight: true}}}",
        "weight is True; it must be a number",
    ),
    "true_in_an_eval": ("evals: {mig: {n_permutations: true}}", "n_permutations is True"),
    "extends_a_list": ("extends: [a]", "extends is ['a']"),
    "extends_nothing": ('extends: ""', "extends is ''"),
    "extends_itself": ("extends: extends_itself", "leads back to"),
    "extends_a_long_name": (f"extends: {'a' * 500}", "File name too long"),
    "extends_a_fifo": ("extends: fifo", "no regular file but a FIFO"),
    "architecture_list": ("sae: {architecture: [a]}", "It must be one of standard"),
    "architecture_null": ("sae: {architecture: null}", "It must be one of standard"),
    "sae_is_a_name": ("sae: topk", "sae is 'topk'"),
    "losses_list": ("sae: {architecture: contrastive_topk, losses: [rows]}", "losses is ['rows']"),
    "number_in_losses": ("sae: {architecture: contrastive_topk, losses: {1: {}}}", "sae.losses.1"),
    "hook_number": ("hook_name: 5", "hook_name is 5"),
    "hook_without_name": ("hook_name: blocks.1", "it must name a block"),
    "hook_in_other_digits": ("hook_name: blocks.٣.hook_resid_post", "it must name a block"),
    "permutes_itself": (
        "sae: {architecture: permuted, of: permutes_itself.yaml}", "leads back to",
    ),
    "permutes_in_a_circle": (
        "sae: {architecture: permuted, of: permutes_back.yaml}", "leads back to",
    ),
    "permutes_back": (
        "sae: {architecture: permuted, of: permutes_in_a_circle.yaml}", "leads back to",
    ),
    "oracle_of_nothing": (
        "sae: {architecture: oracle, factors: ./none}", "./none: there is no such",
    ),
    "too_many_threads": ("threads: 1e9", "threads is 1000000000.0"),
}  # fmt: skip

SETS = [
    ("", "write it as key=value"),
    ("=", "write it as key=value"),
    (" =1", "write it as key=value"),
    ("..=1", "write it as key=value"),
    ("a..b=1", "write it as key=value"),
    ("a" * 200_000, "write it as key=value"),
    (".".join("a" * 5000) + "=1", "write it as key=value"),
    ("sae.k=[", "is not a YAML value"),
    ("sae.k={a", "is not a YAML value"),
    ("sae.k=*a", "undefined alias"),
    ("sae.k=!!python/name:os.system", "is not a YAML value"),
    ("sae.k=\x07", "unacceptable character"),
    ('sae.k="\\ud800"', "which no text has"),
    (f"sae.k={'[' * DEEP}", "nested more than 50 levels"),
    (f"sae.k={'9' * 5000}", "an integer of 5000 characters"),
    (f'sae.k="{"9" * 300}"', "a number of 300 digits"),
    ("[a]: 1=2", "write it as key=value, such as|unknown key"),
    ("sae.k=", "sae.k is None"),
    ("sae=", "sae is None"),
    ("sae=[]", "sae is []"),
    ("sae={}", "--set sae={}: changes nothing"),
    ("training={}", "--set training={}: changes nothing"),
    ("training.weighting={}", "changes nothing"),
    ("evals={}", "choose evals with --evals"),
    ("evals=", "evals is None"),
    ("evals=5", "evals is 5"),
    ("evals.core=", "evals.core is None"),
    ("training.curriculum=", "training.curriculum is None"),
    ('model=""', "model is empty"),
    ('device=" "', "device is empty"),
    ('hook_name=""', "hook_name is empty"),
    ('activations.dataset=""', "activations.dataset is empty"),
    ('evals.mig.factors=""', "evals.mig.factors is empty"),
    (f"evals.mig.factors={'a' * 5000}", "5000 bytes long"),
    (f"activations.dataset=./{'a' * 300}", "at most 255"),
    (f"device=cuda:{'9' * 5000}", "5005 bytes long"),
    (f"hook_name=blocks.{'9' * 200}.hook_resid_post", "it must name a block"),
    ('evals.core.batch_size_prompts="' + "9" * 400 + '"', "a number of 400 digits"),
    ("seed=1:30", "seed is '1:30'"),
    ("seed=true", "seed is True"),
    ("threads=99999999999999999", "threads is 9999"),
    ("training.n_tokens=999999999999999999", "free on the disk"),
]

FLAGS = [
    (("--sae", ""), "--sae': it is empty"),
    (("--sae", " "), "--sae': it is empty"),
    (("--sae", "\n"), "--sae': it is empty"),
    (("--sae", "a" * 5000), "a path has at most 4095"),
    (("--sae", f"{'a' * 300}.yaml"), "at most 255"),
    (("--sae", f"{'a' * 300}:x"), "at most 255"),
    (("--sae", "a\0b.yaml"), "holds a NUL"),
    (("--sae", "a\nb"), "holds the end of a line"),
    (("--sae", "~nosuchuser/x.yaml"), "a user 'nosuchuser'"),
    (("--sae", "fifo.yaml"), "no regular file but a FIFO"),
    (("--sae", "zero.yaml"), "no regular file but a device"),
    (("--sae", "null.yaml"), "no regular file but a device"),
    (("--sae", "folder.yaml"), "directory"),
    (("--sae", "loop.yaml"), "Too many levels of symbolic links"),
    (("--sae", "dangling.yaml"), "there is no such file"),
    (("--sae", "topk", "--model", ""), "--model': it is empty"),
    (("--sae", "topk", "--model", "a" * 300), "at most 255"),
    (("--sae", "topk", "--model", "x\ny"), "holds the end of a line"),
    (("--sae", "topk", "--device", ""), "--device': it is empty"),
    (("--sae", "topk", "--device", "cuda:-1"), "device is 'cuda:-1'"),
    (("--sae", "topk", "--results", ""), "--results': it is empty"),
    (("--sae", "topk", "--results", "a" * 5000), "a path has at most 4095"),
    (("--sae", "topk", "--results", "a\0b"), "holds a NUL"),
    (("--sae", "topk", "--results", "fifo.yaml"), "fifo.yaml is a file."),
    (("--sae", "topk", "--results", "/proc/x"), "/proc cannot be written to"),
    (("--sae", "topk", "--evals", ""), "--evals': '' names none"),
    (("--sae", "topk", "--evals", ","), "--evals': ',' names none"),
    (("--sae", "topk", "--evals", " , "), "--evals': ' , ' names none"),
    (("--sae", "topk", "--evals", "core;mig"), "Unknown eval 'core;mig'"),
    (("--sae", "topk", "--evals", "core,mdl"), "The eval 'mdl' is not offered: SAE-Bench's own"),
    (("--sae", "topk", "--evals", "a" * 5000), "a path has at most 4095"),
    (("--sae", "evals_list.yaml", "--evals", "core"), "evals is ['core']"),
    (("--sae", "topk", "--evals", "core", "--set", "evals=5"), "evals is 5"),
    (("--sae", "topk", "--seed", "9" * 5000), "--seed"),
]

OTHERS = [
    (("list", ""), "Unknown kind ''"),
    (("list", "\x1b[31m"), "Unknown kind '\\x1b[31m'"),
    (("compare", ""), "it is empty"),
    (("compare", "a" * 5000), "a path has at most 4095"),
    (("compare", ".", "--baseline", ""), "--baseline': it is empty"),
    (("compare", ".", "--against", ""), "--against': it is empty"),
    (("compare", ".", "--policy", ""), "--policy': it is empty"),
    (("compare", ".", "--html", ""), "--html': it is empty"),
    (("metrics", "", ""), "it is empty"),
    (("metrics", "fifo.npz", "factors.csv"), "no regular file but a FIFO"),
    (("metrics", "zero.npz", "factors.csv"), "no regular file but a device"),
    (("export", "", "--to", "x"), "it is empty"),
    (("export", "x", "--to", ""), "it is empty"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    for name, (content, _) in FILES.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.yaml").write_bytes(data)
    for name in ("fifo.yaml", "fifo.npz"):
        os.mkfifo(folder / name)
    for name in ("zero.yaml", "zero.npz"):
        (folder / name).symlink_to("/dev/zero")
    (folder / "null.yaml").symlink_to("/dev/null")
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    (folder / "dangling.yaml").symlink_to("nowhere")
    (folder / "folder.yaml").mkdir()
    return folder


def _check(
    csae_bench: CsaeBench, place: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], expected: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "2000")
    outcome = csae_bench(*arguments)
    shown = outcome.stdout + outcome.stderr
    assert outcome.exit_code == 2, shown
    assert "Traceback" not in shown
    assert "this is a bug" not in shown
    assert "\x1b" not in shown
    assert any(part in shown for part in expected.split("|")), shown
    assert not (place / "r" / "checkpoints").exists()


@pytest.mark.parametrize("command", ["doctor", "run"])
@pytest.mark.parametrize("name", FILES)
def test_a_wrong_configuration_is_named_with_what_is_wrong(
    name: str, command: str, csae_bench: CsaeBench, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (command, "--sae", f"{name}.yaml", "--results", "r")
    _check(csae_bench, place, monkeypatch, arguments, FILES[name][1])


@pytest.mark.parametrize(("change", "expected"), SETS, ids=[change[:40] for change, _ in SETS])
def test_a_wrong_set_is_named_with_what_is_wrong(
    change: str, expected: str, csae_bench: CsaeBench, place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    arguments = ("doctor", "--sae", "topk", "--results", "r", "--set", change)
    _check(csae_bench, place, monkeypatch, arguments, expected)


@pytest.mark.parametrize("command", ["doctor", "run"])
@pytest.mark.parametrize(("flags", "expected"), FLAGS, ids=[repr(f[-1])[:40] for f, _ in FLAGS])
def test_a_wrong_option_is_named_with_what_is_wrong(
    flags: tuple[str, ...], expected: str, command: str, csae_bench: CsaeBench, place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    results = () if "--results" in flags else ("--results", "r")
    _check(csae_bench, place, monkeypatch, (command, *results, *flags), expected)


@pytest.mark.parametrize(
    ("arguments", "expected"), OTHERS, ids=[" ".join(map(repr, a))[:40] for a, _ in OTHERS]
)
def test_a_wrong_argument_of_another_command_is_named(
    arguments: tuple[str, ...], expected: str, csae_bench: CsaeBench, place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    _check(csae_bench, place, monkeypatch, arguments, expected)
