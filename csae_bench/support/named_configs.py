"""Names and folder of the configurations that csae-bench brings; importing this is cheap."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_SHIPPED = _PACKAGE / "_sae_configs"


def config_folder() -> Path:
    """Return the folder of named configurations: inside a wheel, or at the top of a checkout."""
    return _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parent / "sae_configs"


def config_names() -> list[str]:
    """Return the names that `--sae` takes, sorted."""
    return sorted(p.stem for p in config_folder().glob("*.yaml") if not p.stem.startswith("_"))
