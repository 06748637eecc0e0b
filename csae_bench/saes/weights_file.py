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


def check_weights(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of the weights file, after checking its header and length.

    Raises:
        SaeError: it is missing, may not be read, is truncated, or no safetensors file.
    """
    path = folder / WEIGHTS_FILENAME
    try:
        check_regular(path)
        with safe_open(path, framework="numpy") as file:
            return {name: _tensor(file.get_slice(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise missing(path) from None
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
        yield f"Missing key(s) {_named(missing)}"
    known = {*present.values(), *architectures.ALLOWED_EXTRA}
    extra = [name for name in tensors if name not in known]
    if extra and not is_training:
        yield (
            f"Unexpected key(s) {_named(extra)}, of which architecture '{architecture_of(cfg)}' "
            "has none"
        )
    for name, here in present.items():
        shape = tuple(int(cfg[size]) for size in expected[name])
        if tensors[here].shape != shape:
            sizes = ", ".join(f"{size}={cfg[size]}" for size in dict.fromkeys(expected[name]))
            yield (
                f"size mismatch for {here}, which is {[*tensors[here].shape]} and must be "
                f"{[*shape]} by {sizes}"
            )
        if tensors[here].dtype not in _FLOATS:
            yield f"{here} holds {tensors[here].dtype}; it must hold one of {', '.join(_FLOATS)}"


def _tensor(part: Any) -> Tensor:
    return Tensor(str(part.get_dtype()), tuple(part.get_shape()))


def _named(names: list[str]) -> str:
    first = ", ".join(shown(name).strip("'") for name in names[:_MOST_NAMED])
    rest = len(names) - _MOST_NAMED
    return f"{first} and {rest} more" if rest > 0 else first
