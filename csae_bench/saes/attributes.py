"""Attributes that csae-bench reads from an SAE in memory, whatever library it is from.

Required are `encode`, `decode` and `W_dec` [d_sae, d_in], as in SAE-Bench's own custom SAEs; what
SAELens's SAEs have beyond that is read here and nowhere else, and has a value where it is missing.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from csae_bench.errors import SaeError

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


@runtime_checkable
class AnySae(Protocol):
    """An SAE: one of SAELens, or any module with these."""

    @property
    def W_dec(self) -> Tensor:
        """The decoder, [d_sae, d_in]."""
        ...

    def encode(self, x: Tensor, /) -> Tensor:
        """Codes [..., d_sae] of activations [..., d_in]."""
        ...

    def decode(self, feature_acts: Tensor, /) -> Tensor:
        """Reconstructions [..., d_in] of codes [..., d_sae]."""
        ...


def check_sae(sae: Any) -> None:
    """Check that it has what every eval needs.

    Raises:
        SaeError: names the attribute that is missing or of another kind.
    """
    for name in ("encode", "decode"):
        if not callable(getattr(sae, name, None)):
            raise SaeError(
                f"The SAE ({kind(sae)}) has no method '{name}'; csae-bench needs encode, decode "
                "and W_dec [d_sae, d_in]."
            )
    decoder = matrix(sae, "W_dec", needed_by="csae-bench")
    for name, width, axis in (("d_sae", decoder.shape[0], 0), ("d_in", decoder.shape[1], 1)):
        said = stated(sae, name)
        if said is not None and said != width:
            raise SaeError(
                f"The SAE ({kind(sae)}) has cfg.{name}={said!r}, and W_dec is "
                f"{[*decoder.shape]}: axis {axis} must be {name}."
            )


def matrix(sae: Any, name: str, *, needed_by: str) -> Tensor:
    """`W_dec` or `W_enc`.

    Raises:
        SaeError: there is none, or it is no matrix.
    """
    shape = {"W_dec": "[d_sae, d_in]", "W_enc": "[d_in, d_sae]"}[name]
    value = getattr(sae, name, None)
    if value is None:
        raise SaeError(
            f"The SAE ({kind(sae)}) has no attribute '{name}'; {needed_by} needs it: a tensor "
            f"{shape}."
        )
    if not isinstance(value, Tensor) or value.ndim != 2:
        what = [*value.shape] if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise SaeError(
            f"The SAE ({kind(sae)}) has '{name}' as {what}; {needed_by} needs a tensor {shape}."
        )
    if not value.is_floating_point():
        raise SaeError(
            f"The SAE ({kind(sae)}) has '{name}' of {value.dtype}; it must hold floating-point "
            "numbers."
        )
    return value


def config(sae: Any) -> Any:
    """Return its `cfg`; None where it has none."""
    return getattr(sae, "cfg", None)


def stated(sae: Any, name: str) -> Any:
    """Return a field of its `cfg`, an object or a mapping; None where it does not say."""
    cfg = config(sae)
    return cfg.get(name) if isinstance(cfg, Mapping) else getattr(cfg, name, None)


def kind(sae: Any) -> str:
    """Return the name of its class."""
    return type(sae).__name__


def d_in(sae: Any) -> int:
    """Return the width of the activations it reads."""
    width = stated(sae, "d_in")
    return int(matrix(sae, "W_dec", needed_by="csae-bench").shape[1] if width is None else width)


def d_sae(sae: Any) -> int:
    """Return the number of its latents."""
    width = stated(sae, "d_sae")
    return int(matrix(sae, "W_dec", needed_by="csae-bench").shape[0] if width is None else width)


def device(sae: Any) -> torch.device:
    """Return the device of its weights."""
    # not its own `device` and `dtype` first: a module's `to` leaves those behind
    decoder = getattr(sae, "W_dec", None)
    return decoder.device if isinstance(decoder, Tensor) else torch.device(sae.device)


def dtype(sae: Any) -> torch.dtype:
    """Return the type of its weights."""
    decoder = getattr(sae, "W_dec", None)
    return decoder.dtype if isinstance(decoder, Tensor) else sae.dtype


def encode(sae: Any, acts: Tensor) -> Tensor:
    """Encode activations of any device and type, on the SAE's."""
    return sae.encode(acts.to(device=device(sae), dtype=dtype(sae)))


def d_head(sae: Any, model: HookedTransformer) -> int | None:
    """Width of a head where the SAE joins the heads of hook_z itself; None where it does not."""
    return int(model.cfg.d_head) if getattr(sae, "hook_z_reshaping_mode", False) else None


def metadata(sae: Any, name: str) -> Any:
    """Return what its `cfg.metadata` or `cfg` says of the model; None if nothing."""
    inner = stated(sae, "metadata")
    value = inner.get(name) if isinstance(inner, Mapping) else getattr(inner, name, None)
    return stated(sae, name) if value is None else value


def fill_metadata(sae: Any, **values: Any) -> None:
    """Write them to `cfg.metadata`, in which SAELens and SAE-Bench look; without one, nowhere."""
    of_sae = stated(sae, "metadata")
    if of_sae is not None and not isinstance(of_sae, Mapping):
        for name, value in values.items():
            setattr(of_sae, name, value)


def architecture(sae: Any) -> str:
    """Return its architecture's name, or that of its class."""
    name = stated(sae, "architecture")
    name = name() if callable(name) else name
    return name if isinstance(name, str) and name else kind(sae)


def training_architecture(sae: Any) -> str:
    """Return the architecture it was trained as, say BatchTopK for one that infers as JumpReLU."""
    return metadata(sae, "training_architecture") or architecture(sae)


def normalize_activations(sae: Any) -> str:
    """Return how it normalizes its input; `none` where it does not say."""
    return stated(sae, "normalize_activations") or "none"


def config_dict(sae: Any) -> dict[str, Any]:
    """Return its configuration; without one, what the weights tell."""
    cfg = config(sae)
    if callable(getattr(cfg, "to_dict", None)):
        return dict(cfg.to_dict())
    if isinstance(cfg, Mapping):
        fields = dict(cfg)
    elif dataclasses.is_dataclass(cfg) and not isinstance(cfg, type):
        fields = dataclasses.asdict(cfg)
    else:
        fields = dict(vars(cfg)) if hasattr(cfg, "__dict__") else {}
    known = {"architecture": architecture(sae), "d_in": d_in(sae), "d_sae": d_sae(sae)}
    return {**known, **copy.copy(fields)}


def tensors(sae: Any) -> dict[str, Tensor]:
    """Return its weights by name."""
    if isinstance(sae, nn.Module):
        return dict(sae.state_dict())
    held = vars(sae) if hasattr(sae, "__dict__") else {}
    by_name = {name: value for name, value in held.items() if isinstance(value, Tensor)}
    return by_name or {"W_dec": sae.W_dec}
