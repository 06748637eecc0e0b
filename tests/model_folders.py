"""Small random models in folders, one of every architecture that loads from there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.utils._python_dispatch import TorchDispatchMode
from transformer_lens import HookedTransformer
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from tests.model_configs import N_CTX, SMALL, TOKENS

LONG = torch.randint(4, len(TOKENS), (2, N_CTX), generator=torch.Generator().manual_seed(0))
"""Texts six times as long as the windows."""


def save_model(folder: Path, architecture: str, **changes: Any) -> Path:
    """Write a random model with its tokenizer; the same weights for the same shape."""
    values = {**SMALL[architecture], **changes}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(values.pop("model_type"), **values)
        model = getattr(transformers, architecture)(config)
        for parameter in model.parameters():  # norms, biases and soft caps matter at this size
            parameter.data = parameter.data + torch.randn_like(parameter) * 0.3
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def save_tokenizer(folder: Path, *, template: bool = True, **special: str | None) -> None:
    ids = {token: i for i, token in enumerate(TOKENS)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "isolated")
    if template:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", 2)]
        )
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", **special}
    named = {key: name for key, name in names.items() if name is not None}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", **named).save_pretrained(
        folder
    )


def change_config(folder: Path, drop: tuple[str, ...] = (), **values: Any) -> None:
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({key: config[key] for key in config if key not in drop}))


def logits_of_transformers(folder: Path, tokens: torch.Tensor = LONG) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    with torch.no_grad():
        return model.eval()(tokens).logits


def logits_of_ours(folder: Path, tokens: torch.Tensor = LONG) -> torch.Tensor:
    from csae_bench.models import load

    with torch.no_grad():
        return load(str(folder))(tokens)


def assert_no_matrix_is_copied(model: HookedTransformer) -> None:
    """Assert that a pass copies nothing as large as a matrix of weights."""
    smallest = min(p.numel() for name, p in model.named_parameters() if "W_" in name)

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            result = func(*args, **(kwargs or {}))
            if func in (torch.ops.aten.clone.default, torch.ops.aten._to_copy.default):
                assert result.numel() < smallest, func
            return result

    with torch.no_grad(), Watching():
        model(torch.tensor([[2, 10, 11]]))
