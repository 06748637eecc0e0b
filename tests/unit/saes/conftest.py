"""Small contrastive SAEs of every backbone, and batches of pairs for them.

sae_lens is imported by the fixtures that need it: the tests of the losses run without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import torch

from csae_bench.saes.pair_ids import PairIds

if TYPE_CHECKING:
    from sae_lens.saes.sae import TrainingSAE

    from csae_bench.saes.step import PairedStepInput

D_IN, D_SAE, N_PAIRS = 8, 24, 16
FIELDS: dict[str, dict[str, Any]] = {
    "contrastive": {"l1_coefficient": 0.1},
    "contrastive_topk": {"k": 4},
    "contrastive_batchtopk": {"k": 4},
    "contrastive_jumprelu": {"l0_coefficient": 0.1},
    "contrastive_matryoshka_batchtopk": {"k": 4, "matryoshka_widths": [6, 24]},
}

MakeSae = Callable[..., "TrainingSAE[Any]"]
MakeStep = Callable[..., "PairedStepInput"]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads wait for each other longer than these small SAEs take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=sorted(FIELDS))
def architecture(request: pytest.FixtureRequest) -> str:
    """Each contrastive architecture in turn."""
    return request.param


@pytest.fixture(scope="session")
def make_sae() -> MakeSae:
    """make_sae(architecture, losses=..., **fields): a small training SAE with seeded weights."""
    from csae_bench.saes.contrastive import ARCHITECTURES

    def make(architecture: str, seed: int = 0, **fields: Any) -> TrainingSAE[Any]:
        torch.manual_seed(seed)
        row = ARCHITECTURES[architecture]
        given: dict[str, Any] = {
            "d_in": D_IN,
            "d_sae": D_SAE,
            "decoder_init_norm": 0.5,
            **FIELDS[architecture],
        }
        config = row.training_config(**{**given, **fields})
        return row.training_sae(config)

    return make


@pytest.fixture(scope="session")
def make_step() -> MakeStep:
    """make_step(sae, coefficients=..., n_pairs=..., pairs=...): a paired step; rows of a pair are
    alike, and two pairs each share a sequence unless `pairs` says otherwise.
    """
    from csae_bench.saes.step import PairedStepInput

    def make(
        sae: TrainingSAE[Any],
        seed: int = 0,
        coefficients: dict[str, float] | None = None,
        n_pairs: int = N_PAIRS,
        pairs: PairIds | None = None,
    ) -> PairedStepInput:
        generator = torch.Generator().manual_seed(seed)
        d_in = sae.cfg.d_in
        shared = torch.randn(n_pairs, 1, d_in, generator=generator)
        own = torch.randn(n_pairs, 2, d_in, generator=generator)
        values = {
            name: value if isinstance(value, float | int) else value.value
            for name, value in sae.get_coefficients().items()
        }
        return PairedStepInput(
            sae_in=(shared + 0.3 * own).view(2 * n_pairs, d_in).to(sae.dtype),
            coefficients={**values, **(coefficients or {})},
            dead_neuron_mask=None,
            n_training_steps=0,
            is_logging_step=False,
            pairs=PairIds(torch.arange(n_pairs) // 2) if pairs is None else pairs,
        )

    return make
