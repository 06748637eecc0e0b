"""Draws whose content tells their place, and entries with few of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from csae_bench.activations.cache.draws import DrawCache
from csae_bench.activations.cache.entry import Entry
from csae_bench.activations.cache.folder import CacheFolder, read_manifest
from csae_bench.activations.cache.shards import Draw, pack

KEY: dict[str, Any] = {"model": "m", "dataset": "d"}
MIB = 2**20


def draw(number: int, n_rows: int = 4) -> Draw:
    """The draw from place `number` to the next."""
    return Draw(
        before=(number,),
        after=(number + 1,),
        numbers={"epochs": number // 10, "windows_per_epoch": None},
        n_rows=n_rows,
        tensors={"acts": torch.full((n_rows, 8), float(number)), "ids": torch.arange(n_rows)},
    )


def entry(root: Path, key: dict[str, Any] | None = None, *, max_bytes: int = 100 * MIB) -> Entry:
    """An entry that is open."""
    return Entry(CacheFolder(root), key or KEY, max_bytes=max_bytes)


def draws(root: Path, key: dict[str, Any] | None = None, **limit: int) -> DrawCache:
    """The draws of an entry that is open."""
    return DrawCache(entry(root, key, **limit))


def write(one: Entry, first: int, n_draws: int = 2) -> None:
    """Write a shard with the draws from place `first` on."""
    made = [draw(number) for number in range(first, first + n_draws)]
    one.write(pack(made), first=(first,), after=(first + n_draws,), n_rows=4 * n_draws)


def filled(root: Path, key: dict[str, Any], n_shards: int = 3) -> Path:
    """The folder of a closed entry with some shards of two draws."""
    one = entry(root, key)
    for first in range(0, 2 * n_shards, 2):
        write(one, first)
    one.close()
    return one.path


def shard_files(path: Path) -> list[Path]:
    """The files of an entry's shards, in their order."""
    return [path / shard.file for shard in read_manifest(path).shards]
