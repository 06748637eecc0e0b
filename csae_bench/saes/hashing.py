"""Hashes of an SAE's weights and configuration, on which results are keyed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from csae_bench.errors import SaeError
from csae_bench.saes.folder import CFG_FILENAME, WEIGHTS_FILENAME, find_folder
from csae_bench.saes.foreign import foreign_form
from csae_bench.saes.wording import reason
from csae_bench.support.hashes import kept_hash

if TYPE_CHECKING:
    from csae_bench.saes.attributes import AnySae

_CHUNK = 1 << 20


def weights_hash(folder: Path) -> str:
    """Hash the folder's weights and cfg.json, byte for byte: SHA-256, as 64 hex digits.

    Of a checkpoint of ours it is that of its inference form, of another library's folder or file
    that of the files which its form names. Imports no torch, so that a run with nothing to do
    stays fast.

    Raises:
        SaeError: one of the files is missing.
    """
    folder = find_folder(folder)
    form = foreign_form(folder)
    paths = (
        [folder / name for name in (WEIGHTS_FILENAME, CFG_FILENAME)]
        if form is None
        else [*form.files(folder)]
    )

    def read() -> str:
        digest = hashlib.sha256()
        for path in paths:
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        return digest.hexdigest()

    try:
        return kept_hash("sae 1", paths, read)
    except OSError as error:
        path = error.filename or folder
        raise SaeError(f"{path} cannot be read: {reason(error)}.") from error


def loaded_hash(sae: AnySae) -> str:
    """Hash an SAE in memory, one without a folder of the user's: SHA-256, as 64 hex digits.

    Covers the weights and the configuration without its device and metadata. It differs from
    `weights_hash` of the folder that the SAE could be saved to.
    """
    import torch

    from csae_bench.saes import attributes

    described = attributes.config_dict(sae)
    config = {k: v for k, v in described.items() if k not in ("device", "metadata")}
    # str: types and functions of somebody's configuration, which JSON has not
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(attributes.tensors(sae).items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
