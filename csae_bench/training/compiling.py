"""Training steps compiled by torch.compile."""

from __future__ import annotations

from typing import Any

import torch
from sae_lens.saes.sae import TrainingSAE
from torch._functorch import config as functorch_config


def compile_steps(sae: TrainingSAE[Any]) -> None:
    """Have the forward pass of the SAE's steps compiled at the first one, as SAELens's
    `compile_sae` does, and its backward pass with it.
    """
    # the step that measures gradients keeps the graph, which compiled code may otherwise overwrite
    functorch_config.donated_buffer = False
    sae.training_forward_pass = torch.compile(sae.training_forward_pass)
