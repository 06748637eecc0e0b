"""A package sae_probes whose datasets are a few made-up texts each."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas
import pytest

from csae_bench.corpora.sae_probes_sources import PARAPHRASES, PROBING_DATASETS, sources


def prose(word: str, n_words: int = 60) -> str:
    """English, as far as its small words go; another document for each word."""
    return " ".join(f"the {word}{i} was there and" for i in range(n_words // 5)) + f" {word}."


def write_dataset(folder: Path, name: str, texts: list[str], targets: list[object]) -> Path:
    path = folder / f"{name}.csv.zst"
    rows = pandas.DataFrame({"prompt": texts, "target": targets})
    rows.to_csv(path, index=False, compression="zstd")
    return path


def install(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a package with all datasets that the corpus needs before the real one; its datasets."""
    folder = root / "sae_probes" / "data" / "cleaned_data"
    folder.mkdir(parents=True)
    (root / "sae_probes" / "__init__.py").write_text("raise ImportError('was imported')")
    for number, source in enumerate(sources()):
        target = source.target or "0"
        texts = [prose(f"w{number}x{i}") for i in range(4)]
        write_dataset(folder, source.name, texts, [target] * 4)
    for name in (*PROBING_DATASETS, *PARAPHRASES):
        write_dataset(folder, name, [f"{name} | no {name}", f"{name} || no"], [1, 0])
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    monkeypatch.delitem(sys.modules, "sae_probes", raising=False)
    monkeypatch.syspath_prepend(root)
    return folder
