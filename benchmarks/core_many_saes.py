"""Core of one and of eight SAEs: ours against SAE-Bench's `multiple_evals` on the same batches.

A model of 12 layers, d_model 256, with random weights and the bundled model's tokenizer; SAEs of
1024 latents on blocks.7.hook_resid_post. `multiple_evals` takes one SAE after the other, ours keeps
what no SAE changes. Shares of the ideal are of the ratio that counted operations allow:

- SAE-Bench, a reconstruction batch: three whole passes and the SAE's; a sparsity batch: the layers
  up to the hook, and the SAE's.
- ours, K SAEs: the layers up to the hook once, the rest K + 2 times (clean, ablated, and with each
  SAE), and K times the SAE's; a sparsity batch: the layers up to the hook once, and K times the
  SAE's.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.operations import count_operations
from benchmarks.timing import seconds

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer

FIGURES = ("core_1_sae_of_ideal", "core_8_saes_of_ideal", "core_8_saes_speedup")
N_LAYERS, D_MODEL, D_SAE, LAYER = 12, 256, 1024, 7
HOOK_NAME = f"blocks.{LAYER}.hook_resid_post"
CONTEXT, N_PROMPTS = 128, 16
N_RECONSTRUCTION, N_SPARSITY = 6, 20
"""Batches, in SAE-Bench's default proportion of about one to three for small data."""
N_TOKENS = CONTEXT * N_PROMPTS * (N_RECONSTRUCTION + N_SPARSITY + 8)
N_SAES, N_TURNS = 8, 3


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder, turns = Path(name), list[tuple[float, float, float]]()
        model, data = _model(), write_text(Path(name) / "text", N_TOKENS)
        saes = [random_sae(seed) for seed in range(N_SAES)]
        _theirs(saes[:1], model, data, folder)  # imports, and the first pass of a process
        for _ in range(N_TURNS):  # in turn: a machine that slows down slows all of them
            theirs = seconds(lambda: _theirs(saes[:1], model, data, folder))
            one = seconds(lambda: _ours(saes[:1], model, data))
            eight = seconds(lambda: _ours(saes, model, data))
            turns.append((theirs, one, eight))
            print(f"theirs {theirs:.1f} s, one {one:.1f} s, 8 {eight:.1f} s", file=sys.stderr)
    operations = count_operations(model, LAYER, CONTEXT, D_SAE)
    batches = (N_RECONSTRUCTION, N_SPARSITY)
    for n_saes, place in ((1, 1), (N_SAES, 2)):
        # of SAE-Bench K SAEs cost K times one
        speedup = statistics.median(n_saes * turn[0] / turn[place] for turn in turns)
        ideal = operations.of_sae_bench(n_saes, *batches) / operations.of_ours(n_saes, *batches)
        print(f"{n_saes}: {speedup:.2f} of {ideal:.2f} by operations", file=sys.stderr)
        name = f"core_{n_saes}_sae{'s' * (n_saes > 1)}"
        print(f"BENCH {name}_of_ideal {speedup / ideal:.2f} share")
        if n_saes > 1:
            print(f"BENCH {name}_speedup {speedup:.2f} ratio")


def _model() -> HookedTransformer:
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    from csae_bench import models

    tokenizer: Any = models.load("tiny-gemma2-it").tokenizer
    cfg = HookedTransformerConfig(
        model_name="random",
        n_layers=N_LAYERS,
        d_model=D_MODEL,
        n_ctx=CONTEXT,
        d_head=64,
        d_vocab=len(tokenizer),
        act_fn="gelu",
        seed=0,
    )
    return HookedTransformer(cfg, tokenizer=tokenizer, default_padding_side="right").eval()


def random_sae(
    seed: int, hook_name: str = HOOK_NAME, d_in: int = D_MODEL, d_sae: int = D_SAE
) -> SAE[Any]:
    """Return an SAE with random directions, of which 32 latents are active."""
    import torch
    from sae_lens import TopKSAE, TopKSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    torch.manual_seed(seed)
    metadata = SAEMetadata(model_name="random", hook_name=hook_name, prepend_bos=True)
    sae = TopKSAE(TopKSAEConfig(d_in=d_in, d_sae=d_sae, k=32, metadata=metadata))
    with torch.no_grad():
        sae.W_dec.copy_(torch.nn.functional.normalize(torch.randn_like(sae.W_dec), dim=1))
        sae.W_enc.copy_(sae.W_dec.T)
    return sae


def write_text(folder: Path, n_tokens: int) -> Path:
    """Write the tinyworld's text for core as a dataset of at least so many tokens."""
    from csae_bench.corpora import open_corpus

    folder.mkdir()
    with (folder / "text.jsonl").open("w") as file:
        n_words = 0
        for row in open_corpus("tinyworld", split="core"):
            file.write(json.dumps({"text": row["text"]}) + "\n")
            n_words += len(row["text"].split())
            if n_words > 2 * n_tokens:
                break
    return folder


def _theirs(saes: list[SAE[Any]], model: HookedTransformer, data: Path, folder: Path) -> None:
    from csae_bench.upstream.reference import reference_multiple_evals

    for sae in saes:
        reference_multiple_evals(
            sae,
            release="random_layer_7_sae",
            dataset=str(data),
            output_folder=folder,
            model=model,
            context_size=CONTEXT,
            batch_size_prompts=N_PROMPTS,
            n_eval_reconstruction_batches=N_RECONSTRUCTION,
            n_eval_sparsity_variance_batches=N_SPARSITY,
        )


def _ours(saes: list[SAE[Any]], model: HookedTransformer, data: Path) -> None:
    run_ours(saes, model, data, HOOK_NAME, (N_RECONSTRUCTION, N_SPARSITY))


def run_ours(
    saes: Sequence[SAE[Any]],
    model: HookedTransformer,
    data: Path,
    hook_name: str,
    n_batches: tuple[int, int],
) -> None:
    """Run our core on SAEs that share passes.

    Args:
        n_batches: of reconstruction, and of sparsity.
    """
    from csae_bench.activations.shared import SharedPasses
    from csae_bench.corpora import open_corpus
    from csae_bench.upstream.core import CoreSettings, run_core

    shared = SharedPasses(n_users=len(saes))
    settings = CoreSettings(
        dataset_name=str(data),
        model_name=model.cfg.model_name,
        hook_name=hook_name,
        context_size=CONTEXT,
        batch_size_prompts=N_PROMPTS,
        n_eval_reconstruction_batches=n_batches[0],
        n_eval_sparsity_variance_batches=n_batches[1],
    )
    for sae in saes:
        run_core(sae, model, open_corpus(str(data), split="core"), settings, shared)


if __name__ == "__main__":
    main()
