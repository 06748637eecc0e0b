"""The inference threshold of BatchTopK kinds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.sae import SAE

from csae_bench.training.calibration import calibrate_threshold, mean_l0, pre_activations

D_IN, D_SAE, K = 24, 96, 6.0


def _sae(**settings: Any) -> BatchTopKTrainingSAE:
    torch.manual_seed(0)
    config = BatchTopKTrainingSAEConfig(d_in=D_IN, d_sae=D_SAE, k=K, **settings)
    sae = BatchTopKTrainingSAE(config)
    with torch.no_grad():  # decoder norms that differ, so that rescaling matters
        sae.W_dec.mul_(torch.rand(D_SAE, 1) + 0.5)
        sae.b_enc.normal_(0, 0.05)
    return sae


def _rows(seed: int, n: int = 256) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(n, D_IN, generator=generator)


def _inference(sae: BatchTopKTrainingSAE, folder: Path) -> SAE[Any]:
    sae.save_inference_model(folder)
    return SAE.load_from_disk(folder)


@pytest.mark.parametrize("rescale", [True, False])
def test_pre_activations_are_what_the_sae_chooses_from(rescale: bool) -> None:
    sae, rows = _sae(rescale_acts_by_decoder_norm=rescale), next(_rows(0))
    assert torch.equal(pre_activations(sae, rows), sae.encode_with_hidden_pre(rows)[1])


@pytest.mark.parametrize("rescale", [True, False])
def test_l0_of_inference_is_within_two_percent_of_training(tmp_path: Path, rescale: bool) -> None:
    sae = _sae(rescale_acts_by_decoder_norm=rescale)
    calibrate_threshold(sae, _rows(0), 16_384)
    fresh = list(itertools.islice(_rows(1), 64))
    assert mean_l0(sae, fresh) == K
    assert mean_l0(_inference(sae, tmp_path), fresh) == pytest.approx(K, rel=0.02)


def test_without_calibration_a_short_training_infers_with_too_many_latents(tmp_path: Path) -> None:
    sae, rows = _sae(), _rows(0)
    for batch in itertools.islice(rows, 20):
        sae.update_topk_threshold(sae.encode(batch))
    assert mean_l0(_inference(sae, tmp_path), [next(rows)]) > 1.2 * K


def test_threshold_is_the_same_whatever_the_batch() -> None:
    rows = torch.cat(list(itertools.islice(_rows(0), 16)))
    thresholds = {
        calibrate_threshold(_sae(), iter(rows.split(size)), len(rows)) for size in (64, 1024, 4096)
    }
    # matmuls of different sizes may differ in the last bit
    assert max(thresholds) - min(thresholds) < 1e-6


def test_threshold_is_zero_where_fewer_than_k_latents_are_ever_positive() -> None:
    sae = _sae()
    with torch.no_grad():
        sae.b_enc.fill_(-1e6)
        sae.b_enc[:2] = 1e3
    assert calibrate_threshold(sae, _rows(0), 1024) == 0.0
