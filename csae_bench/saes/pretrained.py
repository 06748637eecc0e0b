"""SAEs of SAELens's directory of pretrained SAEs, named `RELEASE:SAE_ID`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from sae_lens.loading.pretrained_sae_loaders import load_sae_config_from_huggingface
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
from sae_lens.saes.sae import SAE

from csae_bench.errors import SaeError, did_you_mean
from csae_bench.saes.folder import CFG_FILENAME, local_place, read_json
from csae_bench.saes.kinds import pretrained_refusal, refusal
from csae_bench.saes.wording import reason, shown


def is_pretrained_name(source: str | Path) -> bool:
    """Test whether it has the form RELEASE:SAE_ID and is no folder that exists."""
    return isinstance(source, str) and ":" in source and local_place(source) is None


def load_pretrained(name: str, *, device: str) -> SAE[Any]:
    """Load the SAE called `RELEASE:SAE_ID`, in float32, from the hub or its local cache.

    RELEASE may be a repository of the hub, `owner/name`, and SAE_ID a folder in it.

    Raises:
        SaeError: the directory does not have it, it is of a kind that cannot be judged, or it
            cannot be downloaded.
    """
    release, sae_id = name.split(":", 1)
    check_listed(release, sae_id)
    try:
        # before the weights, which may be gigabytes
        _check_kind(name, load_sae_config_from_huggingface(release, sae_id, device=device))
        return SAE.from_pretrained(release, sae_id, device=device)
    except (OSError, HfHubHTTPError) as error:
        raise SaeError(
            f"{name} is neither in the Hugging Face cache of this machine nor can it be "
            f"downloaded: {reason(error)}."
        ) from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise SaeError(f"{name} cannot be loaded: {reason(error)}.") from error


def ids_of(release: str) -> list[str]:
    """Return the ids of a release's SAEs, in the order of SAELens's directory.

    Raises:
        SaeError: the directory does not have the release.
    """
    directory = get_pretrained_saes_directory()
    if release not in directory:
        raise SaeError(
            f"SAELens's directory of pretrained SAEs has no release {shown(release)}."
            f"{did_you_mean(release[:200], directory)} It has {len(directory)}; a pattern of ids "
            "takes one of them."
        )
    return list(directory[release].saes_map)


def check_listed(release: str, sae_id: str) -> None:
    """Check what is known of a pretrained SAE without a network.

    Its cfg.json is read if it is in the Hugging Face cache.

    Raises:
        SaeError: SAELens's directory does not have it, or it is of a kind that cannot be judged.
    """
    directory = get_pretrained_saes_directory()
    if release not in directory:
        if "/" in release:
            _check_cached(f"{release}:{sae_id}", release, sae_id)
            return
        raise SaeError(
            f"SAELens's directory of pretrained SAEs has no release {shown(release)}."
            f"{did_you_mean(release[:200], directory)} It has {len(directory)}; a repository of "
            "the hub is written OWNER/NAME:FOLDER."
        )
    ids = directory[release].saes_map
    if sae_id not in ids:
        raise SaeError(
            f"Release '{release}' has no SAE {shown(sae_id)}.{did_you_mean(sae_id[:200], ids)} "
            f"It has {len(ids)}, such as {', '.join(list(ids)[:3])}."
        )
    entry, folder = directory[release], ids[sae_id]
    refused = pretrained_refusal(entry.conversion_func, folder)
    if refused:
        raise SaeError(f"{release}:{sae_id}: {refused}.")
    if entry.conversion_func is None:
        _check_cached(f"{release}:{sae_id}", entry.repo_id, folder)


def _check_cached(name: str, repo_id: str, folder: str) -> None:
    """Check the kind by cfg.json, if it was downloaded before."""
    try:
        path = try_to_load_from_cache(repo_id, f"{folder}/{CFG_FILENAME}")
        cfg = read_json(Path(path)) if isinstance(path, str) else None
    except (HFValidationError, OSError, ValueError):  # loading it tells
        return
    if isinstance(cfg, dict):
        _check_kind(name, cfg)


def _check_kind(name: str, cfg: dict[str, Any]) -> None:
    refused = refusal(cfg)
    if refused:
        raise SaeError(f"{name}: {refused}.")
