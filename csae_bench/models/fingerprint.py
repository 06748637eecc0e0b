"""A model's identity by content, for keying results."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from csae_bench.models.folders import TOKENIZER_FILES, check_tokenizer_files, weight_files
from csae_bench.models.hf_config import read_hf_config
from csae_bench.models.names import prepare, resolve
from csae_bench.support import progress
from csae_bench.support.hashes import WORTH_BYTES, kept_hash

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


def weights_fingerprint(name_or_path: str) -> str:
    """SHA-256, in hex, of a model's config, weights and tokenizer files; of a hub model, its name.

    A folder that has not changed is not read again. Its own name and the files around the model do
    not enter. A hub name stays the same before and after its download, so a result keyed on it is
    found again; that its weights stay the same is the hub's promise.
    """
    model = resolve(name_or_path)
    if model.path is None:
        return model.name
    prepare(model)
    read_hf_config(model.path)
    check_tokenizer_files(model.path)
    tokenizer = [model.path / name for name in TOKENIZER_FILES if (model.path / name).is_file()]
    paths = [model.path / "config.json", *tokenizer, *weight_files(model.path)]

    def read() -> str:
        total = hashlib.sha256()
        for path in paths:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.name} {content}\n".encode())
        return total.hexdigest()

    def said() -> str:
        if sum(path.stat().st_size for path in paths) < WORTH_BYTES:
            return read()
        with progress.during(f"hashing the files of {model.name}"):
            return read()

    return kept_hash("model 1", paths, said)


def loaded_fingerprint(model: HookedTransformer) -> str:
    """Return the SHA-256, in hex, of the configuration and weights of a model in memory."""
    import torch

    total = hashlib.sha256(repr(sorted(model.cfg.to_dict().items(), key=str)).encode())
    for name, tensor in sorted(model.state_dict().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        total.update(flat.view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
