"""The SAE and the models of a run, each loaded once, when it is first wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from csae_bench import models, progress
from csae_bench.subjects import Subject

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer


@dataclass
class Loaded:
    """What a run has in memory."""

    subject: Subject
    device: str
    _sae: SAE[Any] | None = None
    _models: dict[str, HookedTransformer] = field(default_factory=dict)

    def sae(self) -> SAE[Any]:
        """The subject's SAE, in the form of inference."""
        if self._sae is None:
            progress.begin("loading the SAE")
            self._set_threads()
            from csae_bench.saes.loading import load_sae

            self._sae = load_sae(self.subject.checkpoint, device=self.device)
            _fill_metadata(self._sae, self.subject)
        return self._sae

    def model(self, name: str) -> HookedTransformer:
        """A language model by name, in the configuration's type."""
        true_name = models.describe(name).name
        if true_name not in self._models:
            progress.begin(f"loading {true_name}")
            self._set_threads()
            self._models[true_name] = models.load(
                name, device=self.device, dtype=self.subject.config.model_dtype
            )
        return self._models[true_name]

    def _set_threads(self) -> None:
        if self.subject.config.threads is not None:
            import torch

            torch.set_num_threads(self.subject.config.threads)


def _fill_metadata(sae: SAE[Any], subject: Subject) -> None:
    """What --model and --set say of an SAE that came as a folder."""
    if subject.model is None:
        return
    from csae_bench.saes import attributes

    attributes.fill_metadata(sae, model_name=subject.model.name, hook_name=subject.hook_name)
    if attributes.metadata(sae, "prepend_bos") is None:
        attributes.fill_metadata(sae, prepend_bos=True)
