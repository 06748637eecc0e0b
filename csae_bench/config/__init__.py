"""Everything a run depends on, strictly checked.

Each field and its default are defined in one place. `loading` reads YAML, applies `--set` and
reports every problem at once.
"""

from csae_bench.config.activations import (
    GeneratorActivations,
    ModelActivations,
)
from csae_bench.config.base import (
    Settings,
)
from csae_bench.config.curriculum import (
    Stage,
)
from csae_bench.config.pairs import (
    PAIR_KINDS,
    PairKindSettings,
    PairsSettings,
    ParaphraseSettings,
    SameSequenceSettings,
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
    OracleSae,
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
from csae_bench.config.weighting import (
    HoldL0Settings,
    WeightingSettings,
)

__all__ = [
    "PAIR_KINDS",
    "BatchTopKSae",
    "Change",
    "Contrastive",
    "ContrastiveBatchTopKSae",
    "ContrastiveJumpReluSae",
    "ContrastiveMatryoshkaBatchTopKSae",
    "ContrastiveSae",
    "ContrastiveTopKSae",
    "GeneratorActivations",
    "HoldL0Settings",
    "IdentitySae",
    "JumpReluSae",
    "MatryoshkaBatchTopKSae",
    "ModelActivations",
    "OracleSae",
    "PairKindSettings",
    "PairsSettings",
    "ParaphraseSettings",
    "PcaSae",
    "PermutedSae",
    "RandomSae",
    "ResolvedConfig",
    "RunConfig",
    "SaeConfig",
    "SaeSettings",
    "SameSequenceSettings",
    "Settings",
    "Stage",
    "StandardSae",
    "TopKSae",
    "TrainedSae",
    "TrainingSettings",
    "WandbSettings",
    "WeightingSettings",
]
