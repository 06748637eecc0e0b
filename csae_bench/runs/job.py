"""Jobs of a worker: plain data, which survives a round trip through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from csae_bench.results.keys import digest


@dataclass(frozen=True, kw_only=True)
class SaeRef:
    """An SAE that is judged."""

    release: str
    sae_id: str
    location: str | None
    """Folder of the SAE, or of the checkpoint that holds it; None for one in memory."""
    weights_hash: str | None
    """None until the weights are there."""
    training_hash: str | None = None
    """Hash of what decides the weights; None for one that was not made here."""
    model_name: str | None
    """True name of the language model whose activations it takes; None for one without."""
    hook_name: str | None
    """Hook at which they are taken; None for an SAE without a language model."""


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """A language model."""

    name: str
    """A name of `csae-bench list models`, a folder, or a name on the hub; or what one that is in
    memory is called."""
    true_name: str
    """The name under which results are filed."""
    dtype: str
    fingerprint: str
    """Hash of its weights; of a hub model, its name."""


@dataclass(frozen=True, kw_only=True)
class InputRef:
    """Data that an eval reads."""

    kind: str
    name: str
    fingerprint: str | None


@dataclass(frozen=True, kw_only=True)
class EvalJob:
    """One eval of one SAE."""

    eval_name: str
    settings: Mapping[str, Any]
    """All of the eval's settings, as JSON."""
    sae: SaeRef
    model: ModelRef | None
    """The model that the eval runs: its own, or else the run's; None for an SAE without one."""
    model_dtype: str
    """dtype of the run's model, whether this eval runs a model or not."""
    inputs: tuple[InputRef, ...]
    seed: int
    """The run's."""
    eval_seed: int = 0
    """Repetition of the eval on the same SAE; its settings have the seed that belongs to it."""
    versions: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The run's configuration, for the record; it decides no number."""

    @property
    def conditions(self) -> dict[str, Any]:
        """Conditions on which the numbers depend, without weights and versions."""
        repetition = {"eval_seed": self.eval_seed} if self.eval_seed else {}
        return {
            "settings": dict(self.settings),
            "model_dtype": self.model_dtype,
            "hook_name": self.sae.hook_name,
            "inputs": {one.kind: one.fingerprint for one in self.inputs},
            "seed": self.seed,
            **repetition,
        }

    @property
    def key(self) -> str | None:
        """Hash of all that decides the numbers; None until the weights are there."""
        if self.sae.weights_hash is None:
            return None
        return digest(
            {
                "eval": self.eval_name,
                "weights": self.sae.weights_hash,
                "model": None if self.model is None else self.model.fingerprint,
                "versions": dict(self.versions),
                **self.conditions,
            }
        )

    def with_weights(self, weights_hash: str) -> EvalJob:
        """Return the same job of an SAE whose weights are there."""
        return replace(self, sae=replace(self.sae, weights_hash=weights_hash))

    def to_json(self) -> dict[str, Any]:
        """Return the job as a JSON object."""
        return _JOB.dump_python(self, mode="json")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EvalJob:
        """Return the job of a JSON object.

        Raises:
            pydantic.ValidationError: it is none.
        """
        return _JOB.validate_python(value)


@dataclass(frozen=True, kw_only=True)
class SkippedEval:
    """An eval that says nothing about this SAE or with this model."""

    eval_name: str
    reason: str


_JOB: TypeAdapter[EvalJob] = TypeAdapter(EvalJob)
