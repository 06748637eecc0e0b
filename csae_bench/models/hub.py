"""Models on the Hugging Face hub, through transformer-lens; never waits for a hub not there."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import huggingface_hub
from huggingface_hub import constants

from csae_bench.errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformer_lens import HookedTransformer


def hub_shape(name: str) -> dict[str, Any]:
    """Fields of the model's HookedTransformerConfig: transformer-lens's own, cached or fetched."""
    from transformer_lens.loading_from_pretrained import get_pretrained_model_config

    try:
        config = get_pretrained_model_config(name, device="cpu", local_files_only=True)
    except (OSError, ValueError):
        _require_hub(name, "config.json")
        try:
            config = get_pretrained_model_config(name, device="cpu")
        except (OSError, ValueError, NotImplementedError) as error:
            raise _unavailable(name, error) from error
    except NotImplementedError as error:
        raise _unavailable(name, error) from error
    if config.attention_dir != "causal":
        raise ModelError(
            f"{name} ({config.original_architecture}) is not a causal language model; "
            "csae-bench needs one."
        )
    return config.to_dict()


def load_from_hub(name: str, *, device: str, dtype: torch.dtype) -> HookedTransformer:
    """Load the model as SAE-Bench's core does: no weight processing, the hub's full name."""
    from transformer_lens import HookedTransformer

    if not isinstance(huggingface_hub.try_to_load_from_cache(name, "config.json"), str):
        _require_hub(name, "weights")
    try:
        # it prints to stdout, which is for results
        with contextlib.redirect_stdout(sys.stderr), _without_float32_copy():
            return HookedTransformer.from_pretrained_no_processing(name, device=device, dtype=dtype)
    except (OSError, ValueError, NotImplementedError) as error:
        raise _unavailable(name, error) from error


@contextlib.contextmanager
def _without_float32_copy() -> Generator[None]:
    """Keep transformer-lens from converting all weights to float32, and back, for no processing.

    At once, and beside the published ones: four times a bfloat16 model at the peak.
    """
    from transformer_lens import weight_processing

    owner: Any = weight_processing.ProcessWeights
    process = owner.process_weights

    def unprocessed(state_dict: dict[str, Any], cfg: Any, **options: Any) -> dict[str, Any]:
        if any(value for name, value in options.items() if name != "adapter"):
            return process(state_dict, cfg, **options)
        return state_dict

    owner.process_weights = staticmethod(unprocessed)
    try:
        yield
    finally:
        owner.process_weights = staticmethod(process)


def _require_hub(name: str, what: str) -> None:
    """ModelError unless the hub answers: huggingface_hub alone would retry for 23 s a file."""
    if constants.HF_HUB_OFFLINE:
        reason = "HF_HUB_OFFLINE is set"
    else:
        try:
            huggingface_hub.get_session().head(constants.ENDPOINT, timeout=5)
        except Exception:  # its HTTP library, and with it the errors, changes between versions
            reason = f"{constants.ENDPOINT} does not answer"
        else:
            return
    raise ModelError(
        f"{name}: its {what} is not in this machine's Hugging Face cache, and {reason}; pass a "
        f"local folder, or run `hf download {name}` where there is a network."
    )


def _unavailable(name: str, error: Exception) -> ModelError:
    reason = str(error).strip().split("\n", maxsplit=1)[0]
    return ModelError(
        f"{name} cannot be had from the hub: {reason} "
        f"Pass a local folder, or try `hf download {name}` (`hf auth login` for a gated model)."
    )
