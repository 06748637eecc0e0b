"""SmolLM2's pass to the SAE's hook as a training makes it, against transformers' own.

Batches of 32 contexts of 128 tokens of the recipe's text, on all cores, in float32. Ours is what
`smollm2` draws its activations with, hooks included; transformers' is the same layers of the same
weights, with the attention that it takes by itself (`sdpa`), no cache, no unembedding. In turn, on
the same tokens; the figure is the median of the rounds' ratios of tokens a second.

Needs `make setup-smollm2`.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

from benchmarks.timing import seconds

FIGURES = ("smollm2_tokens_per_second_ratio",)
NEEDS_SMOLLM2 = True
N_ROUNDS, N_BATCHES = 5, 2
CONFIGURATION = "smollm2"


def main() -> None:
    """Print the figure; both rates go to stderr."""
    from csae_bench.cli.terminal import prepare_process

    prepare_process()  # as the command line does, before torch is imported
    import torch
    from transformers import AutoModelForCausalLM

    from csae_bench import models
    from csae_bench.config.loading import load_config
    from csae_bench.models import smollm2
    from csae_bench.training.data import activation_source

    config = load_config(CONFIGURATION).config
    model = models.load(config.model)
    source: Any = activation_source(config, model)
    published: Any = AutoModelForCausalLM.from_pretrained(smollm2.folder(), dtype=torch.float32)
    layer = int(str(config.hook_name).split(".")[1])
    published.model.layers = published.model.layers[: layer + 1]
    published.model.norm = torch.nn.Identity()
    tokens = [source.next_windows() for _ in range(N_BATCHES)]

    def ours() -> list[torch.Tensor]:
        return [source.activations(batch) for batch in tokens]

    @torch.no_grad()
    def theirs() -> list[torch.Tensor]:
        return [published.model(batch, use_cache=False).last_hidden_state for batch in tokens]

    for mine, others in zip(ours(), theirs(), strict=True):  # the warm-up too
        torch.testing.assert_close(mine, others, atol=2e-3, rtol=1e-3)
    n_tokens = sum(batch.numel() for batch in tokens)
    rounds = [(n_tokens / seconds(ours), n_tokens / seconds(theirs)) for _ in range(N_ROUNDS)]
    for mine, others in rounds:
        print(f"{mine:.0f} tokens/s, transformers {others:.0f}", file=sys.stderr)
    print(f"BENCH smollm2_tokens_per_second_ratio {median(a / b for a, b in rounds):.3f} ratio")
