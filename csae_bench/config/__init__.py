"""Everything a run depends on, strictly checked.

A field stands in one place and has its default there. `loading` reads YAML, lays `--set` over it
and reports every problem at once.
"""

from csae_bench.config.activations import (
    GeneratorActivations,
    ModelActivations,
    PairsSettings,
)
from csae_bench.config.base import (
    Settings,
)
from csae_bench.config.run import (
    Change,
    ResolvedConfig,
    RunConfig,
)
from csae_bench.config.sae import (
    BatchTopKSae,
    Contrastive,
    ContrastiveBatchTopKSae,
    ContrastiveJumpReluSae,
    ContrastiveMatryoshkaBatchTopKSae,
    ContrastiveSae,
    ContrastiveTopKSae,
    IdentitySae,
    JumpReluSae,
    MatryoshkaBatchTopKSae,
    PcaSae,
    PermutedSae,
    RandomSae,
    SaeConfig,
    SaeSettings,
    StandardSae,
    TopKSae,
    TrainedSae,
)
from csae_bench.config.training import (
    TrainingSettings,
    WandbSettings,
)

__all__ = [
    "BatchTopKSae",
    "Change",
    "Contrastive",
    "ContrastiveBatchTopKSae",
    "ContrastiveJumpReluSae",
    "ContrastiveMatryoshkaBatchTopKSae",
    "ContrastiveSae",
    "ContrastiveTopKSae",
    "GeneratorActivations",
    "IdentitySae",
    "JumpReluSae",
    "MatryoshkaBatchTopKSae",
    "ModelActivations",
    "PairsSettings",
    "PcaSae",
    "PermutedSae",
    "RandomSae",
    "ResolvedConfig",
    "RunConfig",
    "SaeConfig",
    "SaeSettings",
    "Settings",
    "StandardSae",
    "TopKSae",
    "TrainedSae",
    "TrainingSettings",
    "WandbSettings",
]
