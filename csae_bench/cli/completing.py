"""Values that the shell's completion offers; nothing here may take longer than a keystroke.

A completion runs the command line anew. Names that only heavy imports know, such as the keys of
`--set`, come from `completion_names`, which keeps them between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

Completer = Callable[[click.Context, click.Parameter, str], list[str]]

_SAE_FILES = frozenset({".yaml", ".yml", ".npz", ".safetensors", ".pt"})


def saes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return names of configurations, folders, and files that may be an SAE."""
    return [*_named_configs(incomplete), *_paths(incomplete, _SAE_FILES)]


def configs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return names of configurations, folders and YAML files."""
    return [*_named_configs(incomplete), *_paths(incomplete, {".yaml", ".yml"})]


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return names of models, and folders."""
    from csae_bench.cli.completion_names import names

    return [*_beginning(incomplete, names()["models"]), *_paths(incomplete, ())]


def evals(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the list so far with each eval that it does not have yet."""
    from csae_bench.cli.completion_names import names

    before, comma, begun = incomplete.rpartition(",")
    taken = before.split(",") if comma else []
    there = [*names()["evals"], *([] if taken else ["all"])]
    return [f"{before}{comma}{name}" for name in _beginning(begun, there) if name not in taken]


def presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return names of presets."""
    from csae_bench.evals.presets import PRESETS

    return _beginning(incomplete, PRESETS)


def devices(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return kinds of devices."""
    return _beginning(incomplete, ("auto", "cpu", "cuda", "mps"))


def settings(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return keys of the configuration, one level at a time: `sae.`, then `sae.k=`."""
    from csae_bench.cli.completion_names import names

    level = incomplete.count(".")
    offered: dict[str, None] = {}
    for key in _beginning(incomplete, names()["set"]):
        parts = key.split(".")
        is_whole = len(parts) == level + 1
        offered[".".join(parts[: level + 1]) + ("=" if is_whole else ".")] = None
    return list(offered)


def metrics(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return evals, and after an eval's name and a dot its values."""
    from csae_bench.cli.completion_names import names

    there = _beginning(incomplete, names()["metrics"])
    in_evals = [name for name in there if "." in name]
    evals = [name for name in there if "." not in name]
    return in_evals if "." in incomplete else [*evals, *(in_evals if len(evals) == 1 else ())]


def architectures(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return names of architectures."""
    from csae_bench.cli.completion_names import names

    return _beginning(incomplete, names()["architectures"])


def kinds(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return what `csae-bench list` lists, as its help names it."""
    return _beginning(incomplete, (param.metavar or "").strip("[]").split("|"))


def paths(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return files and folders; folders alone where the option takes one."""
    return list(_paths(incomplete, () if param.metavar == "DIR" else None))


def _named_configs(incomplete: str) -> list[str]:
    from csae_bench.support.named_configs import config_names

    return _beginning(incomplete, config_names())


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _paths(incomplete: str, endings: Iterable[str] | None) -> Iterator[str]:
    """Yield folders, with a `/`, and files of these endings, None: all; hidden ones if begun."""
    before, slash, begun = incomplete.rpartition("/")
    try:
        there = sorted(Path(f"{before}{slash}" or ".").expanduser().iterdir())
    except (OSError, RuntimeError):  # RuntimeError: the home of nobody
        return
    for path in there:
        if not path.name.startswith(begun) or (path.name[0] == "." and not begun):
            continue
        name = f"{before}{slash}{path.name}"
        if path.is_dir():
            yield f"{name}/"
        elif endings is None or path.suffix in endings:
            yield name
