"""`csae-bench init`: a commented configuration to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from csae_bench.cli import completing
from csae_bench.cli.arguments import FilePath, Text
from csae_bench.cli.terminal import shown_path
from csae_bench.errors import UsageError, reason_of
from csae_bench.support.printable import printable

if TYPE_CHECKING:
    from csae_bench.config import RunConfig

_LIKE: tuple[str, ...] = ("custom_sae", "gemma_2_2b", "smollm2")
"""What a model's configuration starts from: the first one that is for this model, else the last."""


class _Flags(NamedTuple):
    model: str | None
    architecture: str | None
    d_sae: int | None
    k: int | None


@click.command()
@click.argument("name", type=FilePath(), metavar="NAME")
@click.option(
    "--like",
    type=Text(),
    metavar="NAME|PATH",
    shell_complete=completing.configs,
    help="Configuration to start from; without it custom_sae, or one that suits --model.",
)
@click.option(
    "--model",
    type=Text(),
    metavar="NAME|PATH",
    shell_complete=completing.models,
    help="Language model: a name of `csae-bench list models` or of the hub, or a local folder.",
)
@click.option(
    "--architecture",
    type=Text(),
    metavar="NAME",
    shell_complete=completing.architectures,
    help="Architecture of the SAE, such as topk; without it that of the configuration.",
)
@click.option("--d-sae", type=click.IntRange(min=1), metavar="N", help="Number of latents.")
@click.option("--k", type=click.IntRange(min=1), metavar="N", help="Active latents per row.")
@click.option(
    "--all",
    "all_keys",
    is_flag=True,
    help="Write every key, those that have their default as well.",
)
def init(
    name: Path,
    like: str | None,
    model: str | None,
    architecture: str | None,
    d_sae: int | None,
    k: int | None,
    all_keys: bool,
) -> None:
    """Write a commented configuration, NAME.yaml in this folder, to change and to run.

    Each key has a comment that says what it is. NAME may be a path; a file that is there is never
    overwritten. The last line of stdout is the file's path.

    \b
    Examples:
      csae-bench init my_sae
      csae-bench init my_topk --like topk --d-sae 2048 --k 32
      csae-bench init my_gpt2 --model gpt2
    """  # fmt: skip
    from csae_bench.config.loading import load_config

    path = _path(name)
    base = load_config(like or _suiting(model, architecture))
    config = _changed(base.config, path, _Flags(model, architecture, d_sae, k))
    _write(path, _text(path.stem, base.name, config, all_keys=all_keys))
    click.echo(shown_path(path))
    source = shlex.quote(str(path))
    click.echo(f"next: csae-bench doctor --sae {printable(source)}  (what would fail)", err=True)
    click.echo(f"then: csae-bench run --sae {printable(source)}", err=True)


def _path(name: Path) -> Path:
    """Return where the file goes.

    Raises:
        UsageError: something is there, or one of csae-bench's own configurations has this name.
    """
    from csae_bench.support.named_configs import config_names

    path = name if name.suffix in (".yaml", ".yml") else name.with_name(f"{name.name}.yaml")
    if path.stem in config_names():
        raise UsageError(
            f"'{path.stem}' is the name of a configuration of csae-bench's own, and their SAEs "
            f"would have one name: choose another, such as my_{path.stem}."
        )
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists and is left as it is: choose another name, or remove it.")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}. Make it, or choose another.")
    return path


def _changed(base: RunConfig, path: Path, flags: _Flags) -> RunConfig:
    """Return a configuration with what the flags change, checked.

    Raises:
        UsageError: there is no such architecture, or it has no such size.
        ConfigError: what comes of it is wrong.
    """
    from csae_bench.config.writing import checked, raw_of, with_architecture

    raw = raw_of(base)
    if flags.architecture is not None:
        raw = with_architecture(raw, flags.architecture)
    if flags.model is not None and flags.model != base.model:
        raw |= {"model": flags.model, "hook_name": None}  # the hook is of the other model
    sae = checked(raw, path).sae
    fields = type(sae).model_fields
    for size, value in (("d_sae", flags.d_sae), ("k", flags.k)):
        if value is None:
            continue
        if size not in fields:
            raise UsageError(
                f"--{size.replace('_', '-')}: the architecture '{sae.architecture}' has "
                f"no {size}; its settings are {', '.join(fields)}."
            )
        raw["sae"] = {**raw.get("sae", {}), size: value}
    return checked(raw, path)


def _suiting(model: str | None, architecture: str | None) -> str:
    """Return the configuration of our own that is nearest to what is asked for."""
    from csae_bench.config.loading import load_config
    from csae_bench.support.named_configs import config_names

    names = list(_LIKE)
    if (
        architecture is not None and architecture in config_names()
    ):  # it has the coefficients that suit it
        names.insert(0, architecture)
    models = {name: load_config(name).config.model for name in names}
    wanted = models[_LIKE[0]] if model is None else model
    return next((name for name in names if models[name] == wanted), _LIKE[-1])


def _text(name: str, base: str, config: RunConfig, *, all_keys: bool) -> str:
    from csae_bench.config.writing import config_text
    from csae_bench.evals import get_eval

    evals: dict[str, Any] = {}
    for eval_name, settings in config.evals.items():
        spec = get_eval(eval_name)
        evals[eval_name] = spec.summary, spec.config.model_validate(settings)
    rest = "" if all_keys else " Keys that are not here have their defaults; --all writes them too."
    head = f"{name}: written by `csae-bench init` from {base}.{rest}"
    return config_text(config, head=head, evals=evals, all_keys=all_keys)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {reason_of(error)}.") from error
