"""The commands of csae-bench with their arguments and options, from click."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from csae_bench.cli.main import main


class Option(NamedTuple):
    """An option of a command."""

    names: str
    metavar: str
    about: str


class Command(NamedTuple):
    """A command, or a command of a group."""

    name: str
    usage: str
    about: str
    options: list[Option]


def commands() -> list[Command]:
    """Return all commands in the order in which the help lists them."""
    return list(_commands(main, click.Context(main, info_name="csae-bench")))


def _commands(group: click.Group, context: click.Context) -> Iterator[Command]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        own = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _commands(command, own)
        else:
            yield _command(command, own)


def _command(command: click.Command, context: click.Context) -> Command:
    return Command(
        name=context.command_path,
        usage=command.get_usage(context).removeprefix("Usage: "),
        about=inspect.cleandoc(command.help or ""),
        options=[_option(one, context) for one in command.params if isinstance(one, click.Option)],
    )


def _option(option: click.Option, context: click.Context) -> Option:
    shown: dict[str, Any] = option.to_info_dict()
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    metavar = "" if option.is_flag else option.make_metavar(context)
    about = str(shown["help"] or "")
    if option.show_default and shown["default"] is not None:
        default = option.opts[0][2:] if shown["default"] is True else str(shown["default"])
        about = f"{about} Default: `{default}`."
    return Option(names, metavar, about)
