"""Construction of trainable SAEs of SAELens, its own architectures and ours, from settings."""

from __future__ import annotations

from typing import Any

from sae_lens.registry import get_sae_training_class
from sae_lens.saes.sae import SAEMetadata, TrainingSAE

from csae_bench.config import MatryoshkaBatchTopKSae, TrainedSae
from csae_bench.errors import SaeError
from csae_bench.saes import register

SET_BY_BUILDING = frozenset({"d_in", "device", "metadata"})
"""Fields of SAELens's training configs that follow from the run and are no settings of the SAE."""

LEFT_AT_DEFAULT = frozenset({"reshape_activations", "use_sparse_activations"})
"""Fields that stay at SAELens's default: activations of attention heads (`hook_z`) are not read
here, and sparse codes are faster on neither a CPU nor, for pairs, on a GPU."""


def training_sae(
    settings: TrainedSae, *, d_in: int, device: str, metadata: dict[str, Any]
) -> TrainingSAE[Any]:
    """Initialise an SAE of the architecture that the settings name.

    Its weights are drawn from torch's global generator, as SAELens does: seed that before.

    Args:
        d_in: width of the activations it will see.
        metadata: what SAELens and SAE-Bench read about the model: model_name, hook_name, ...

    Raises:
        SaeError: SAELens refuses the settings.
    """
    register()
    sae_class, config_class = get_sae_training_class(settings.architecture)
    fields = settings.model_dump(exclude={"architecture"})
    if isinstance(settings, MatryoshkaBatchTopKSae):
        fields["matryoshka_widths"] = list(settings.widths())
    try:
        config = config_class(d_in=d_in, device=device, metadata=SAEMetadata(**metadata), **fields)
        return sae_class(config)
    except ValueError as error:
        raise SaeError(f"sae: {error}") from error
