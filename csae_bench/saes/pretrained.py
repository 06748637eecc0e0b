"""SAEs of SAELens's directory of pretrained SAEs, named `RELEASE:SAE_ID`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub.errors import HfHubHTTPError
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory
from sae_lens.saes.sae import SAE

from csae_bench.errors import SaeError, did_you_mean


def is_pretrained_name(source: str | Path) -> bool:
    """Whether it has the form RELEASE:SAE_ID and is no folder that exists."""
    return isinstance(source, str) and ":" in source and not Path(source).exists()


def load_pretrained(name: str, *, device: str) -> SAE[Any]:
    """The SAE called `RELEASE:SAE_ID`, in float32, from the hub or its cache on this machine.

    RELEASE may be a repository of the hub, `owner/name`, and SAE_ID a folder in it.

    Raises:
        SaeError: the directory does not have it, or it cannot be downloaded.
    """
    release, sae_id = name.split(":", 1)
    check_listed(release, sae_id)
    try:
        return SAE.from_pretrained(release, sae_id, device=device)
    except (OSError, HfHubHTTPError) as error:
        raise SaeError(
            f"{name} is neither in the Hugging Face cache of this machine nor can it be "
            f"downloaded: {_first_line(error)}"
        ) from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise SaeError(f"{name} cannot be loaded: {_first_line(error)}") from error


def check_listed(release: str, sae_id: str) -> None:
    """Raises SaeError where SAELens knows of no such SAE; needs no network."""
    directory = get_pretrained_saes_directory()
    if release not in directory:
        if "/" in release:
            return
        raise SaeError(
            f"SAELens's directory of pretrained SAEs has no release '{release}'."
            f"{did_you_mean(release, directory)} It has {len(directory)}; a repository of the hub "
            "is written OWNER/NAME:FOLDER."
        )
    ids = directory[release].saes_map
    if sae_id not in ids:
        raise SaeError(
            f"Release '{release}' has no SAE '{sae_id}'.{did_you_mean(sae_id, ids)} "
            f"It has {len(ids)}, such as {', '.join(list(ids)[:3])}."
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
