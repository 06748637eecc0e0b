"""The shells' completion, on click's machinery.

click's own scripts lose what follows a comma in fish and put a space after a folder or a key; these
do not.
"""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)
from typing_extensions import override

from csae_bench.cli.terminal import COMPLETE

_BASH = """\
# csae-bench completion for bash; in ~/.bashrc:  eval "$(csae-bench completion bash)"
%(complete_func)s() {
    local IFS=$'\\n' type value
    COMPREPLY=()
    while IFS=',' read -r type value; do
        [[ -n $value ]] || continue
        [[ $value == *[=./] ]] && compopt -o nospace
        [[ $value == *[[:space:]]* ]] && printf -v value '%%q' "$value"
        COMPREPLY+=("$value")
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
%(complete_var)s=bash_complete "${1/#\\~/$HOME}" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s
# csae-bench completion for zsh; in ~/.zshrc, after compinit:  eval "$(csae-bench completion zsh)"
%(complete_func)s() {
    local -a response whole begun keys
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
%(complete_var)s=zsh_complete ${words[1]} 2>/dev/null)}")
    for value in ${response}; do
        [[ -n "$value" ]] || continue
        case "$value" in
            *=) keys+=("$value") ;;
            *[./]) begun+=("$value") ;;
            *) whole+=("$value") ;;
        esac
    done
    (( $#keys )) && compadd -U -Q -V unsorted -S '' -a keys
    (( $#begun )) && compadd -U -V unsorted -S '' -a begun
    (( $#whole )) && compadd -U -V unsorted -a whole
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
# csae-bench completion for fish:
#   csae-bench completion fish > ~/.config/fish/completions/csae-bench.fish
function %(complete_func)s
    env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) \
(commandline -opc)[1] 2>/dev/null
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Bash(BashComplete):
    source_template = _BASH

    @override
    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        # readline makes three words of --sae=topk
        if args and args[-1] == "=":
            args.pop()
        return args, "" if incomplete == "=" else incomplete


class _OfWholeWord(ShellComplete):
    """For shells that replace the whole word, of `--sae=topk` the option too."""

    @override
    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        option, equals, _ = incomplete.partition("=")
        items = super().get_completions(args, incomplete)
        if not equals or not option.startswith("--"):
            return items
        return [CompletionItem(f"{option}={item.value}", item.type, item.help) for item in items]


class _Zsh(_OfWholeWord, ZshComplete):
    source_template = _ZSH

    @override
    def format_completion(self, item: CompletionItem[Any]) -> str:
        return str(item.value)


class _Fish(_OfWholeWord, FishComplete):
    source_template = _FISH

    @override
    def format_completion(self, item: CompletionItem[Any]) -> str:
        return f"{item.value}\t{item.help}" if item.help else str(item.value)


_SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def register_shells() -> None:
    """Make click answer the shells in the form that these scripts read."""
    for name, shell in _SHELLS.items():
        add_completion_class(shell, name)


def script(shell: str, command: click.Command) -> str:
    """Return the script that makes a shell complete a command's words."""
    return _SHELLS[shell](command, {}, "csae-bench", COMPLETE).source()
