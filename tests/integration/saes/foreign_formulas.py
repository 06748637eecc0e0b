"""Codes of other libraries' SAEs by their published formulas, from the weights that they store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

State = Mapping[str, Tensor]


def largest(values: Tensor, k: int) -> Tensor:
    """The k largest values of each row where they are, 0 elsewhere."""
    top = values.topk(k, dim=-1, sorted=False)
    return torch.zeros_like(values).scatter(-1, top.indices, top.values)


def sparsify(x: Tensor, state: State, k: int) -> Tensor:
    """eai-sparsify 1.3.3, sparse_coder.py `SparseCoder.encode` and fused_encoder.py."""
    weight, bias = state["encoder.weight"], state["encoder.bias"]
    return largest(torch.relu(nn.functional.linear(x - state["b_dec"], weight, bias)), k)


def sparsify_signed(x: Tensor, state: State, k: int) -> Tensor:
    """sparsify 1.0, sae.py `Sae.pre_acts` and `Sae.select_topk` with cfg.signed."""
    pre = nn.functional.linear(x - state["b_dec"], state["encoder.weight"], state["encoder.bias"])
    indices = pre.abs().topk(k, dim=-1, sorted=False).indices
    return torch.zeros_like(pre).scatter(-1, indices, pre.gather(-1, indices))


def _linear(x: Tensor, state: State) -> Tensor:
    return nn.functional.linear(x, state["encoder.weight"], state["encoder.bias"])


def auto_encoder(x: Tensor, state: State) -> Tensor:
    """dictionary.py `AutoEncoder.encode`, after `normalize_decoder` of `from_pretrained`."""
    norms = state["decoder.weight"].norm(dim=0)
    normed = {
        **state,
        "encoder.weight": state["encoder.weight"] * norms[:, None],
        "encoder.bias": state["encoder.bias"] * norms,
    }
    return torch.relu(_linear(x - state["bias"], normed))


def auto_encoder_new(x: Tensor, state: State) -> Tensor:
    """dictionary.py `AutoEncoderNew.forward` with output_features: times the decoder's norms."""
    return torch.relu(_linear(x, state)) * state["decoder.weight"].norm(dim=0, keepdim=True)


def auto_encoder_top_k(x: Tensor, state: State) -> Tensor:
    """trainers/top_k.py `AutoEncoderTopK.encode`."""
    return largest(torch.relu(_linear(x - state["b_dec"], state)), int(state["k"]))


def batch_top_k(x: Tensor, state: State) -> Tensor:
    """trainers/batch_top_k.py `BatchTopKSAE.encode`, with its threshold, as by default."""
    acts = torch.relu(_linear(x - state["b_dec"], state))
    return acts * (acts > state["threshold"])


def matryoshka(x: Tensor, state: State) -> Tensor:
    """trainers/matryoshka_batch_top_k.py `MatryoshkaBatchTopKSAE.encode`, all groups active."""
    acts = torch.relu((x - state["b_dec"]) @ state["W_enc"] + state["b_enc"])
    return acts * (acts > state["threshold"])


def jump_relu(x: Tensor, state: State) -> Tensor:
    """dictionary.py `JumpReluAutoEncoder.encode`; apply_b_dec_to_input is False."""
    pre = x @ state["W_enc"] + state["b_enc"]
    return torch.relu(pre * (pre > state["threshold"]))


def gated(x: Tensor, state: State) -> Tensor:
    """dictionary.py `GatedAutoEncoder.encode`."""
    pre = nn.functional.linear(x - state["decoder_bias"], state["encoder.weight"])
    gate = (pre + state["gate_bias"] > 0).to(x.dtype)
    return gate * torch.relu(state["r_mag"].exp() * pre + state["mag_bias"])


DICTIONARY_LEARNING: dict[str, Callable[[Tensor, State], Tensor]] = {
    "AutoEncoder": auto_encoder,
    "AutoEncoderNew": auto_encoder_new,
    "AutoEncoderTopK": auto_encoder_top_k,
    "BatchTopKSAE": batch_top_k,
    "MatryoshkaBatchTopKSAE": matryoshka,
    "JumpReluAutoEncoder": jump_relu,
    "GatedAutoEncoder": gated,
}


def arrays(x: Tensor, state: State, activation: str, k: int, threshold: Tensor | float) -> Tensor:
    """The activations that a file of bare arrays may name."""
    pre = (x - state["b_dec"]) @ state["W_enc"] + state["b_enc"]
    if activation == "relu":
        return torch.relu(pre)
    if activation == "topk":
        return torch.relu(largest(pre, k))
    if activation == "abstopk":
        kept = pre.abs().topk(k, dim=-1).indices
        return torch.zeros_like(pre).scatter(-1, kept, pre.gather(-1, kept))
    return torch.relu(pre) * (pre > threshold)
