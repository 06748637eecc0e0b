"""Builds the baseline `oracle`, whose latents are the true features of a synthetic world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from csae_bench.errors import UsageError
from csae_bench.factors import open_factors
from csae_bench.factors.datasets.synthetic import oracle_sae

if TYPE_CHECKING:
    from sae_lens import SAE

    from csae_bench.config.baselines import OracleSae
    from csae_bench.saes.baselines import BuildInputs


def build_oracle(given: BuildInputs[OracleSae]) -> SAE[Any]:
    """Build the oracle of the world that the settings name.

    Raises:
        DataError: there is no such world, or its true features are not known.
        UsageError: its width is not that of the activations.
    """
    name, seed = given.settings.factors, given.settings.factors_seed
    world = open_factors(name, seed=seed)
    oracle = oracle_sae(world, device=given.device, metadata=given.metadata)
    if oracle.cfg.d_in != given.d_in:
        raise UsageError(
            f"{given.path}: activations.d_in is {given.d_in}; sae.factors '{name}' has "
            f"activations of width {oracle.cfg.d_in}: set activations.d_in={oracle.cfg.d_in}, with "
            "activations.kind=generator."
        )
    return oracle
