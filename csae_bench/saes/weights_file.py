"""Checks of an SAE's weights file by its header: the tensors it holds, and their shapes.

No values are read. Imports neither torch nor sae_lens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from csae_bench.errors import SaeError
from csae_bench.saes import architectures
from csae_bench.saes.architectures import architecture_of
from csae_bench.saes.folder import WEIGHTS_FILENAME, is_training_form, missing
from csae_bench.saes.wording import reason, shown
from csae_bench.support.regular_files import check_regular

_FLOATS = ("F32", "F64", "F16", "BF16")
_MOST_NAMED = 6
"""Number of tensors of a kind that a sentence names."""


class Tensor(NamedTuple):
    """Type and shape of a tensor, from the header."""

    dtype: str
    shape: tuple[int, ...]


Header = Mapping[str, Tensor]
"""The tensors of a file by name."""


def check_weights(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of the weights file, after checking its header and length.

    Raises:
        SaeError: it is missing, may not be read, is truncated, or no safetensors file.
    """
    path = folder / WEIGHTS_FILENAME
    try:
        return read_header(path)
    except FileNotFoundError:
        raise missing(path) from None


def read_header(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, after checking its header and length.

    Raises:
        FileNotFoundError: there is none.
        SaeError: it may not be read, is truncated, or no safetensors file.
    """
    try:
        check_regular(path)
        with safe_open(path, framework="numpy") as file:
            return {name: _tensor(file.get_slice(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SaeError(f"{path} cannot be read: {reason(error)}.") from error
    except SafetensorError as error:
        raise SaeError(f"{path} is damaged or no safetensors file: {reason(error)}.") from error


def misfits(cfg: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> list[str]:
    """List the tensors that do not fit a sound cfg.json, each as a clause; empty if all fit.

    A training form may hold more than its architecture asks for: projections, statistics.
    """
    return [*_misfits(dict(cfg), tensors)]


def _misfits(cfg: dict[str, Any], tensors: Mapping[str, Tensor]) -> Iterator[str]:
    is_training = is_training_form(cfg)
    table = architectures.TRAINING if is_training else architectures.INFERENCE
    expected = table.get(architecture_of(cfg))
    if expected is None:  # registered by a user: SAELens will tell
        return
    present: dict[str, str] = {}
    for name in expected:
        names = (name, *architectures.RENAMED.get(name, ()))
        here = next((one for one in names if one in tensors), None)
        if here is not None:
            present[name] = here
    missing = [name for name in expected if name not in present]
    if missing:
        yield f"Missing key(s) {named(missing)}"
    known = {*present.values(), *architectures.ALLOWED_EXTRA}
    extra = [name for name in tensors if name not in known]
    if extra and not is_training:
        yield (
            f"Unexpected key(s) {named(extra)}, of which architecture '{architecture_of(cfg)}' "
            "has none"
        )
    yield from shape_misfits({here: expected[name] for name, here in present.items()}, cfg, tensors)


def shape_misfits(
    expected: Mapping[str, tuple[str, ...]], sizes: Mapping[str, Any], tensors: Header
) -> Iterator[str]:
    """Yield a clause for each tensor of another shape than expected, or without numbers.

    Args:
        expected: names that are among the tensors -> their axes.
        sizes: axis -> its length.
    """
    for name, axes in expected.items():
        shape = tuple(int(sizes[axis]) for axis in axes)
        if tensors[name].shape != shape:
            by = ", ".join(f"{axis}={sizes[axis]}" for axis in dict.fromkeys(axes))
            is_transposed = len(shape) == 2 and tensors[name].shape == shape[::-1]
            yield (
                f"size mismatch for {name}, which is {[*tensors[name].shape]} and must be "
                f"{[*shape]}"
                + (f" by {by}" if by else ", one number")
                + (" (it is transposed)" if is_transposed else "")
            )
        if tensors[name].dtype not in _FLOATS:
            yield f"{name} holds {tensors[name].dtype}; it must hold one of {', '.join(_FLOATS)}"


def _tensor(part: Any) -> Tensor:
    return Tensor(str(part.get_dtype()), tuple(part.get_shape()))


def named(names: list[str]) -> str:
    """Name the first few in a sentence."""
    first = ", ".join(shown(name).strip("'") for name in names[:_MOST_NAMED])
    rest = len(names) - _MOST_NAMED
    return f"{first} and {rest} more" if rest > 0 else first
