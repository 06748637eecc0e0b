"""Tensors of a torch file, of which no code is run and no more is read than was announced."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csae_bench.errors import SaeError
from csae_bench.saes.wording import reason, shown
from csae_bench.support.regular_files import MIB, check_regular

if TYPE_CHECKING:
    import torch

_WITHOUT_TENSORS = MIB
"""Bytes of a file that may be no tensor."""


def archive_problems(path: Path, *, at_most: int) -> list[str]:
    """Describe why a file cannot be what `torch.save` writes; nothing in it is unpickled.

    Args:
        at_most: bytes of its tensors.

    Raises:
        FileNotFoundError: there is none.
    """
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except FileNotFoundError:
        raise
    except OSError as error:
        return [f"{path} cannot be read: {reason(error)}."]
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return [
            f"{path} is damaged, or no file of torch.save in its form since torch 1.6; save its "
            "state_dict again."
        ]
    if not any(part.filename.endswith("/data.pkl") for part in parts):
        return [f"{path} is a zip archive without data.pkl, and so no file of torch.save."]
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        return [f"{path} is compressed, as torch.save never does; save its state_dict again."]
    size = sum(part.file_size for part in parts)
    if size > at_most + _WITHOUT_TENSORS:
        return [
            f"{path} holds {size / MIB:,.1f} MiB; an SAE of these sizes has at most "
            f"{at_most / MIB:,.1f} MiB."
        ]
    return []


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read a state_dict with torch's `weights_only`, which unpickles tensors and runs no code.

    Raises:
        SaeError: it holds something else, or is damaged.
    """
    import torch

    try:
        values: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SaeError(
            f"{path} holds more than tensors ({_first_reason(error)}); csae-bench reads torch "
            "files with weights_only alone, which runs no code in them. Save its state_dict."
        ) from error
    except (OSError, RuntimeError, ValueError, TypeError, LookupError, EOFError) as error:
        raise SaeError(f"{path} is damaged: {reason(error)}.") from error
    if not isinstance(values, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in values.items()
    ):
        raise SaeError(
            f"{path} holds a {type(values).__name__}; it must hold a state_dict: tensors by name."
        )
    odd = [n for n, value in values.items() if value.layout != torch.strided or value.is_quantized]
    if odd:
        raise SaeError(f"{path}: {shown(odd[0])} is sparse or quantized; it must be dense.")
    return values


def _first_reason(error: Exception) -> str:
    """Return what weights_only refused, out of torch's page of advice."""
    lines = [line.strip() for line in str(error).splitlines()]
    named = [line for line in lines if "Unsupported" in line or "GLOBAL" in line]
    return shown((named or lines or [type(error).__name__])[0]).strip("'")
