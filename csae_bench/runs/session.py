"""Memory of a worker: models, SAEs, and results of model passes shared by all SAEs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from csae_bench import models
from csae_bench.activations.shared import MAX_BYTES, SharedPasses
from csae_bench.runs.job import ModelRef, SaeRef
from csae_bench.support import progress
from csae_bench.support.threads import limit_threads

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from csae_bench.factors.encoding import FactorCodes
    from csae_bench.saes.attributes import AnySae


class Session:
    """Models and SAEs, each loaded when it is first wanted; a worker has one.

    Models stay. Of SAEs the last one stays, with its codes of factor datasets: jobs come SAE by
    SAE.

    Args:
        device: where all of it lies.
        n_saes: that will be judged.
        max_bytes: of results of passes that are kept for the next SAE.
    """

    def __init__(self, device: str, *, n_saes: int = 1, max_bytes: int = MAX_BYTES) -> None:
        self.device = device
        self.shared = SharedPasses(max_bytes, n_users=n_saes)
        self._models: dict[tuple[str, str], HookedTransformer] = {}
        self._given_saes: dict[str, AnySae] = {}
        self._sae: tuple[SaeRef, AnySae] | None = None
        self._codes: dict[tuple[Any, ...], FactorCodes] = {}
        self._wanted: int | None = None
        self._threads: int | None = None
        """Torch's own choice, once another was made."""

    def set_threads(self, n: int | None) -> None:
        """Limit the CPU's work to so many threads; None leaves it to torch and the cores."""
        self._wanted = n
        limit_threads(n)

    def _apply_threads(self) -> None:
        """Do so, now that torch is imported anyway."""
        if self._wanted is None and self._threads is None:
            return
        import torch
        from threadpoolctl import threadpool_limits

        self._threads = self._threads or torch.get_num_threads()
        torch.set_num_threads(self._wanted or self._threads)
        # numpy's and scipy's matrix products have threads of their own
        threadpool_limits(self._wanted or self._threads, user_api="blas")

    def model(self, name: str, dtype: str) -> HookedTransformer:
        """Return a language model by name."""
        self._apply_threads()
        key = self._key(name, dtype)
        if key not in self._models:
            progress.begin_imports()
            load = models.load  # imports the libraries
            with progress.during(f"loading {models.resolve(name).name}"):
                self._models[key] = load(name, device=self.device, dtype=dtype)
        return self._models[key]

    def add_model(self, model: HookedTransformer, ref: ModelRef) -> None:
        """Hold a model of the caller's, which jobs name by its reference."""
        self._models[ref.name, ref.dtype] = model

    def sae(self, ref: SaeRef) -> AnySae:
        """Return an SAE in the form of inference; do not change it."""
        self._apply_threads()
        if self._sae is None or self._sae[0] != ref:
            self._sae, self._codes = (ref, self._loaded(ref)), {}
        return self._sae[1]

    def add_sae(self, sae: AnySae, ref: SaeRef) -> None:
        """Hold an SAE of the caller's, which jobs name by its reference."""
        assert ref.weights_hash is not None, "an SAE in memory has its hash"
        self._given_saes[ref.weights_hash] = sae

    def codes_of(self, ref: SaeRef) -> dict[tuple[Any, ...], FactorCodes]:
        """Return the memory of the SAE's codes of factor datasets, which its evals share."""
        self.sae(ref)
        return self._codes

    def _loaded(self, ref: SaeRef) -> AnySae:
        if ref.location is None:
            return self._given_saes[ref.weights_hash or ""]
        progress.begin_imports()
        from csae_bench.saes.loading import load_sae

        with progress.during("loading the SAE"):
            sae = load_sae(Path(ref.location), device=self.device)
        _fill_metadata(sae, ref)
        return sae

    def _key(self, name: str, dtype: str) -> tuple[str, str]:
        if (name, dtype) in self._models:
            return name, dtype
        model = models.resolve(name)
        # by path, where there is one: two folders may have the same name
        return (model.name if model.path is None else str(model.path)), dtype


def _fill_metadata(sae: AnySae, ref: SaeRef) -> None:
    """Fill in what --model and --set say about an SAE loaded from a folder."""
    if ref.model_name is None:
        return
    from csae_bench.saes import attributes

    attributes.fill_metadata(sae, model_name=ref.model_name, hook_name=ref.hook_name)
    if attributes.metadata(sae, "prepend_bos") is None:
        attributes.fill_metadata(sae, prepend_bos=True)
