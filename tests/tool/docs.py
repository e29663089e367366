"""docs/errors.md has a page for each code of the header, and nsws prints it; man page and completions are what they are made of.

    docs.py NSWS
"""

import re
import shutil
import subprocess
import sys

from support import NSWS, ROOT, nsws

HEADER = (ROOT / "include" / "netstack_websocket.h").read_text()
PAGE = (ROOT / "docs" / "errors.md").read_text()


def codes_of_the_header():
    return {name: number for name, number in re.findall(r"^#define (NSWS_(?:OK|(?:ERR|DETAIL)_\w+)) (\d+)$", HEADER, re.M)}


def every_code_has_a_section():
    sections = re.findall(r"^## (\S+) \((\d+)\)$", PAGE, re.M)
    assert len(sections) == PAGE.count("\n## ")
    assert dict(sections) == codes_of_the_header(), set(sections) ^ set(codes_of_the_header().items())


def every_section_has_its_three_parts():
    for section in re.split(r"^## ", PAGE, flags=re.M)[1:]:
        parts = re.findall(r"^\*\*(.*)\.\*\* \S", section, re.M)
        assert parts == ["Cause", "Look at", "Do"], f"{section.splitlines()[0]}: {parts}"


def nsws_explains_every_code():
    for name, number in codes_of_the_header().items():
        page = nsws("explain", number).expect(0, rf"^{name} \({number}\)$").out
        for part in ("Cause", "Look at", "Do"):
            assert f"\n\n{part}. " in page, page
        assert "`" not in page and "**" not in page, page
        assert all(len(line) < 80 for line in page.splitlines()), page
        assert nsws("explain", name.lower()).expect(0).out == page
    assert nsws("explain", "Cert_Issuer").expect(0).out == nsws("explain", "2302959").expect(0).out
    assert len(nsws("explain", "all").expect(0).out.splitlines()) == len(codes_of_the_header())


def names_in_the_page_exist():
    """Of functions, options, members and codes that the page speaks of."""
    help_text = "".join(nsws("help", topic).expect(0).out for topic in ("connecting", "serving", "send"))
    for name in set(re.findall(r"`(nsws_\w+)\(\)`|`(NSWS_[A-Z_]+)`", PAGE)):
        name = name[0] or name[1]
        assert name in HEADER + (ROOT / "CMakeLists.txt").read_text() + (ROOT / "tool" / "options.c").read_text(), name
    for option in set(re.findall(r"nsws (--[a-z-]+)", PAGE)):
        assert option in help_text, option


def man_page_and_completions_are_made_of_the_program():
    subprocess.run([sys.executable, str(ROOT / "tool" / "generate.py"), NSWS, "--check"], check=True)
    made = ROOT / "tool"
    for kind, *fields in (line.split("\t") for line in nsws("help", "--table").expect(0).out.splitlines()):
        if kind == "option":
            name = fields[1]
            for path in ("nsws.1", "completions/nsws.bash", "completions/_nsws", "completions/nsws.fish"):
                text = (made / path).read_text().replace("\\-", "-")
                assert re.search(rf"(--|-l ){name}\b", text), f"{path} lacks {name}"


def other_programs_can_read_them():
    made = ROOT / "tool"
    for tool, command in (
        ("groff", ["groff", "-man", "-ww", "-z", "-Tutf8", made / "nsws.1"]),
        ("bash", ["bash", "-n", made / "completions/nsws.bash"]),
        ("zsh", ["zsh", "-n", made / "completions/_nsws"]),
        ("fish", ["fish", "-n", made / "completions/nsws.fish"]),
    ):
        if shutil.which(tool):
            said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            assert said.returncode == 0 and said.stdout == "", said.stdout


def bash_completes():
    script = """
        . "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _nsws
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    for words, wanted in ((["nsws", "ex"], ["explain"]), (["nsws", "bench", "--wi"], ["--window"]), (["nsws", "explain", "--p"], [""]),
                          (["nsws", "send", "--color", "al"], ["always"]), (["nsws", "help", "ex"], ["explain", "exits"])):
        command = ["bash", "-c", script, "-", str(ROOT / "tool" / "completions" / "nsws.bash"), *words]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout[:-1].split("\n")
        assert found == wanted, f"{words}: {found}"


if __name__ == "__main__":
    every_code_has_a_section()
    every_section_has_its_three_parts()
    nsws_explains_every_code()
    names_in_the_page_exist()
    man_page_and_completions_are_made_of_the_program()
    other_programs_can_read_them()
    bash_completes()
