"""Conversion of another library's tensors to SAELens's, and what keeps them from fitting.

Importing this imports neither torch nor sae_lens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csae_bench.errors import SaeError
from csae_bench.saes.architectures import INFERENCE
from csae_bench.saes.foreign.form import Layout
from csae_bench.saes.weights_file import Header, Tensor, named, shape_misfits

if TYPE_CHECKING:
    import torch

_NAMES = {"float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16"}
"""Type of torch or numpy -> its name in safetensors."""


def layout_misfits(
    layout: Layout,
    cfg: Mapping[str, Any],
    tensors: Header,
    *,
    ignored: Collection[str] = (),
) -> Iterator[str]:
    """Yield what keeps tensors from fitting a layout, a clause each.

    Args:
        cfg: has `d_in` and `d_sae`.
        ignored: names of tensors that may be there and have no effect.
    """
    missing = [name for name in layout if name not in tensors]
    if missing:
        yield f"Missing key(s) {named(missing)}"
    extra = [name for name in tensors if name not in layout and name not in ignored]
    if extra:
        yield f"Unexpected key(s) {named(extra)}"
    present = {name: part.axes for name, part in layout.items() if name in tensors}
    yield from shape_misfits(present, cfg, tensors)


def converted(
    layout: Layout, cfg: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Rename and transpose tensors that fit the layout; one number becomes one for each latent."""
    return {
        part.ours: _arranged(
            tensors[name], part.axes, INFERENCE[cfg["architecture"]][part.ours], cfg
        )
        for name, part in layout.items()
    }


def _arranged(
    tensor: torch.Tensor, axes: tuple[str, ...], wanted: tuple[str, ...], cfg: Mapping[str, Any]
) -> torch.Tensor:
    if axes == wanted:
        return tensor.contiguous()
    if not axes:
        return tensor.expand(tuple(cfg[axis] for axis in wanted)).contiguous()
    return tensor.T.contiguous()


def header_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, Tensor]:
    """Return types and shapes, as the header of a safetensors file has them."""
    return {
        name: Tensor(type_name(str(tensor.dtype).removeprefix("torch.")), tuple(tensor.shape))
        for name, tensor in tensors.items()
    }


def type_name(dtype: str) -> str:
    """Return safetensors's name of a floating-point type; of another type its own name."""
    return _NAMES.get(dtype, dtype)


def dtype_of(name: str) -> str:
    """Return the type that safetensors calls `name`, by torch's name; float32 if none."""
    return next((dtype for dtype, short in _NAMES.items() if short == name), "float32")


def check_fit(path: Path, problems: list[str], settings: str) -> None:
    """Raise for tensors that do not fit.

    Raises:
        SaeError: there is a problem.
    """
    if problems:
        raise SaeError(f"{path}: weights do not fit {settings}: {'; '.join(problems)}.")
