"""Checks of the contents of a model's folder, without reading its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from csae_bench.errors import ModelError

_WEIGHTS = "model.safetensors"
_WEIGHTS_INDEX = "model.safetensors.index.json"
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("tokenizer.model",))
"""Any one of these groups of files makes a tokenizer."""

TOKENIZER_FILES = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
)
"""Every file that can change how text is tokenized."""


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files that transformers reads from the folder, each of them present."""
    if (folder / _WEIGHTS).is_file():
        return [folder / _WEIGHTS]
    index = folder / _WEIGHTS_INDEX
    if not index.is_file():
        others = sorted(path.name for path in folder.glob("*.bin"))
        raise ModelError(
            f"{folder} has no weights: neither {_WEIGHTS} nor {_WEIGHTS_INDEX}"
            f"{f', only {others[0]}' if others else ''}; save the model with transformers' "
            "save_pretrained, or fetch the missing file."
        )
    content = _read_index(index)
    names = sorted(set(content["weight_map"].values()))
    for name in names:
        if Path(name).name != name:
            raise ModelError(
                f"{index} names {name}, which is no file of its folder; fetch it again."
            )
        if not (folder / name).is_file():
            raise ModelError(f"{folder} has no {name}, which {index.name} names; fetch it.")
    return [folder / name for name in names]


def _read_index(index: Path) -> dict[str, dict[str, str]]:
    """Read both parts that transformers reads; without `metadata` it raises a KeyError."""
    part = "weight_map"
    try:
        content = json.loads(index.read_bytes())
        for part in ("weight_map", "metadata"):
            content[part].items()
        if not all(isinstance(name, str) for name in content["weight_map"].values()):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{index} is not an index of weights (it has no {part}); fetch it again."
        ) from error
    return content


def check_weight_files(folder: Path) -> None:
    """ModelError unless every weights file is there and as long as its header says."""
    for path in weight_files(folder):
        size = path.stat().st_size
        promised = _promised_size(path, size)
        if promised is None:
            raise ModelError(
                f"{path} is not a safetensors file ({size} bytes); fetch it again "
                "(git lfs pull, if it was cloned)."
            )
        if promised != size:
            raise ModelError(
                f"{path} has {size} bytes; its header promises {promised}. Fetch it again."
            )


def check_tokenizer_files(folder: Path) -> None:
    """ModelError unless a tokenizer's files are there.

    transformers makes an empty tokenizer, silently, for a known model type without any.
    """
    if not any(all((folder / name).is_file() for name in group) for group in _TOKENIZERS):
        needed = " or ".join(" with ".join(group) for group in _TOKENIZERS)
        raise ModelError(f"{folder} has no tokenizer; it must hold {needed}.")


def _promised_size(path: Path, size: int) -> int | None:
    """Bytes that the file's header says it has; None where it has no such header."""
    with path.open("rb") as file:
        n_header = int.from_bytes(file.read(8), "little")
        if size < 8 or n_header > size - 8:
            return None
        try:
            header: object = json.loads(file.read(n_header))
            if not isinstance(header, dict):
                return None
            tensors = cast(dict[str, Any], header)
            ends = [
                int(tensor["data_offsets"][1])
                for name, tensor in tensors.items()
                if name != "__metadata__"
            ]
        except (ValueError, KeyError, TypeError, IndexError):
            return None
    return 8 + n_header + max(ends, default=0)
