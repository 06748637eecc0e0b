"""Names that were given up for 0.1.0 are not used again."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ALLOWED = (
    "CHANGELOG.md",
    "csae_bench/support/old_names.py",
    "tests/data/",
    "tests/e2e/test_first_cut.py",
    "tests/golden/codes.json",
    "tests/golden/through_model.json",
    "tests/unit/support/test_old_names.py",
    "tests/unit/test_old_names.py",
    "results/",
)
"""Where the old names are read, listed or stored: aliases, their tests, results of earlier code."""

OLD_NAMES = {
    "ObjectiveSchedule": r"\bSteering\b|training[./]steering",
    "original_run_*": r"seed_run_|the seed experiment|seed_experiment|_seed\.yaml",
    "tinyworld": r"[\"'`]embedded[\"'`]|\bembedded (model|world|dataset)|: embedded\b",
    "oracle": r"[\"'`]ideal[\"'`]|\bideal[ _-](sae|SAE|codes?)\b|\bIDEAL\b|\bIdeal[A-Z]",
    "templates": r"\bn_frames\b|\.frames\b|\bframes=|[\"'`]frames?[\"'`]|^text,frame",
    "split test": r"[\"'`]reserved[\"'`]",
    "ResolvedSae": r"\bfind_subject|runs[./]subjects|\bSubject \||\bsubject\.(config|resolved)",
    "FactorDetail, ValueDetail, ...": r"\bOf(Factor|Value|Probe|Child|Operation|Dataset)\b",
    "assigned": r"\btied_(latents|to|null)\b|_tied_|\bis tied\b|\btied to\b|metrics[./]tying",
    "is_informative": r"\.knows\b|\bknows[:=]|\bno latent knows\b|_latents_that_know\b",
    "coverage": r"\bcovered_(values|null)\b|\.covered\b",
    "is_accepted": r"\.stands\b|\bstands[:=]|\"stands\"",
    "Session": r"\bclass Loaded\b|runs[./]loaded",
    "gpus, GpuEstimate, DoctorReport": r"\bOnCard\b|\bcards\.py|\bExamination\b",
    "isolated, reference, ...": r"\bfenced?\(|\bfenced\b|\bstock_multiple|\bobserving\b",
    "what was found": r"\bfound(: [^=]*)? [|+]?= |\bfor found in\b|\bfound: [A-Z]|\bFound\b",
}
"""Name of today -> pattern of what it was called before."""


def _uses(pattern: str) -> list[str]:
    """Lines of tracked text files that match, and names of files that do."""
    elsewhere = [f":!{place}" for place in ALLOWED]
    lines = _git(
        "grep", "--line-number", "-I", "--extended-regexp", "-e", pattern, "--", *elsewhere
    )
    names = _git("ls-files", "--", *elsewhere)
    return [*lines, *(name for name in names if re.search(pattern, name))]


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode > 1:  # 1: nothing matches
        pytest.skip(f"not a git checkout, so what is source is not known: {done.stderr}")
    return done.stdout.splitlines()


@pytest.mark.parametrize("new", OLD_NAMES)
def test_an_old_name_is_not_used(new: str) -> None:
    assert _uses(OLD_NAMES[new]) == []


def test_an_old_name_would_be_seen() -> None:
    assert any(line.startswith("README.md:1:") for line in _uses("^# csae-bench"))
    assert "csae_bench/runs/resolving.py" in _uses(r"runs[./]resolving")
