"""Settings and text of SAE-Bench's autointerp eval, in its own form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import Int
from sae_bench.evals.autointerp.eval_config import AutoInterpEvalConfig
from sae_bench.sae_bench_utils import dataset_utils, general_utils
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.errors import DataError, ModelError
from csae_bench.upstream.isolation import isolated
from csae_bench.upstream.unlearning_isolation import replaced

_SPECIAL = ("bos_token", "eos_token", "pad_token")


@dataclass(frozen=True, kw_only=True)
class AutoInterpSettings:
    """Settings of SAE-Bench's autointerp eval, by its own names."""

    model_name: str
    """The model's true name, for the record."""
    dataset_name: str
    hook_name: str
    random_seed: int
    n_latents: int
    dead_latent_threshold: float
    total_tokens: int
    llm_context_size: int
    llm_batch_size: int
    buffer: int
    no_overlap: bool
    act_threshold_frac: float
    max_tokens_in_explanation: int
    use_demos_in_explanation: bool
    n_top_ex_for_generation: int
    n_iw_sampled_ex_for_generation: int
    n_top_ex_for_scoring: int
    n_random_ex_for_scoring: int
    n_iw_sampled_ex_for_scoring: int


def read_tokens(
    rows: Iterable[Mapping[str, str]], model: HookedTransformer, settings: AutoInterpSettings
) -> Int[Tensor, "n_sequences context_size"]:
    """Return tokens of a text, read as SAE-Bench reads its dataset.

    Raises:
        ModelError: the tokenizer lacks one of <bos>, <eos> and <pad>.
        DataError: the text is too short.
    """
    lacks = [name for name in _SPECIAL if getattr(model.tokenizer, name, None) is None]
    if lacks:
        raise ModelError(
            f"{settings.model_name}: its tokenizer has no {', '.join(lacks)}; SAE-Bench's "
            "autointerp needs them."
        )

    def load_dataset(*_: Any, **__: Any) -> Iterable[Mapping[str, str]]:
        return rows

    tokenizer: Any = model.tokenizer
    try:
        with replaced(dataset_utils, load_dataset=load_dataset), isolated():
            tokens = dataset_utils.load_and_tokenize_dataset(
                settings.dataset_name, settings.llm_context_size, settings.total_tokens, tokenizer
            )
    except (AssertionError, RuntimeError, ZeroDivisionError) as error:
        raise DataError(
            f"evals.autointerp.total_tokens is {settings.total_tokens}; the text "
            f"{settings.dataset_name} has fewer. Ask for less, or name a longer text in "
            "evals.autointerp.dataset."
        ) from error
    return tokens


def sae_bench_config(
    model: HookedTransformer, settings: AutoInterpSettings
) -> AutoInterpEvalConfig:
    """Return SAE-Bench's own config of these settings."""
    values = asdict(settings)
    del values["hook_name"]
    return AutoInterpEvalConfig(**values, llm_dtype=general_utils.dtype_to_str(model.cfg.dtype))


def tokens_fingerprint(tokens: Int[Tensor, "n_sequences context_size"]) -> str:
    """Return a hash of tokens, 16 hex digits."""
    return hashlib.sha256(tokens.cpu().long().numpy().tobytes()).hexdigest()[:16]
