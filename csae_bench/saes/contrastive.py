"""The contrastive architectures: the objective on each of SAELens's backbones.

`contrastive` and `contrastive_topk` have inference classes of their own, which are SAELens's under
another name. The other three infer as JumpReLU, as their backbones do, and keep their name in
`metadata.training_architecture`. Importing this registers all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sae_lens.registry import (
    SAE_TRAINING_CLASS_REGISTRY,
    register_sae_class,
    register_sae_training_class,
)
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAEConfig
from sae_lens.saes.jumprelu_sae import (
    JumpReLUSAEConfig,
    JumpReLUTrainingSAE,
    JumpReLUTrainingSAEConfig,
)
from sae_lens.saes.matryoshka_batchtopk_sae import (
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
)
from sae_lens.saes.sae import SAE, SAEConfig, TrainingSAE, TrainingSAEConfig
from sae_lens.saes.standard_sae import (
    StandardSAE,
    StandardSAEConfig,
    StandardTrainingSAE,
    StandardTrainingSAEConfig,
)
from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig, TopKTrainingSAE, TopKTrainingSAEConfig
from typing_extensions import override

from csae_bench.saes.objective import ContrastiveTraining, ContrastiveTrainingConfig
from csae_bench.saes.sparse_batchtopk import SparseBatchTopK


@dataclass
class ContrastiveSAEConfig(StandardSAEConfig):
    """Inference form of `contrastive`."""

    @override
    @classmethod
    def architecture(cls) -> str:
        return "contrastive"


class ContrastiveSAE(StandardSAE):
    """SAELens's StandardSAE under the name `contrastive`."""


@dataclass
class ContrastiveTrainingSAEConfig(ContrastiveTrainingConfig, StandardTrainingSAEConfig):
    """ReLU and L1 with the contrastive objective."""

    @override
    @classmethod
    def architecture(cls) -> str:
        return "contrastive"


class ContrastiveTrainingSAE(ContrastiveTraining, StandardTrainingSAE):
    """ReLU and L1 with the contrastive objective."""


@dataclass
class ContrastiveTopKSAEConfig(TopKSAEConfig):
    """Inference form of `contrastive_topk`."""

    @override
    @classmethod
    def architecture(cls) -> str:
        return "contrastive_topk"


class ContrastiveTopKSAE(TopKSAE):
    """SAELens's TopKSAE under the name `contrastive_topk`."""


@dataclass
class ContrastiveTopKTrainingSAEConfig(ContrastiveTrainingConfig, TopKTrainingSAEConfig):
    """TopK with the contrastive objective."""

    @override
    @classmethod
    def architecture(cls) -> str:
        return "contrastive_topk"


class ContrastiveTopKTrainingSAE(ContrastiveTraining, TopKTrainingSAE):
    """TopK with the contrastive objective."""


@dataclass
class ContrastiveBatchTopKTrainingSAEConfig(ContrastiveTrainingConfig, BatchTopKTrainingSAEConfig):
    """BatchTopK with the contrastive objective."""

    @override
    @classmethod
    def architecture(cls) -> str:
        return "contrastive_batchtopk"


class ContrastiveBatchTopKTrainingSAE(ContrastiveTraining, SparseBatchTopK):
    """BatchTopK with the contrastive objective."""

    @override
    def may_round_differently(self) -> bool:
        return self.contrast is not None  # without terms it is SAELens's class, to the last bit


@dataclass
class ContrastiveJumpReLUTrainingSAEConfig(ContrastiveTrainingConfig, JumpReLUTrainingSAEConfig):
    """JumpReLU with the contrastive objective."""

    @override
    @classmethod
    def architecture(cls) -> str:
        return "contrastive_jumprelu"

    @override
    def get_inference_config_class(self) -> type[SAEConfig]:
        return JumpReLUSAEConfig


class ContrastiveJumpReLUTrainingSAE(ContrastiveTraining, JumpReLUTrainingSAE):
    """JumpReLU with the contrastive objective."""


@dataclass
class ContrastiveMatryoshkaBatchTopKTrainingSAEConfig(
    ContrastiveTrainingConfig, MatryoshkaBatchTopKTrainingSAEConfig
):
    """Matryoshka BatchTopK with the contrastive objective."""

    @override
    @classmethod
    def architecture(cls) -> str:
        return "contrastive_matryoshka_batchtopk"


class ContrastiveMatryoshkaBatchTopKTrainingSAE(
    ContrastiveTraining, MatryoshkaBatchTopKTrainingSAE
):
    """Matryoshka BatchTopK with the contrastive objective."""


class Architecture(NamedTuple):
    """Classes of one architecture, for SAELens."""

    training_sae: type[TrainingSAE[Any]]
    training_config: type[TrainingSAEConfig]
    inference: tuple[type[SAE[Any]], type[SAEConfig]] | None
    """None: it infers as JumpReLU."""


ARCHITECTURES: dict[str, Architecture] = {
    row.training_config.architecture(): row
    for row in (
        Architecture(
            ContrastiveTrainingSAE,
            ContrastiveTrainingSAEConfig,
            (ContrastiveSAE, ContrastiveSAEConfig),
        ),
        Architecture(
            ContrastiveTopKTrainingSAE,
            ContrastiveTopKTrainingSAEConfig,
            (ContrastiveTopKSAE, ContrastiveTopKSAEConfig),
        ),
        Architecture(ContrastiveBatchTopKTrainingSAE, ContrastiveBatchTopKTrainingSAEConfig, None),
        Architecture(ContrastiveJumpReLUTrainingSAE, ContrastiveJumpReLUTrainingSAEConfig, None),
        Architecture(
            ContrastiveMatryoshkaBatchTopKTrainingSAE,
            ContrastiveMatryoshkaBatchTopKTrainingSAEConfig,
            None,
        ),
    )
}


def register() -> None:
    """Register the architectures with SAELens, which itself refuses a second registration."""
    for name, row in ARCHITECTURES.items():
        if name in SAE_TRAINING_CLASS_REGISTRY:
            continue
        register_sae_training_class(name, row.training_sae, row.training_config)
        if row.inference is not None:
            register_sae_class(name, *row.inference)


register()
