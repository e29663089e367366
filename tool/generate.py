"""Makes the man page and the completions of nsws, of what the program itself says of its commands and options.

    generate.py NSWS             writes tool/nsws.1 and tool/completions
    generate.py NSWS --check     ends with 1 where they differ from what it would write
"""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BASH = """\
# Completion of nsws for bash. Made by tool/generate.py.

_nsws() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
  if [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "@COMMANDS@ help --help --version" -- "$word")
    return
  fi
  case $before in
    @FILES@)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --color)
      mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$word")
      return
      ;;
  esac
  case ${COMP_WORDS[1]} in
@CASES@
    help) words="@COMMANDS@ connecting serving exits" ;;
    *) words= ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _nsws nsws
"""
ZSH = """\
#compdef nsws
# Completion of nsws for zsh. Made by tool/generate.py.

_nsws() {
  local -a commands
  commands=(
@COMMANDS@
    'help:Help on a command, or on connecting, serving, exits'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
@CASES@
    help) _values topic @NAMES@ connecting serving exits ;;
  esac
}
_nsws "$@"
"""


def table(program):
    """The lines of `nsws help --table`, by kind."""
    kinds = {"command": [], "option": [], "exit": []}
    for line in subprocess.run([program, "help", "--table"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        kind, *fields = line.split("\t")
        kinds[kind].append(fields)
    return kinds


class Option:
    def __init__(self, letter, name, value, text, commands, groups):
        self.letter, self.name, self.value, self.text = letter, name, value, text
        self.commands, self.groups = commands.split(), groups.split()

    def words(self):
        return ([f"-{self.letter}"] if self.letter else []) + [f"--{self.name}"]

    def takes_file(self):
        return self.value == "FILE"


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def man_option(option):
    words = ", ".join(f"\\fB{roff(word)}\\fR" for word in option.words())
    value = f" \\fI{roff(option.value)}\\fR" if option.value else ""
    # Those of a group have their commands in its heading.
    where = "" if option.groups else f"\n({', '.join(option.commands)})"
    if not option.groups and len(option.commands) >= 8:
        where = ""
    return f".TP\n{words}{value}\n{roff(option.text[0].upper() + option.text[1:])}.{where}"


def man_page(commands, options, exits):
    parts = {
        "SYNOPSIS": "\n.br\n".join(f".B nsws {name}\n[\\fIOPTIONS\\fR] {roff(operands)}" for name, operands, *_ in commands),
        "COMMANDS": "\n".join(
            f".TP\n.B {name} \\fR{roff(operands)}\n{roff(text)}\n{roff(more)}" for name, operands, text, more in commands
        ),
        "OPTIONS": "\n".join(man_option(it) for it in options if not it.groups),
        "CONNECTING": "\n".join(man_option(it) for it in options if "connecting" in it.groups),
        "SERVING": "\n".join(man_option(it) for it in options if "serving" in it.groups),
        "EXITS": "\n".join(f".TP\n.B {code}\n{roff(text)}" for code, text in exits),
    }
    return fill((HERE / "nsws.1.in").read_text(), parts)


def fill(template, parts):
    for name, text in parts.items():
        template = template.replace(f"@{name}@", text)
    return template


def of(command, options):
    return [it for it in options if command in it.commands]


def bash(commands, options, _):
    files = sorted({word for it in options if it.takes_file() for word in it.words()})
    cases = "\n".join(
        f'    {name}) words="{" ".join(word for it in of(name, options) for word in it.words())}" ;;' for name, *_ in commands
    )
    return fill(BASH, {"COMMANDS": " ".join(name for name, *_ in commands), "FILES": " | ".join(files), "CASES": cases})


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_option(option):
    text = option.text.replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    action = ""
    if option.value:
        kind = "_files" if option.takes_file() else "(auto always never)" if option.value == "WHEN" else ""
        value = option.value.replace(":", "\\:").replace("'", "")
        action = f":{value}:{kind}"
    return " ".join(quote(f"{word}[{text}]{action}") for word in option.words())


def zsh(commands, options, _):
    cases = "\n".join(
        f"    {name})\n      _arguments \\\n"
        + "".join(f"        {zsh_option(it)} \\\n" for it in of(name, options))
        + f"        {quote('*:' + operands.replace(':', chr(92) + ':') + ':')}\n      ;;"
        for name, operands, *_ in commands
    )
    described = "\n".join("    " + quote(f"{name}:{text.replace(':', chr(92) + ':')}") for name, _, text, _ in commands)
    names = " ".join(name for name, *_ in commands)
    return fill(ZSH, {"COMMANDS": described, "NAMES": names, "CASES": cases})


def fish(commands, options, _):
    lines = ["# Completion of nsws for fish. Made by tool/generate.py.", "", "complete -c nsws -f"]
    for name, _, text, _ in commands:
        lines.append(f"complete -c nsws -n __fish_use_subcommand -a {name} -d {quote(text)}")
    lines.append("complete -c nsws -n __fish_use_subcommand -a help -d 'Help on a command, or on connecting, serving, exits'")
    for it in options:
        letter = f" -s {it.letter}" if it.letter else ""
        value = (" -r -F" if it.takes_file() else " -x") if it.value else ""
        value += " -a 'auto always never'" if it.value == "WHEN" else ""
        seen = quote(f"__fish_seen_subcommand_from {' '.join(it.commands)}")
        lines.append(f"complete -c nsws -n {seen}{letter} -l {it.name}{value} -d {quote(it.text)}")
    return "\n".join(lines) + "\n"


MADE = {"nsws.1": man_page, "completions/nsws.bash": bash, "completions/_nsws": zsh, "completions/nsws.fish": fish}


def main(program, check):
    kinds = table(program)
    options = [Option(*fields) for fields in kinds["option"]]
    for name, make in MADE.items():
        text = make(kinds["command"], options, kinds["exit"])
        if not check:
            (HERE / name).write_text(text)
        elif (HERE / name).read_text() != text:
            sys.exit(f"tool/{name} is not what the program says of itself: run tool/generate.py {program}")


if __name__ == "__main__":
    main(sys.argv[1], "--check" in sys.argv[2:])
