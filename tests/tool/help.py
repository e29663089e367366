"""Help fits a screen, and a mistake gets a sentence and exit code 2.

    help.py NSWS
"""

import re

from support import nsws

ROWS, COLUMNS = 24, 80
COMMANDS = "connect send listen echo chat bench ping cert explain".split()


def help_of_each_command_fits_a_screen():
    for command in COMMANDS:
        text = nsws(command, "--help").expect(0, rf"^usage: nsws {command} .*URL|PORT|CODE").out
        fits(command, text)
        assert nsws("help", command).expect(0).out == text
        assert nsws(command, "-h", "--no-such-option").expect(0).out == text


def other_help_fits_a_screen():
    for topic in ("connecting", "serving", "exits"):
        fits(topic, nsws("help", topic).expect(0).out)
    overview = nsws("--help").expect(0).out
    fits("overview", overview)
    assert nsws("help").expect(0).out == overview == nsws().expect(2).err
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", overview, re.M), command


def fits(what, text):
    lines = text.splitlines()
    assert len(lines) < ROWS, f"{what}: {len(lines)} lines, and the prompt needs one"
    for line in lines:
        assert len(line) < COLUMNS, f"{what}: {line}"


def a_mistake_gets_a_sentence():
    for arguments, sentence in (
        (["fly"], r"^nsws: no such command: fly; see nsws --help$"),
        (["help", "fly"], r"^nsws: there is no help about fly; see"),
        (["send"], r"^nsws send: missing: URL"),
        (["connect", "ws://a/", "b"], r"^nsws connect: too many arguments: b;"),
        (["send", "ws://a/", "--fly"], r"^nsws send: there is no option --fly; see nsws send --help$"),
        (["send", "ws://a/", "-Z"], r"^nsws send: there is no option -Z;"),
        (["echo", "1", "--proxy", "x"], r"^nsws echo: there is no option --proxy;"),
        (["send", "ws://a/", "--replies"], r"^nsws send: a value is missing after --replies;"),
        (["send", "ws://a/", "--binary=1"], r"^nsws send: this option takes no value: --binary=1;"),
        (["send", "ws://a/", "--replies", "many"], r'^nsws send: wrong value for --replies: "many";'),
        (["ping", "ws://a/", "--interval", "1d"], r'^nsws ping: wrong value for --interval: "1d";'),
        (["ping", "ws://a/", "--interval=-1"], r'^nsws ping: wrong value for --interval: "-1";'),
        (["ping", "ws://a/", "--interval=99999999h"], r"wrong value for --interval"),
        (["send", "ws://a/", "--max-size", "0"], r"wrong value for --max-size"),
        (["send", "ws://a/", "--max-size", "99999999999G"], r"wrong value for --max-size"),
        (["send", "ws://a/", "-H", "no colon"], r'wrong value for --header: "no colon"'),
        (["send", "ws://a/", "-H", "bad name: x"], r"^nsws: ws://a/: .*header"),
        (["send", "ws://a/", "--pin", "sha1//x"], r"^nsws: ws://a/: .*pin"),
        (["send", "ws://a/", "--proxy", "ftp://x"], r'wrong value for --proxy: "ftp://x"'),
        (["send", "ws://a/", "--proxy", "x:0"], r'wrong value for --proxy: "x:0"'),
        (["send", "ws://a/", "--color", "red"], r'wrong value for --color: "red"'),
        (["send", "ws://a/", "--ca", "/no/such/file"], r"^nsws: ws://a/: .*/no/such/file"),
        (["send", "ws://a/", "--file", "/no/such/file"], r"^nsws: can't read /no/such/file: No such file"),
        (["send", "ws://a/", "--file", "/"], r"^nsws: can't send /: it is a directory"),
        (["send", "ws://a/", "x", "--file", "y"], r"^nsws send: either messages or --file"),
        (["send", "http://user:secret@a/", "x"], r"^nsws: http://a/: .*scheme"),
        (["echo", "port"], r'^nsws echo: "port" is neither PORT nor ADDRESS:PORT'),
        (["echo", "127.0.0.1:"], r"is neither PORT nor ADDRESS:PORT"),
        (["echo", ":8080"], r"is neither PORT nor ADDRESS:PORT"),
        (["echo", "65536"], r"is neither PORT nor ADDRESS:PORT"),
        (["cert", "ws://a/"], r"^nsws cert: a ws:// server has no certificates; give a wss:// URL or HOST:PORT$"),
        (["cert", "a", "--insecure"], r"^nsws cert: --insecure would leave nothing to check$"),
        (["cert", "a", "--json", "--pem"], r"^nsws cert: either --json or --pem$"),
        (["explain", "17"], r'^nsws: "17" is not an error code; "nsws explain all" lists'),
        (["explain", "1006"], r'^nsws: "1006" is not an error code \(close codes such as 1006 are in RFC 6455, section 7\.4\); '),
        (["explain", "5000"], r'^nsws: "5000" is not an error code; '),
    ):
        said = nsws(*arguments).expect(2, err=sentence)
        assert said.out == "" and said.err.count("\n") == 1 and "secret" not in said.err, said.err


def the_version_is_the_library_s():
    found = nsws("--version").expect(0, r"^nsws \d+\.\d+\.\d+ \(library ").out
    version = re.match(r"nsws (\S+) \(library (\S+), ABI \d+; line editing: (libedit|none)\)$", found)
    assert version[1] == version[2], found


if __name__ == "__main__":
    help_of_each_command_fits_a_screen()
    other_help_fits_a_screen()
    a_mistake_gets_a_sentence()
    the_version_is_the_library_s()
