"""training.compile_sae: the same training, with the forward pass of its steps compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from csae_bench.config import ResolvedConfig
from csae_bench.results.identity import training_hash, training_identity
from csae_bench.training.train import train

Resolve = Callable[..., ResolvedConfig]

# torch says so of itself, when the compiler is imported
pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"
)


def weights(resolve: Resolve, folder: Path, *, is_compiled: bool) -> dict[str, torch.Tensor]:
    # as it is, so that the numbers are equal and no compiler is needed
    with torch.compiler.set_stance("force_eager"):
        resolved = resolve(training={"compile_sae": is_compiled})
        outcome = train(resolved, None, folder, progress=False)
    assert outcome.executed_steps == outcome.planned_steps > 0
    (path,) = (folder / "inference").glob("*.safetensors")
    return load_file(path)


def test_step_is_handed_to_the_compiler_and_the_training_is_the_same(
    resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[Any] = []
    torch_compile = torch.compile

    def noted(work: Any) -> Any:
        handed.append(work)
        return torch_compile(work)

    monkeypatch.setattr(torch, "compile", noted)
    plain = weights(resolve, tmp_path / "plain", is_compiled=False)
    assert handed == []
    compiled = weights(resolve, tmp_path / "compiled", is_compiled=True)
    assert [work.__name__ for work in handed] == ["training_forward_pass"]
    assert compiled.keys() == plain.keys()
    assert all(torch.equal(compiled[name], plain[name]) for name in plain)


def test_compiling_makes_no_other_sae(resolve: Resolve) -> None:
    hashes = {
        training_hash(training_identity(resolved, model="m", corpus="c"))
        for resolved in (resolve(), resolve(training={"compile_sae": True}))
    }
    assert len(hashes) == 1
