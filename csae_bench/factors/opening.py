"""Factor datasets by name, and by path."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from csae_bench.corpora.files import file_stamps, sha256
from csae_bench.errors import DataError, PluginError, UnknownNameError
from csae_bench.factors.dataset import FactorDataset, FactorSplit
from csae_bench.factors.files import SUFFIXES, read_factors
from csae_bench.factors.registry import code_of, factor_names, get_factors
from csae_bench.support import old_names

AUTO = "auto"
"""The factor dataset that suits the model."""


def chosen_factors(name_or_path: str, model: str | None) -> str:
    """Return what `auto` stands for: tinyworld for its own model, English for any other.

    Args:
        model: name or path of the language model; None: there is none, and `auto` is `synthetic`.

    Raises:
        UnknownNameError: there is no such model.
    """
    if name_or_path != AUTO:
        return name_or_path
    if model is None:
        return "synthetic"
    from csae_bench.models.names import resolve

    return "tinyworld" if resolve(model).kind == "tinyworld" else "english"


def needs_model(name_or_path: str) -> bool:
    """Test whether a dataset has prompts; a synthetic model has activations."""
    if name_or_path in factor_names():
        return get_factors(name_or_path).has_prompts
    return not Path(name_or_path).expanduser().is_dir()


def open_factors(name_or_path: str, *, split: FactorSplit = "test", seed: int = 0) -> FactorDataset:
    """Open the factor dataset of a name, a .csv or .jsonl file, or a saved synthetic model.

    Args:
        name_or_path: a name of `csae-bench list factors`; a file, see `files.read_factors`; or a
            folder that SAELens's `SyntheticModel.save` wrote.
        seed: of random draws; files draw nothing at random.

    Raises:
        UnknownNameError: there is no dataset of this name.
        DataError: what the path names is missing or malformed.
    """
    name_or_path = old_names.value_of("factors", name_or_path)
    split = old_names.value_of("split", split)
    if name_or_path in factor_names():
        return get_factors(name_or_path).make(split, seed)
    _check_path(name_or_path)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        from csae_bench.factors.datasets.synthetic import load_synthetic

        return load_synthetic(path, split=split, seed=seed)
    return read_factors(path, split)


def factor_status(name_or_path: str) -> tuple[Literal["ok", "problem"], str]:
    """Check a factor dataset as far as possible without a model; files are read completely."""
    try:
        if name_or_path in factor_names():
            return "ok", get_factors(name_or_path).summary
        _check_path(name_or_path)
        if Path(name_or_path).expanduser().is_dir():
            return "ok", f"{name_or_path}: a synthetic model"
        dataset = read_factors(name_or_path)
    except (DataError, PluginError, UnknownNameError) as error:
        return "problem", str(error)
    return "ok", f"{name_or_path}: {dataset.n} texts, factors {', '.join(dataset.names)}"


def factor_fingerprint(name_or_path: str) -> str:
    """Return a fingerprint that changes with the dataset, as far as visible without reading it.

    For a named dataset it covers the code that makes it, tinyworld's included, and all code of an
    installed package; for a path the files' names, sizes and times of change (none if missing).
    """
    if name_or_path in factor_names():
        here = Path(__file__).parent
        folders = (here / "datasets", here.parent / "tinyworld")
        code = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
        parts = [f"{path.relative_to(here.parent)} {sha256(path.read_bytes())}" for path in code]
        package, files = code_of(name_or_path)
        if package:
            parts += [package, *(f"{file.name} {sha256(file.read_bytes())}" for file in files)]
    else:
        path = Path(name_or_path).expanduser()
        files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
        parts = file_stamps(files)
    return sha256("\n".join([name_or_path, *parts]).encode())


def _check_path(name_or_path: str) -> None:
    """Distinguish a wrong name from a wrong path."""
    path = Path(name_or_path).expanduser()
    looks_like_a_path = name_or_path.startswith((".", "~", "/")) or path.suffix in SUFFIXES
    if not path.exists():
        if looks_like_a_path:
            raise DataError(f"{name_or_path}: there is no such file or folder.")
        raise UnknownNameError("factor dataset", name_or_path, factor_names())
    if path.is_dir() and not (path / "synthetic_model_config.json").is_file():
        raise DataError(
            f"{name_or_path}: is a folder without synthetic_model_config.json; name a "
            f"{' or '.join(SUFFIXES)} file, or a folder that SAELens's SyntheticModel.save wrote."
        )
