"""`csae-bench completion`: prints what a shell needs to complete csae-bench's words."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script: of commands, options, and names of SAEs, evals, metrics.

    \b
    Examples:
      eval "$(csae-bench completion bash)"       in ~/.bashrc
      eval "$(csae-bench completion zsh)"        in ~/.zshrc, after compinit
      csae-bench completion fish > ~/.config/fish/completions/csae-bench.fish
    """
    from csae_bench.cli.shells import script

    click.echo(script(shell, ctx.find_root().command), nl=False)
