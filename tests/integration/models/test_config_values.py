"""Every key of every config.json, with values of all kinds: transformers' logits, or an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from csae_bench.errors import ModelError
from csae_bench.models import describe
from csae_bench.models.architectures import ARCHITECTURES
from tests.model_configs import N_CTX
from tests.model_folders import change_config, logits_of_ours, logits_of_transformers

VALUES: list[Any] = ["x", -1, 0, None, [], {}, True, 1.5, 7, 2]
LEFT_ALONE = {"architectures", "model_type", "transformers_version", "dtype"}
MORE_KEYS = (
    "attention_bias",
    "head_dim",
    "layer_types",
    "max_window_layers",
    "mlp_bias",
    "partial_rotary_factor",
    "rope_local_base_freq",
    "rope_scaling",
    "rope_theta",
    "rotary_emb_base",
    "rotary_pct",
    "sliding_window",
    "sliding_window_pattern",
)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers warns of most of these values."""
    monkeypatch.setattr(transformers.utils.logging.get_logger("transformers"), "disabled", True)


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_value_gives_the_logits_of_transformers_or_an_error(
    architecture: str, copied: Callable[[str], Path]
) -> None:
    folder = copied(architecture)
    config = json.loads((folder / "config.json").read_text())
    n_equal = n_refused = 0
    for key in sorted({*config, *MORE_KEYS} - LEFT_ALONE):
        for value in VALUES:
            change_config(folder, drop=tuple(set(MORE_KEYS) - set(config)), **config)
            change_config(folder, **{key: value})
            try:
                is_short = describe(str(folder)).n_ctx < N_CTX
                ours = None if is_short else logits_of_ours(folder)
            except ModelError:
                n_refused += 1
                continue
            expected = None if is_short else _expected(folder)
            if ours is not None and expected is not None:
                torch.testing.assert_close(
                    ours, expected, atol=1e-4, rtol=0, msg=f"{key}={value!r}"
                )
                n_equal += 1
    assert n_equal > 50
    assert n_refused > 50


def _expected(folder: Path) -> torch.Tensor | None:
    """Logits of transformers; none where it stumbles over a setting that the model does not use."""
    try:
        return logits_of_transformers(folder)
    except (RuntimeError, TypeError):
        return None
