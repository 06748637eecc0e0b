"""The architectures: their names, their registration, their configs."""

import json
from typing import Any

from sae_lens.registry import SAE_CLASS_REGISTRY, SAE_TRAINING_CLASS_REGISTRY
from sae_lens.saes.jumprelu_sae import JumpReLUSAEConfig
from sae_lens.saes.sae import SAEConfig, TrainingSAEConfig

from csae_bench.saes import register
from csae_bench.saes.contrastive import ARCHITECTURES

ON = {"rows": {"weight": 0.5, "on": "pre_activations"}}


def test_registering_again_changes_nothing() -> None:
    before = (dict(SAE_CLASS_REGISTRY), dict(SAE_TRAINING_CLASS_REGISTRY))
    register()
    register()
    assert before == (SAE_CLASS_REGISTRY, SAE_TRAINING_CLASS_REGISTRY)


def test_sae_lens_finds_the_architecture_by_name(architecture: str) -> None:
    row = ARCHITECTURES[architecture]
    assert SAE_TRAINING_CLASS_REGISTRY[architecture] == (row.training_sae, row.training_config)
    assert SAE_CLASS_REGISTRY.get(architecture) == row.inference


def test_two_architectures_infer_under_their_own_name_and_the_others_as_jumprelu(
    architecture: str, make_sae: Any
) -> None:
    inference = make_sae(architecture).cfg.get_inference_config_class()
    if architecture in ("contrastive", "contrastive_topk"):
        assert inference.architecture() == architecture
    else:
        assert inference is JumpReLUSAEConfig


def test_a_training_config_survives_json(architecture: str, make_sae: Any) -> None:
    config = make_sae(architecture, losses=ON).cfg
    again = TrainingSAEConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert type(again) is type(config)
    assert again == config


def test_an_inference_config_keeps_the_architecture_and_losses_it_was_trained_with(
    architecture: str, make_sae: Any
) -> None:
    config = make_sae(architecture, losses=ON).cfg
    saved = json.loads(json.dumps(config.get_inference_sae_cfg_dict()))
    metadata = SAEConfig.from_dict(saved).metadata
    assert metadata.training_architecture == architecture
    details = metadata.training_architecture_details
    assert details is not None
    assert details["losses"] == config.losses


def test_a_backbone_keeps_its_own_defaults(architecture: str) -> None:
    ours = ARCHITECTURES[architecture].training_config
    stock = next(base for base in ours.__mro__[2:] if issubclass(base, TrainingSAEConfig))
    defaults = {
        config: {
            name: field.default
            for name, field in config.__dataclass_fields__.items()
            if name != "losses"
        }
        for config in (ours, stock)
    }
    assert defaults[ours] == defaults[stock]
