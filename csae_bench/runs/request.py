"""Request of a user, the same for every command and for Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from csae_bench.config.loading import Flags
from csae_bench.results.store import Store


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Request of a user; every command fills it from the same flags."""

    source: str
    """`--sae`: a config's name or path, a folder or file of an SAE, or RELEASE:SAE_ID."""
    results: Path = Path("results")
    model: str | None = None
    evals: tuple[str, ...] | None = None
    preset: str | None = None
    """Name of a preset of the evals."""
    preset_settings: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict[str, Mapping[str, Any]], hash=False
    )
    """Its settings by eval, see `evals.preset_settings`."""
    eval_seeds: int = 1
    """How often each eval is repeated, with seeds of its own."""
    seed: int | None = None
    device: str | None = None
    sets: tuple[str, ...] = ()
    force: bool = False
    resume: bool = True
    progress: bool = True

    @property
    def store(self) -> Store:
        """The results folder."""
        return Store(self.results)

    @property
    def flags(self) -> Flags:
        """Overrides of the configuration."""
        return {
            "sets": self.sets,
            "model": self.model,
            "seed": self.seed,
            "device": self.device,
            "evals": self.evals,
            "preset": self.preset_settings,
        }

    def for_source(self, source: str) -> RunRequest:
        """Return the same for another SAE, as a `permuted` control needs; --set stays behind."""
        return RunRequest(
            source=source,
            results=self.results,
            model=self.model,
            seed=self.seed,
            device=self.device,
            force=False,
            resume=self.resume,
            progress=self.progress,
        )
