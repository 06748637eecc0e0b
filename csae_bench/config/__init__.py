"""Everything a run depends on, strictly checked.

Each field and its default are defined in one place. `loading` reads YAML, applies `--set` and
reports every problem at once.
"""

from csae_bench.config.activations import (
    GeneratorActivations,
    ModelActivations,
)
from csae_bench.config.base import (
    SaeSettings,
    Settings,
)
from csae_bench.config.baselines import (
    BASELINES,
    BaselineSae,
    SaeKind,
    kind_of,
)
from csae_bench.config.curriculum import (
    Stage,
)
from csae_bench.config.pairs import (
    PAIR_KINDS,
    MinimalSettings,
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
    JumpReluSae,
    MatryoshkaBatchTopKSae,
    SaeConfig,
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
    "BASELINES",
    "PAIR_KINDS",
    "BaselineSae",
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
    "JumpReluSae",
    "MatryoshkaBatchTopKSae",
    "MinimalSettings",
    "ModelActivations",
    "PairKindSettings",
    "PairsSettings",
    "ParaphraseSettings",
    "ResolvedConfig",
    "RunConfig",
    "SaeConfig",
    "SaeKind",
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
    "kind_of",
]
