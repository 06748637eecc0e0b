"""Any model as a HookedTransformer, with weights exactly as published."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained import weight_conversions

from csae_bench.errors import ModelError, reason_of
from csae_bench.models.architectures import ARCHITECTURES
from csae_bench.models.description import model_shape
from csae_bench.models.hub import load_from_hub
from csae_bench.models.layout import store_as_multiplied
from csae_bench.models.names import resolve
from csae_bench.models.tokenizers import check_tokenization, read_tokenizer

_FOUND_BY_TRANSFORMERS = (OSError, ValueError, StrictDataclassError, SafetensorError)
_STUMBLED_OVER_BY_TRANSFORMERS = (TypeError, AttributeError, KeyError)
"""What it raises for a setting of config.json that it has no check for."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load(name_or_path: str, *, device: str = "cpu", dtype: str = "float32") -> HookedTransformer:
    """Load the model as a HookedTransformer in evaluation mode, with its tokenizer.

    Weights are not processed (no folding, no centring), so logits and residual stream are the
    published model's. `model.cfg.model_name` is the true name. `to_tokens` puts exactly one `<bos>`
    first unless called with `prepend_bos=False`.

    Raises UnknownNameError for an unknown name, ModelError for everything that keeps a
    known model from being loaded.
    """
    model = resolve(name_or_path)
    shape = model_shape(model)
    torch_dtype = _checked_dtype(dtype)
    _check_device(device)
    with _without_deprecation_of_hooked_transformer():
        if model.path is None:
            hooked = load_from_hub(model.name, device=device, dtype=torch_dtype)
            hooked.cfg.model_name = model.name  # transformer-lens drops the organisation
        else:
            fields = {**shape, "model_name": model.name, "device": device, "dtype": torch_dtype}
            hooked = _load_from_folder(model.path, fields)
    store_as_multiplied(hooked)
    return hooked.eval()


def load_published(
    name_or_path: str, *, device: str = "cpu", dtype: str = "float32"
) -> transformers.PreTrainedModel:
    """Load transformers' own form of the model, in evaluation mode and without gradients.

    Raises UnknownNameError for an unknown name, ModelError for a model that cannot be loaded, or
    that is in memory as a HookedTransformer alone.
    """
    model, torch_dtype = resolve(name_or_path), _checked_dtype(dtype)
    _check_device(device)
    if model.kind == "memory":
        raise ModelError(f"{model.name} is in memory; transformers' form of it is not known.")
    model_shape(model)  # its files, made and checked
    if model.path is not None:
        published = _read_published_model(model.path, torch_dtype)
    else:
        try:
            with quiet_transformers():
                published = transformers.AutoModelForCausalLM.from_pretrained(
                    model.name, dtype=torch_dtype, attn_implementation="eager"
                )
        except _FOUND_BY_TRANSFORMERS as error:
            reason = " ".join(reason_of(error).split())
            raise ModelError(f"{model.name}: transformers cannot load it: {reason}.") from error
    return published.requires_grad_(False).to(device).eval()  # pyright: ignore[reportArgumentType]


def _load_from_folder(folder: Path, fields: dict[str, Any]) -> HookedTransformer:
    """HookedTransformer.from_pretrained fails on paths: this is what it does for a name."""
    cfg = HookedTransformerConfig.from_dict(fields)
    published = _read_published_model(folder, cfg.dtype)
    hooked = HookedTransformer(cfg, read_tokenizer(folder, cfg.d_vocab), move_to_device=False)
    check_tokenization(hooked, folder)
    convert = getattr(weight_conversions, ARCHITECTURES[fields["original_architecture"]].converter)
    weights = hooked.fill_missing_keys(convert(published, cfg))
    del published  # its tensors are views of the files; each is let go once it is taken over
    _take_over(hooked, weights, torch.device(fields["device"]))
    hooked.move_model_modules_to_device()
    return hooked


def _take_over(
    hooked: HookedTransformer, weights: dict[str, torch.Tensor], device: torch.device
) -> None:
    """Give the model its weights one by one, so that memory holds them about once.

    HookedTransformer.load_and_process_state_dict holds all of them in float32 meanwhile, four
    times a bfloat16 model. Tensors keep the published order in memory, mostly that of
    `store_as_multiplied`.
    """
    parameters = dict(hooked.named_parameters())
    for name in list(weights):
        given, parameter = weights.pop(name), parameters.get(name)
        if parameter is not None:  # else a buffer, which the model made itself
            assert given.shape == parameter.shape, f"{name}: {given.shape}, not {parameter.shape}"
            parameter.data = given.detach().to(device=device, dtype=parameter.dtype, copy=True)


def _read_published_model(folder: Path, dtype: torch.dtype) -> transformers.PreTrainedModel:
    """Read transformers' model; ModelError unless config and weights fit each other exactly.

    transformers itself fills missing weights with random ones and drops those it has no use for,
    with nothing but a warning.
    """
    try:
        with quiet_transformers():
            loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                attn_implementation="eager",
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below, in words
            )
    except (*_FOUND_BY_TRANSFORMERS, *_STUMBLED_OVER_BY_TRANSFORMERS) as error:
        reason = " ".join(reason_of(error).split())
        raise ModelError(f"{folder}: transformers cannot load it: {reason}.") from error
    model, report = loaded
    for finding, words in (
        ("mismatched_keys", "has another shape in the weights than in config.json"),
        ("missing_keys", "is missing in the weights, and config.json asks for it"),
        ("unexpected_keys", "is in the weights, and config.json has no place for it"),
    ):
        names = sorted(report[finding], key=str)
        if names:
            first = names[0]
            name = f"{first[0]} {list(first[1])}" if isinstance(first, tuple) else first
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise ModelError(
                f"{folder}: {name} {words}{more}; use the config.json that belongs to the weights."
            )
    return model


def _checked_dtype(dtype: str) -> torch.dtype:
    if dtype not in DTYPES:
        raise ModelError(f"dtype is '{dtype}'; it must be one of {', '.join(DTYPES)}.")
    return DTYPES[dtype]


def _check_device(device: str) -> None:
    try:
        parsed = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"device is '{device}'; it must be cpu, cuda, cuda:N or mps.") from error
    available = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if (parsed.index or 0) >= available.get(parsed.type, 0):
        here = [f"{kind} ({count})" for kind, count in available.items() if count]
        raise ModelError(f"device is '{device}'; torch finds here only {', '.join(here)}.")


@contextlib.contextmanager
def quiet_transformers() -> Generator[None]:
    """Keep transformers' bar and report off stderr: what matters of them becomes an error."""
    log = transformers.utils.logging
    verbosity, has_bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if has_bar:
            log.enable_progress_bar()


@contextlib.contextmanager
def _without_deprecation_of_hooked_transformer() -> Generator[None]:
    """Hide that version 4 drops HookedTransformer, which SAELens and SAE-Bench need."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "HookedTransformer", DeprecationWarning)
        yield
