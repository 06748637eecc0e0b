"""Versions, read without loading what they are versions of."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

from csae_bench.upstream import versions


def test_versions_are_those_installed() -> None:
    installed = versions()
    assert installed["sae_bench"] == version("sae-bench")
    assert set(installed) == {"csae_bench", "sae_bench", "sae_lens", "torch", "transformer_lens"}


def test_versions_are_read_without_importing_torch_sae_lens_or_sae_bench() -> None:
    code = (
        "import sys; from csae_bench.upstream import versions; versions();"
        "print([m for m in ('torch', 'sae_lens', 'sae_bench') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
