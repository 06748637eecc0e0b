"""Expands patterns of `--sae`: folders by a glob, or ids of a release."""

from __future__ import annotations

import glob
import re
from fnmatch import fnmatchcase
from pathlib import Path

from csae_bench.config.loading import is_config
from csae_bench.errors import UsageError
from csae_bench.saes.folder import CFG_FILENAME, is_array_file

_MAGIC = re.compile(r"[*?]|\[[^\]]+\]")
"""Characters that make a source a pattern."""


def expanded(sources: tuple[str, ...]) -> tuple[str, ...]:
    """Return each source once, a pattern as what it matches, sorted.

    Raises:
        UsageError: a pattern matches nothing.
    """
    names = [one for source in sources for one in _expanded(source)]
    return tuple(dict.fromkeys(names))


def _expanded(source: str) -> list[str]:
    if not _MAGIC.search(source) or is_config(source) or Path(source).is_dir():
        return [source]
    release, colon, pattern = source.partition(":")
    if colon and not _MAGIC.search(release):
        return _of_release(release, pattern)
    places = sorted(path for path in glob.glob(source, recursive=True) if _is_place(Path(path)))
    if not places:
        raise UsageError(
            f"--sae {source}: no folder matches this pattern. Quote it, and name folders of SAEs, "
            "such as 'checkpoints/*/*', or files of bare arrays, such as 'saes/*.npz'."
        )
    return places


def _is_place(path: Path) -> bool:
    """Test for a folder, or a file of bare arrays that is not a part of one."""
    if path.is_dir():
        return True
    return is_array_file(path) and not (path.parent / CFG_FILENAME).exists()


def _of_release(release: str, pattern: str) -> list[str]:
    from csae_bench.saes.pretrained import ids_of

    ids = ids_of(release)
    matching = [f"{release}:{name}" for name in ids if fnmatchcase(name, pattern)]
    if not matching:
        raise UsageError(
            f"--sae {release}:{pattern}: none of the release's {len(ids)} SAEs matches, such as "
            f"{release}:{ids[0]}."
        )
    return matching
