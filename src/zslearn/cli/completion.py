"""Completion of commands, options and choices for bash, zsh and fish, made from the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

SHELLS: Final = ("bash", "zsh", "fish")


class _Command(NamedTuple):
    """What can be said after a command: a name of "" stands for no command yet."""

    name: str
    help: str
    options: tuple[_Option, ...]
    choices: tuple[str, ...]


class _Option(NamedTuple):
    """An option, the words that may follow it, and whether anything has to."""

    names: tuple[str, ...]
    help: str
    choices: tuple[str, ...]
    takes_value: bool


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that completes a parser's words; whatever it does not know is completed as a file.

    Args:
        parser: The parser, with or without commands below it.
        shell: One of ``SHELLS``.
    """
    commands = list(_commands(parser))
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](parser.prog, commands)


def _commands(parser: argparse.ArgumentParser) -> Iterator[_Command]:
    yield _Command("", "", _options(parser), ())
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: _first_line(choice.help) for choice in action._choices_actions}
            for name, below in action.choices.items():
                choices = [
                    str(word) for each in below._actions if not each.option_strings for word in each.choices or ()
                ]
                yield _Command(name, helps.get(name, ""), _options(below, below=True), tuple(choices))


def _options(parser: argparse.ArgumentParser, *, below: bool = False) -> tuple[_Option, ...]:
    """Return a parser's options, with those of the parsers below it on demand; each once."""
    found: dict[_Option, None] = {}
    for action in parser._actions:
        if below and isinstance(action, argparse._SubParsersAction):
            found |= dict.fromkeys(option for each in action.choices.values() for option in _options(each, below=True))
        elif action.option_strings and action.help != argparse.SUPPRESS:
            choices = tuple(map(str, action.choices or ()))
            option = _Option(tuple(action.option_strings), _first_line(action.help), choices, action.nargs != 0)
            found[option] = None
    return tuple(found)


def _first_line(text: str | None) -> str:
    return " ".join((text or "").replace("%%", "%").split())


def _bash(program: str, commands: Sequence[_Command]) -> str:
    cases, after = [], []
    for command in commands:
        flags = [name for option in command.options for name in option.names]
        first = [each.name for each in commands if each.name] if not command.name else command.choices
        cases.append(
            f"        {_quoted(command.name)}) words={_quoted(' '.join(first))}; flags={_quoted(' '.join(flags))} ;;"
        )
        after += [
            f"        {'|'.join(_quoted(f'{command.name} {name}') for name in option.names)})"
            f" words={_quoted(' '.join(option.choices))}; only=1 ;;"
            for option in command.options
            if option.choices
        ]
    return f"""\
# bash completion of {program}: source <({program} --print-completion bash)
_{program}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command= words= flags= only=
    local word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in -*) ;; *) command=$word; break ;; esac
    done
    case $command in
{_lines(cases)}
    esac
    [[ $current == -* ]] && words=$flags
    case "$command $previous" in
{_lines(after)}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ -z $only && $current != -* && -n $command ]]; then
        # The bash of macOS has neither compopt nor mapfile: there, folders get no slash.
        compopt -o filenames 2>/dev/null
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
    fi
}}
complete -F _{program} {program}
"""


def _zsh(program: str, commands: Sequence[_Command]) -> str:
    named = [command for command in commands if command.name]
    described = [f"        {_quoted(f'{command.name}:{_colons(command.help)}')}" for command in named]
    cases = []
    for command in commands:
        words = [f"{_quoted(_zsh_option(option, name))}" for option in command.options for name in option.names]
        rest = f'\'*:word:_alternative "words:word:({" ".join(command.choices)})" "files:file:_files"\''
        if command.name:
            cases.append(f"        {command.name}) _arguments {' '.join(words)} {rest} ;;")
    top = " ".join(_quoted(_zsh_option(option, name)) for option in commands[0].options for name in option.names)
    return f"""\
#compdef {program}
# zsh completion of {program}: source <({program} --print-completion zsh)
_{program}() {{
    local -a commands
    commands=(
{_lines(described)}
    )
    if (( CURRENT == 2 )); then
        _describe -t commands command commands
        _arguments {top}
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{_lines(cases)}
    esac
}}
compdef _{program} {program}
"""


def _zsh_option(option: _Option, name: str) -> str:
    text = f"{name}[{option.help.replace('[', '(').replace(']', ')')}]"
    if option.choices:
        return f"{text}:choice:({' '.join(option.choices)})"
    return f"{text}:value:_files" if option.takes_value else text


def _fish(program: str, commands: Sequence[_Command]) -> str:
    lines = []
    for command in commands:
        where = f"-n '__{program}_command_is {command.name}'" if command.name else "-n __fish_use_subcommand"
        if command.name:
            lines.append(
                f"complete -c {program} -n __fish_use_subcommand -f -a {command.name} -d {_fish_quoted(command.help)}"
            )
        if command.choices:
            lines.append(f"complete -c {program} {where} -a {_fish_quoted(' '.join(command.choices))}")
        for option in command.options:
            flags = " ".join(f"-{'l' if name.startswith('--') else 's'} {name.lstrip('-')}" for name in option.names)
            value = f" -x -a {_fish_quoted(' '.join(option.choices))}" if option.choices else " -r" * option.takes_value
            lines.append(f"complete -c {program} {where} {flags}{value} -d {_fish_quoted(option.help)}")
    return f"""\
# fish completion of {program}: {program} --print-completion fish | source
function __{program}_command_is
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        string match -q -- '-*' $word; and continue
        test "$word" = $argv[1]
        return
    end
    return 1
end
{_lines(lines)}
"""


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Quote for bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _colons(text: str) -> str:
    return text.replace(":", ";")
