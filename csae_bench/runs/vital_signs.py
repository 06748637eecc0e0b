"""Measures, in seconds, whether an SAE is alive before anything is scored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from csae_bench.activations.continuing import layer_after
from csae_bench.activations.shared import SharedPasses
from csae_bench.activations.sources import GeneratorSource
from csae_bench.config import GeneratorActivations, ModelActivations, RunConfig
from csae_bench.corpora import open_corpus
from csae_bench.results.validity import VitalSigns
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

N_BATCHES = 4
N_TEXTS = 16


class _Counts:
    """Sums over tokens, from which the vital signs are computed."""

    def __init__(self, d_sae: int) -> None:
        self.n_tokens = 0
        self.n_active = 0.0
        self.norm_in = 0.0
        self.norm_out = 0.0
        self.fired = torch.zeros(d_sae, dtype=torch.bool)

    def add(self, acts: Tensor, codes: Tensor, output: Tensor) -> None:
        self.n_tokens += len(acts)
        self.n_active += float((codes != 0).sum())
        self.norm_in += float(acts.float().norm(dim=-1).double().sum())
        self.norm_out += float(output.float().norm(dim=-1).double().sum())
        self.fired |= (codes != 0).any(0).cpu()

    def signs(self, **losses: float) -> VitalSigns:
        n = max(self.n_tokens, 1)
        return VitalSigns(
            l0=self.n_active / n,
            output_norm_ratio=self.norm_out / self.norm_in if self.norm_in else None,
            alive_fraction=float(self.fired.float().mean()),
            **losses,
        )


def vital_signs(
    sae: AnySae,
    *,
    config: RunConfig,
    model: HookedTransformer | None,
    hook_name: str | None,
    shared: SharedPasses | None = None,
) -> VitalSigns:
    """Measure vital signs on a few batches, of text or, without a model, of generated activations.

    Tokens at special positions are left out of everything but the cross-entropies.

    Args:
        shared: holds the passes without the SAE for other SAEs of the same model and hook.
    """
    with torch.no_grad():
        if model is None:
            assert isinstance(config.activations, GeneratorActivations)
            return _on_generated(sae, config.activations, config.seed)
        assert hook_name is not None
        assert isinstance(config.activations, ModelActivations)
        settings = config.activations
        batches = (shared or SharedPasses()).get_or_make(
            ("vital signs", id(model), hook_name, settings.model_dump_json()),
            lambda: _text_batches(model, hook_name, settings),
        )
        return _on_text(sae, model, hook_name, batches)


def _on_generated(sae: AnySae, settings: GeneratorActivations, seed: int) -> VitalSigns:
    source = GeneratorSource(settings, seed + 1, device=str(attributes.device(sae)))
    counts = _Counts(attributes.d_sae(sae))
    for _ in range(N_BATCHES):
        acts = source.next_sequences().acts.flatten(0, 1)
        codes = attributes.encode(sae, acts)
        counts.add(acts, codes, sae.decode(codes))
    return counts.signs()


class _Batch(NamedTuple):
    """Some text and what the model makes of it without an SAE."""

    tokens: Tensor
    usable: Tensor
    """Mask of the tokens that are no special ones."""
    clean: float
    """Cross-entropy, in nats."""
    ablated: float
    """The same with the activation at the hook set to zero."""
    acts: Tensor | None
    """Activations at the hook, from which a pass with an SAE goes on; None where it cannot."""


def _text_batches(
    model: HookedTransformer, hook_name: str, settings: ModelActivations
) -> list[_Batch]:
    from csae_bench.activations.sources import special_token_ids

    tokenizer: Any = model.tokenizer
    special = torch.tensor(special_token_ids(tokenizer))
    texts = iter(open_corpus(settings.dataset, split="core"))
    # a mask of padded tokens, which only a tokenizer that pads on the left makes, is not passed on
    continues = layer_after(hook_name) is not None and tokenizer.padding_side == "right"
    batches: list[_Batch] = []
    for _ in range(N_BATCHES):
        batch = [row["text"] for row, _ in zip(texts, range(N_TEXTS), strict=False)]
        if not batch:
            break
        tokens = model.to_tokens(batch, prepend_bos=True)[:, : settings.context_size]
        usable = ~torch.isin(tokens.cpu(), special).to(tokens.device)
        kept: list[Tensor] = []
        hook = (hook_name, lambda acts, hook, kept=kept: kept.append(acts.clone()))
        clean = model.run_with_hooks(tokens, return_type="loss", fwd_hooks=[hook])
        plain = _Batch(tokens, usable, float(clean), 0.0, kept[0] if continues else None)
        ablated = _loss(model, hook_name, plain, lambda acts, hook: torch.zeros_like(acts))
        batches.append(plain._replace(ablated=ablated))
    return batches


def _loss(
    model: HookedTransformer, hook_name: str, batch: _Batch, change: Callable[..., Tensor]
) -> float:
    """Return the cross-entropy with the activation changed, as a pass from the start gives it."""
    start = layer_after(hook_name)
    if batch.acts is None or start is None:
        hook: Any = (hook_name, change)
        return float(model.run_with_hooks(batch.tokens, return_type="loss", fwd_hooks=[hook]))
    changed = change(batch.acts, hook=model.hook_dict[hook_name])
    return float(model(changed, tokens=batch.tokens, start_at_layer=start, return_type="loss"))


def _on_text(
    sae: AnySae, model: HookedTransformer, hook_name: str, batches: list[_Batch]
) -> VitalSigns:
    counts = _Counts(attributes.d_sae(sae))
    losses: list[float] = []
    for batch in batches:

        def with_sae(acts: Tensor, hook: Any, usable: Tensor = batch.usable) -> Tensor:
            codes = attributes.encode(sae, acts)
            output = sae.decode(codes).to(device=acts.device, dtype=acts.dtype)
            counts.add(acts[usable], codes[usable], output[usable])
            return torch.where(usable[..., None], output, acts)

        losses.append(_loss(model, hook_name, batch, with_sae))
    if not losses:
        return VitalSigns()
    n = len(losses)
    return counts.signs(
        ce_loss_without_sae=sum(batch.clean for batch in batches) / n,
        ce_loss_with_sae=sum(losses) / n,
        ce_loss_with_ablation=sum(batch.ablated for batch in batches) / n,
    )
