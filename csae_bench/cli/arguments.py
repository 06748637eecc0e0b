"""Types of the command line's arguments, which reject empty or impossible values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from csae_bench.cli import completing
from csae_bench.support.regular_files import impossible_path

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Text(click.ParamType):  # pyright: ignore[reportMissingTypeArgument] (generic since 8.4)
    """A non-empty text that is valid as a file name: a name, a path, a pretrained id."""

    name = "text"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not text.strip():
            self.fail("it is empty; name something, or leave the option out.", param, ctx)
        problem = impossible_path(text)
        if len(text.splitlines()) > 1:
            problem = "holds the end of a line, which no name does"
        if problem is not None:
            shown = text if len(text) <= 60 else f"{text[:60]}..."
            self.fail(f"'{shown}' {problem}.", param, ctx)
        return text


class FilePath(Text):
    """A `Text` that is converted to a path."""

    name = "path"

    @override
    def convert(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        # in --results=~/here no shell has replaced the ~
        return Path(super().convert(os.fspath(value), param, ctx)).expanduser()

    @override
    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(path) for path in completing.paths(ctx, param, incomplete)]


class NameList(Text):
    """Names separated by commas, at least one, none twice."""

    name = "names"

    @override
    def convert(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):  # converted already
            return value
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",")))
        if not any(names):
            self.fail(
                f"'{value}' names none; write names separated by commas, such as core,mig, or all.",
                param, ctx,
            )  # fmt: skip
        return tuple(super(NameList, self).convert(name, param, ctx) for name in names if name)
