"""What two trainings are compared by: their weights to the bit, and their logs without times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

TIMES = {"tokens_per_second", "memory_gib"}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "inference" / "sae_weights.safetensors")


def have_equal_weights(one: Path, other: Path) -> bool:
    mine, theirs = weights(one), weights(other)
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def log(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "training_log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in TIMES} for line in lines]
