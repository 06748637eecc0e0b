"""Builds the baseline `oracle`: a world's true features, or probes for its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from csae_bench.errors import UsageError
from csae_bench.factors import needs_model, open_factors
from csae_bench.factors.datasets.synthetic import oracle_sae

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer

    from csae_bench.config.baselines import OracleSae
    from csae_bench.saes.baselines import BuildInputs


def build_oracle(given: BuildInputs[OracleSae]) -> SAE[Any]:
    """Build the oracle of the world that the settings name.

    Raises:
        DataError: there is no such world, or its true features are not known.
        UsageError: its width is not that of the activations.
    """
    name, seed = given.settings.factors, given.settings.factors_seed
    if needs_model(name) != (given.model is not None):
        kind, other = ("generator", "model") if given.model is None else ("model", "generator")
        raise UsageError(
            f"{given.path}: sae.factors is '{name}', and activations.kind is {kind}; set "
            f"activations.kind={other}, or another world."
        )
    if given.model is not None:
        return _of_prompts(given, given.model())
    world = open_factors(name, seed=seed)
    oracle = oracle_sae(world, device=given.device, metadata=given.metadata)
    if oracle.cfg.d_in != given.d_in:
        raise UsageError(
            f"{given.path}: activations.d_in is {given.d_in}; sae.factors '{name}' has "
            f"activations of width {oracle.cfg.d_in}: set activations.d_in={oracle.cfg.d_in}, with "
            "activations.kind=generator."
        )
    return oracle


def _of_prompts(given: BuildInputs[OracleSae], model: HookedTransformer) -> SAE[Any]:
    import torch

    from csae_bench.factors.probe_oracle import probe_oracle

    settings = given.settings
    dataset = open_factors(settings.factors, split="train", seed=settings.factors_seed)
    assert given.hook_name is not None, "a model's activations have a hook"
    with torch.no_grad():
        return probe_oracle(
            dataset,
            model,
            given.hook_name,
            given.rows(settings.n_fit_tokens),
            device=given.device,
            metadata=given.metadata,
        )
