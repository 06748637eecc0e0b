"""Initial weights with two kinds of attention head that language models grow for themselves.

Heads that look back a fixed number of tokens, and heads that find a token equal to the present one
(the parts of an induction circuit, Olsson et al. 2022, arXiv:2209.11895). A model of this size is
long in growing them; given them, it learns to answer questions in minutes. They are ordinary
weights, and training changes them like all others.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import Gemma2ForCausalLM

EMBEDDING_STD = 0.0625
POST_NORM_WEIGHT = -0.5
"""Scales what a layer adds to the residual stream to half of its size."""
LOOK_BACK_LOGIT = 6.0
"""Attention logit that each of the rotary frequencies used gives to the token looked for."""
N_LOOK_BACK_FREQUENCIES = 8
"""The fastest rotary frequencies: those that tell neighbouring positions apart."""
MATCH_LOGIT = 12.0
"""Attention logit of an equal token."""
LOOK_BACK_GROUPS = {0: (0,), 2: (1,)}
"""Layer -> its key-value groups whose heads look back one token, two tokens."""
MATCH_GROUPS = {1: (0, 1), 3: (0, 1)}
"""Layer -> its key-value groups whose heads find equal tokens."""


@torch.no_grad()
def set_initial_weights(model: "Gemma2ForCausalLM", seed: int) -> None:
    """Seeded random weights, with the heads that the tables above name."""
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    d_model, d_head = config.hidden_size, config.head_dim
    heads_in_group = config.num_attention_heads // config.num_key_value_heads
    constant = _normal(generator, d_model)
    constant /= constant.norm()
    embeddings: Any = model.model.embed_tokens.weight
    _set_embeddings(embeddings, constant, generator)
    layers: Any = model.model.layers
    for number, layer in enumerate(layers):
        layer.post_attention_layernorm.weight.fill_(POST_NORM_WEIGHT)
        layer.post_feedforward_layernorm.weight.fill_(POST_NORM_WEIGHT)
        for matrix in (p for p in layer.parameters() if p.ndim == 2):
            matrix.copy_(_normal(generator, *matrix.shape) * d_model**-0.5)
        attention: Any = layer.self_attn
        queries = attention.q_proj.weight.view(-1, heads_in_group, d_head, d_model)
        keys = attention.k_proj.weight.view(-1, d_head, d_model)
        values = attention.v_proj.weight.view(-1, d_head, d_model)
        outputs = attention.o_proj.weight.view(d_model, -1, heads_in_group, d_head)
        queries.mul_(0.8)
        keys.mul_(0.8)
        for group in LOOK_BACK_GROUPS.get(number, ()):
            _look_back(queries[group], keys[group], constant)
            if number > 0:  # hand on what is found there as it is
                copied = torch.linalg.qr(_normal(generator, d_model, d_head))[0] * 1.4
                values[group] = copied.T
                outputs[:, group] = copied[:, None]
        for group in MATCH_GROUPS.get(number, ()):
            _match(queries[group], keys[group], constant, generator)


def _set_embeddings(embeddings: Tensor, constant: Tensor, generator: torch.Generator) -> None:
    """Random embeddings with one common component, by which heads can tell positions alone."""
    vectors = _normal(generator, *embeddings.shape) * EMBEDDING_STD
    vectors -= torch.outer(vectors @ constant, constant)
    embeddings.copy_(vectors + constant * EMBEDDING_STD * embeddings.shape[1] ** 0.5)


def _look_back(queries: Tensor, keys: Tensor, constant: Tensor) -> None:
    """Head h attends h + 1 tokens back: its query is the key, rotated by so many positions."""
    d_head = keys.shape[0]
    half, n = d_head // 2, N_LOOK_BACK_FREQUENCIES
    frequencies = 10000.0 ** (-torch.arange(n) / half)
    # the constant component is half of a normalised residual's square length
    scale = (LOOK_BACK_LOGIT * d_head**0.5) ** 0.5 / (constant.numel() / 2) ** 0.5
    keys.zero_()
    keys[:n] = scale * constant
    for head, query in enumerate(queries):
        angle = frequencies * (head + 1)
        query.zero_()
        query[:n] = scale * torch.outer(angle.cos(), constant)
        query[half : half + n] = -scale * torch.outer(angle.sin(), constant)


def _match(queries: Tensor, keys: Tensor, constant: Tensor, generator: torch.Generator) -> None:
    """Query and key are one random projection, in the slow half of the rotary frequencies."""
    d_head, d_model = keys.shape
    quarter = d_head // 4
    rows = [*range(quarter, 2 * quarter), *range(3 * quarter, 4 * quarter)]
    scale = (MATCH_LOGIT * d_head**0.5 / (len(rows) * d_model)) ** 0.5
    projection = _normal(generator, len(rows), d_model) * scale
    projection -= torch.outer(projection @ constant, constant)
    keys[rows] = projection
    queries[:, rows] = projection


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator)
