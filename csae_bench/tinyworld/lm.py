"""The language model: its configuration and its training."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor

from csae_bench.tinyworld.guidance import FactorReader, find_questions, guidance_loss
from csae_bench.tinyworld.initial_weights import set_initial_weights
from csae_bench.tinyworld.token_stream import Contexts, contexts
from csae_bench.tinyworld.tokenizer import build_tokenizer, save_tokenizer

if TYPE_CHECKING:
    from transformers import Gemma2Config, Gemma2ForCausalLM


@dataclass(frozen=True, kw_only=True)
class LMTraining:
    """Training settings of the language model; the defaults make the shipped model."""

    steps: int = 1500
    """Optimizer steps."""
    batch: int = 32
    """Contexts a step."""
    context: int = 128
    """Tokens a context."""
    long_share: float = 0.08
    """The last share of the steps, at twice the context and half the batch."""
    lr: float = 2e-3
    """Peak learning rate of AdamW; it warms up linearly and falls to 2% with a cosine."""
    telling_weight: float = 8.0
    """Weight in the loss of answers' letters and factors' later words; other tokens weigh 1."""
    guidance_weight: float = 4.0
    """Weight in the loss of each question's guidance, see `guidance`."""
    factor_steps: int = 250
    """Steps after those in which the default hook's layer must also show every factor."""
    factor_lr: float = 7e-4
    """Peak learning rate of these."""
    seed: int = 0
    """Seed of the weights and of the documents."""


class Phase(NamedTuple):
    """Some steps on contexts of one kind."""

    n_steps: int
    context: int
    batch: int
    whole: bool
    """True if contexts begin where a document does: one that began amid a question would ask
    for a letter that cannot be known."""


def lm_config(vocab_size: int) -> "Gemma2Config":
    """Gemma-2 in small, with all of its mechanics on; 1.4M parameters.

    Layers 0 and 2 attend locally over 64 tokens, 1 and 3 globally; two query heads
    share a key-value head; attention scores and logits are soft-capped.
    """
    from transformers import Gemma2Config

    return Gemma2Config(
        vocab_size=vocab_size,
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        query_pre_attn_scalar=64,
        max_position_embeddings=256,
        sliding_window=64,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )


def new_model(vocab_size: int, seed: int = 0) -> "Gemma2ForCausalLM":
    """Create an untrained model with seeded weights."""
    from transformers import AutoModelForCausalLM

    # other kinds of attention leave out the soft-cap
    model = AutoModelForCausalLM.from_config(lm_config(vocab_size), attn_implementation="eager")
    set_initial_weights(model, seed)
    return model


def train(cfg: LMTraining, log: Callable[[int, float], None] | None = None) -> "Gemma2ForCausalLM":
    """Train a model on the documents of split `lm`; `log(step, loss)` is called at every step."""
    tokenizer = build_tokenizer()
    model = new_model(tokenizer.get_vocab_size(), cfg.seed)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    step = 0
    for number, (n_steps, context, batch, whole) in enumerate(phases(cfg)):
        # each phase reads documents of its own seed
        batches = contexts(tokenizer, "lm", context, batch, 1000 * cfg.seed + number, whole=whole)
        for _, packed in zip(range(n_steps), batches, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = cfg.lr * learning_rate_scale(step, cfg.steps)
            loss = training_loss(model, packed, cfg)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
            if log is not None:
                log(step, loss.item())
    if cfg.factor_steps:
        _read_factors(model, tokenizer, cfg)
    return model.eval()


def _read_factors(model: "Gemma2ForCausalLM", tokenizer: Tokenizer, cfg: LMTraining) -> None:
    """Train some last steps in which linear heads must read every factor; drop the heads."""
    reader = FactorReader(tokenizer, model.config.hidden_size, seed=cfg.seed)
    parameters = [*model.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.01)
    batches = contexts(
        tokenizer, "lm", cfg.context, cfg.batch // 2, 1000 * cfg.seed + 9, whole=True
    )
    for step, packed in zip(range(cfg.factor_steps), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = cfg.factor_lr * learning_rate_scale(step, cfg.factor_steps)
        loss = training_loss(model, packed, cfg) + reader.loss(model, step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()


def training_loss(model: "Gemma2ForCausalLM", packed: Contexts, cfg: LMTraining) -> Tensor:
    """Weighted mean of the tokens' cross-entropies and the questions' guidance, in nats."""
    tokens = torch.from_numpy(packed.tokens)
    is_answer = torch.from_numpy(packed.is_answer)
    output = model(tokens, output_hidden_states=True, output_attentions=True)
    telling = is_answer | torch.from_numpy(packed.is_later_word)
    weights = torch.where(telling, cfg.telling_weight, 1.0)
    asked = find_questions(tokens, is_answer)
    guidance = guidance_loss(model, asked, output.hidden_states, output.attentions)
    total, weight = weighted_loss(output.logits, tokens, weights)
    return (total + cfg.guidance_weight * guidance) / (
        weight + 2 * cfg.guidance_weight * len(asked.row)
    )


def phases(cfg: LMTraining) -> tuple[Phase, ...]:
    """Short contexts, then the longest."""
    long_steps = round(cfg.steps * cfg.long_share)
    return (
        Phase(cfg.steps - long_steps, cfg.context, cfg.batch, True),
        Phase(long_steps, 2 * cfg.context, max(1, cfg.batch // 2), False),
    )


def weighted_loss(logits: Tensor, tokens: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of weight times cross-entropy of tokens[:, 1:], in nats, and of the weights."""
    w = weights[:, 1:].flatten()
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
    )
    return (losses * w).sum(), w.sum()


def learning_rate_scale(step: int, steps: int) -> float:
    """Share of the peak learning rate: a linear warm-up of at most 50 steps, then cosine to 2%."""
    warm_up = max(1, min(50, steps // 25))
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return 0.02 + 0.49 * (1.0 + cos(pi * done))


def save(model: "Gemma2ForCausalLM", folder: Path) -> None:
    """Write the model and its tokenizer as a Hugging Face folder, weights in float32."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes 0600, which a wheel would keep


def load(folder: Path) -> "tuple[Gemma2ForCausalLM, Tokenizer]":
    """Load the model of a folder written by `save`, in evaluation mode, and its tokenizer."""
    from transformers import Gemma2ForCausalLM

    model = Gemma2ForCausalLM.from_pretrained(folder, attn_implementation="eager")
    return model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))


def progress_printer(steps: int, every: int = 50) -> Callable[[int, float], None]:
    """Make a `log` for `train` that writes a line to stderr now and then."""
    started = time.monotonic()

    def log(step: int, loss: float) -> None:
        if step % every == 0 or step == steps:
            spent = time.monotonic() - started
            sys.stderr.write(f"step {step}/{steps}  loss {loss:.3f}  {spent:.0f} s\n")

    return log
