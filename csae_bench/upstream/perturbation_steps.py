"""SAE-Bench's steps of tpp and scr with the same values, sooner.

Each is compared with SAE-Bench's own on the first texts of an SAE; where a bit differs, SAE-Bench's
own runs instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float
from sae_bench.evals.scr_and_tpp import main as scr_and_tpp
from sae_bench.evals.sparse_probing import probe_training
from sae_bench.sae_bench_utils import activation_collection
from torch import Tensor

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.perturbation.ablation import AblatedTexts
from csae_bench.upstream.cut_passes import Encoder
from csae_bench.upstream.perturbation_control import DatasetActs, PooledDataset

_effects_of_upstream = scr_and_tpp.get_effects_per_class_precomputed_acts
_ablated_by_upstream = scr_and_tpp.ablated_precomputed_activations
_probes_of_upstream = probe_training.train_probe_on_activations
_N_CHECKED = 8


class FastSteps:
    """Stand-ins for SAE-Bench's functions, for one SAE."""

    def __init__(self, sae: Any) -> None:
        self._sae = sae
        self._encoder = Encoder(sae)
        self._codes: dict[tuple[int, ...], dict[str, Tensor]] = {}
        self._texts: dict[int, AblatedTexts] = {}
        self._ablates_alike: bool | None = None

    def forget(self) -> None:
        """Drop what is of a dataset that is done."""
        self._codes.clear()
        self._texts.clear()

    def pooled(self, acts: DatasetActs, batch_size: int) -> PooledDataset:
        """Return a dataset's mean activations and mean codes."""
        mean = activation_collection.create_meaned_model_activations
        return PooledDataset(
            acts=DatasetActs(mean(acts.train), mean(acts.test)),
            codes=DatasetActs(
                self._mean_codes(acts.train, batch_size), self._mean_codes(acts.test, batch_size)
            ),
        )

    def effects(
        self,
        sae: Any,
        probe: Any,
        class_idx: str,
        precomputed_acts: dict[str, Float[Tensor, "n n_pos d_in"]],
        perform_scr: bool,
        sae_batch_size: int,
    ) -> Float[Tensor, " d_sae"]:
        """Return what `get_effects_per_class_precomputed_acts` does, each text encoded once."""
        if next(iter(precomputed_acts.values())).dtype != torch.float32:
            # SAE-Bench divides sums of half precision here in single precision
            return _effects_of_upstream(
                sae, probe, class_idx, precomputed_acts, perform_scr, sae_batch_size
            )
        codes = self._mean_codes(precomputed_acts, sae_batch_size)
        texts_of_one_token = {
            name: torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)[:, None]
            for name, rows in codes.items()
        }
        stand_in: Any = _Encoded(sae.W_dec)
        return _effects_of_upstream(
            stand_in, probe, class_idx, texts_of_one_token, perform_scr, sae_batch_size
        )

    def ablated(
        self,
        ablation_acts_BLD: Float[Tensor, "n n_pos d_in"],
        sae: Any,
        to_ablate: Bool[Tensor, " d_sae"],
        sae_batch_size: int,
    ) -> Float[Tensor, "n d_in"]:
        """Return what `ablated_precomputed_activations` does."""
        acts = ablation_acts_BLD
        if self._ablates_alike is None:
            few, every_other = acts[:_N_CHECKED], torch.arange(len(to_ablate)) % 2 == 0
            every_other = every_other.to(acts.device)
            expected = _ablated_by_upstream(few, sae, every_other, sae_batch_size)
            ours = AblatedTexts(sae, few).mean_acts(every_other)
            self._ablates_alike = torch.equal(ours, expected)
        if not self._ablates_alike:
            return _ablated_by_upstream(acts, sae, to_ablate, sae_batch_size)
        if id(acts) not in self._texts:
            self._texts[id(acts)] = AblatedTexts(sae, acts)
        return self._texts[id(acts)].mean_acts(to_ablate)

    def _mean_codes(self, acts: Mapping[str, Tensor], batch_size: int) -> dict[str, Tensor]:
        key = tuple(map(id, acts.values()))
        if key not in self._codes:
            self._codes[key] = self._encoder.mean_codes(acts, batch_size)
        return self._codes[key]


class _Encoded:
    """SAE for texts of one token that are their own mean codes, and a 1 that marks the token."""

    def __init__(self, decoder: Tensor) -> None:
        self.W_dec = decoder

    def encode(self, x: Tensor) -> Tensor:
        return x[..., :-1]


def remembered_probes(shared: SharedPasses) -> Callable[..., Any]:
    """Return `train_probe_on_activations`, which trains once what starts from equal numbers.

    The state of the global generator is among these, and afterwards it is what training would have
    left.
    """

    def probes(train: dict[str, Tensor], test: dict[str, Tensor], **settings: Any) -> Any:
        digest = hashlib.blake2b(torch.get_rng_state().numpy().tobytes(), digest_size=16)
        for part in (train, test):
            for name, x in part.items():
                digest.update(f"{name} {tuple(x.shape)} {x.dtype}".encode())
                digest.update(x.cpu().contiguous().view(torch.uint8).numpy().tobytes())
        asked = tuple(sorted(settings.items()))

        def trained() -> tuple[Any, Tensor]:
            return _probes_of_upstream(train, test, **settings), torch.get_rng_state()

        result, state = shared.get_or_make(("probes", digest.hexdigest(), asked), trained)
        torch.set_rng_state(state)
        return result

    return probes
