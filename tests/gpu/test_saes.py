"""SAEs and a step of training on a GPU against the same on the CPU."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from sae_lens.registry import get_sae_training_class
from sae_lens.saes.sae import SAE, TrainingSAE

from csae_bench.config import RunConfig, TrainedSae
from csae_bench.saes import register
from csae_bench.saes.building import training_sae
from csae_bench.training.data import pair_stream
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
from csae_bench.training.settings import trainer_config

TERMS: dict[str, dict[str, Any]] = {
    "rows": {"weight": 0.1, "latent_fraction": 0.5},
    "columns": {"weight": 0.1},
}
"""Those that draw nothing at random here: each device draws by a generator of its own."""
SAES: dict[str, dict[str, Any]] = {
    "contrastive": {"losses": TERMS},
    "contrastive_topk": {"k": 8, "losses": TERMS},
    "contrastive_batchtopk": {"k": 8, "losses": TERMS},
    "contrastive_jumprelu": {"losses": TERMS},
    "contrastive_matryoshka_batchtopk": {"k": 8, "losses": TERMS},
}
N_STEPS = 3


def config_of(architecture: str, **changes: Any) -> RunConfig:
    return RunConfig.model_validate(
        {
            "activations": {
                "kind": "generator",
                "d_in": 64,
                "n_features": 128,
                "context_size": 16,
                "pairs_in_buffer": 256,
            },
            "sae": {"architecture": architecture, "d_sae": 256, **SAES[architecture], **changes},
            "training": {"batch_size": 256, "n_tokens": 256 * 100, "learning_rate": 1e-3},
        }
    )


def sae_of(config: RunConfig, device: str) -> TrainingSAE[Any]:
    """The same weights on every device: drawn on the CPU."""
    assert isinstance(config.sae, TrainedSae)
    torch.manual_seed(0)
    drawn = training_sae(config.sae, d_in=64, device="cpu", metadata={})
    sae = training_sae(config.sae, d_in=64, device=device, metadata={})
    sae.load_state_dict(drawn.state_dict())
    return sae


def trained(architecture: str, device: str, **changes: Any) -> tuple[TrainingSAE[Any], list[float]]:
    config = config_of(architecture, **changes)
    stream = pair_stream(config, None, device=device)
    sae = sae_of(config, device)
    trainer = ContrastiveSAETrainer(
        trainer_config(config, device),
        sae,
        stream,
        schedule=ObjectiveScheduleSettings.of(config),
        progress=False,
    )
    losses: list[float] = []
    for number in range(N_STEPS):
        trainer.schedule.before_step(number)
        torch.manual_seed(number)
        losses.append(trainer.step(next(stream)).loss.item())
        trainer.n_training_steps += 1
    return sae, losses


@pytest.mark.parametrize("architecture", sorted(SAES))
def test_steps_lose_the_same_on_gpu_and_cpu(architecture: str) -> None:
    _, on_cpu = trained(architecture, "cpu")
    sae, on_gpu = trained(architecture, "cuda")
    assert all(weights.device.type == "cuda" for weights in sae.parameters())
    # sums in another order, and now and then a code at the threshold that falls on the other side;
    # a wrong step would show in the losses after it
    assert on_gpu == pytest.approx(on_cpu, rel=1e-3)


@pytest.mark.parametrize("targeting", ["random", "targeted"])
def test_mixtures_are_made_on_the_gpu(targeting: str) -> None:
    losses = {**TERMS, "mixing": {"weight": 0.1, "targeting": targeting}}
    _, on_gpu = trained("contrastive_topk", "cuda", losses=losses)
    _, on_cpu = trained("contrastive_topk", "cpu", losses=losses)
    assert on_gpu == pytest.approx(on_cpu, rel=5e-2)  # other donors are drawn


@pytest.mark.parametrize("architecture", sorted(SAES))
def test_inference_codes_are_equal_on_gpu_and_cpu(architecture: str) -> None:
    register()
    sae, _ = trained(architecture, "cpu")
    config_class = get_sae_training_class(architecture)[1]
    assert isinstance(sae.cfg, config_class)
    inference = SAE.from_dict(sae.cfg.get_inference_sae_cfg_dict())
    weights = {key: value.clone() for key, value in sae.state_dict().items()}
    sae.process_state_dict_for_saving_inference(weights)
    inference.load_state_dict(weights)
    moved = copy.deepcopy(inference).to("cuda")
    x = torch.randn(512, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        codes, on_gpu = inference.encode(x), moved.encode(x.to("cuda")).cpu()
        rows = moved.decode(codes.to("cuda")).cpu()
        expected = inference.decode(codes)
    # in float32, sums over 64 inputs; a code that is exactly at the threshold may switch
    switched = ((codes > 0) != (on_gpu > 0)).float().mean()
    assert float(switched) < 1e-4
    both = (codes > 0) & (on_gpu > 0)
    assert torch.allclose(codes[both], on_gpu[both], rtol=1e-4, atol=1e-5)
    assert torch.allclose(rows, expected, rtol=1e-4, atol=1e-4)
