"""Does what README.md says, as typed, in the project's folder, and what the pages of docs say in blocks whose kind has "typed"; programs
that they print go into a folder of their own.

    readme.py [--fresh]

It installs into /usr/local and takes the pages' ports: readme.sh gives it a file system and a network of its own. With --fresh, on a
machine that scripts/fresh has made, it types what installs packages, too.
"""

import contextlib
import fnmatch
import os
import pathlib
import platform
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docs/site"))
from markdown_page import PROJECT, Page, all_pages  # noqa: E402

FRESH = sys.argv[1:] == ["--fresh"]
# A machine may be very busy.
PATIENCE = 120
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I", str(PROJECT / "include")]


class Blocks:
    """The blocks of README.md, and those of other pages that are to be typed; each is taken once."""

    def __init__(self):
        self.left = []
        for name, page in all_pages().items():
            for section, kind, text in Page(page).code:
                if name == "README.md" or kind.endswith(" typed"):
                    self.left.append((name, section, kind.removesuffix(" typed"), text))

    def take(self, page, section, kind):
        for index, (*its, text) in enumerate(self.left):
            if its == [page, section, kind]:
                del self.left[index]
                return text
        sys.exit(f"{page}: there is no block of kind {kind!r} left in {section!r}")


class Shell:
    """A block in bash, as a process group of its own; what it prints is shown, and can be waited for."""

    def __init__(self, text, folder):
        print(f"--- in {folder}\n{text}---", flush=True)
        with tempfile.NamedTemporaryFile("w", dir=WORK, delete=False) as script:
            script.write(text)
        self.process = subprocess.Popen(
            ["bash", "-e", script.name], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            print(line, end="", flush=True)
            self.lines.put(line)
        self.lines.put(None)

    def says(self, pattern):
        while (line := self.lines.get(timeout=PATIENCE)) is not None:
            if found := re.search(pattern, line):
                return found
        sys.exit(f"nothing like {pattern!r} was said")

    def types(self, words):
        self.process.stdin.write(words)
        self.process.stdin.flush()

    def ends(self):
        if self.process.wait(PATIENCE) != 0:
            sys.exit(f"the block ended with {self.process.returncode}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def typed(text, folder, answers=""):
    """Runs a block to its good end."""
    run = subprocess.run(["bash", "-exc", text], cwd=folder, input=answers, text=True)
    if run.returncode != 0:
        sys.exit(f"this block ended with {run.returncode}:\n{text}")


def installs(text):
    """The line that is for this release."""
    if FRESH:
        release = platform.freedesktop_os_release()["VERSION_ID"]
        typed("".join(line + "\n" for line in text.splitlines() if f"# Debian {release}" in line or "#" not in line), PROJECT, "y\n")


def cmake_project(name, text, programs):
    """A project with that in its CMakeLists.txt builds; where it goes."""
    folder = WORK / f"{name}-by-cmake"
    folder.mkdir()
    sources = "".join(f"add_executable({program} {source})\n" for program, source in programs.items())
    find, rest = text.split("\n", 1)
    (folder / "CMakeLists.txt").write_text(f"cmake_minimum_required(VERSION 3.16)\nproject({name} LANGUAGES C CXX)\n{find}\n{sources}{rest}")
    typed("cmake -S . -B build && cmake --build build", folder)
    return folder / "build"


def hears_hello(*commands):
    for command in commands:
        said = subprocess.run([command, "ws://127.0.0.1:8080/"], stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout
        print(command, said, sep="\n", flush=True)
        if "message: hello\n" not in said or "closed: 1000" not in said:
            sys.exit(f"{command} did not hear hello")


@contextlib.contextmanager
def server(block):
    with Shell(block, WORK) as shell:
        shell.says(r"^ws://127\.0\.0\.1:8080/$")
        yield
        shell.types("\n")
        shell.ends()


def listens(port):
    """A line of bash that a person need not type, who sees that it listens."""
    return f"timeout {PATIENCE} bash -c 'until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done'\n"


def a_page_and_a_tv(block):
    with Shell(block, PROJECT) as shell:
        shell.says(r"^\(ws://127\.0\.0\.1:8080/chat")
        subprocess.run(["bash", "-c", listens(8000)], check=True)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open("http://127.0.0.1:8000/", timeout=PATIENCE) as page:
            assert b"TV chat" in page.read()
        with socket.create_connection(("127.0.0.1", 8080), PATIENCE) as guest:
            guest.sendall(
                b"GET /chat?name=Ann HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert guest.recv(12) == b"HTTP/1.1 101"
            shell.says("Ann")
        shell.types("/quit\n")
        shell.ends()


def examples(take):
    """Each page comes with a code, which the tool needs as well."""
    page = "docs/examples.md"
    address = r"^http://127\.0\.0\.1:8080/#(\d+)$"

    def shown(title):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open("http://127.0.0.1:8080/", timeout=PATIENCE) as answer:
            assert title in answer.read()

    with Shell(take(page, "A remote control", "sh"), PROJECT) as shell:
        shell.says(address)
        shown(b"TV remote")
        shell.types("louder\n")
        shell.says(r"^1 News .*########")
        shell.process.stdin.close()
        shell.ends()
    with Shell(take(page, "A file drop", "sh"), PROJECT) as shell:
        code = shell.says(address)[1]
        shown(b"File drop")
        typed(take(page, "A file drop", "sh").replace("CODE", code), PROJECT)
        shell.says(r"^README\.md: done")
        shell.process.stdin.close()
        shell.ends()
    assert (PROJECT / "build/release/dropped/README.md").read_bytes() == (PROJECT / "README.md").read_bytes()
    with Shell(take(page, "A price ticker", "sh"), PROJECT) as ticker:
        ticker.says(r"^ws://127\.0\.0\.1:8080/$")
        with Shell(take(page, "A price ticker", "sh"), PROJECT) as client:
            client.says("^open: permessage-deflate")
            client.says("^BOLT ")
        ticker.process.stdin.close()
        ticker.ends()


def certificates_and_proxies(certificates, proxies):
    """Commands that open a connection succeed; each that fails prints the error below it, where "..." stands for anything."""
    apart = proxies.index("\n\n") + 1
    text = certificates + proxies[:apart] + listens(8888) + listens(1080) + proxies[apart:]
    run = subprocess.Popen(
        ["bash", "-c", text], cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )
    promised = re.findall(r"^# (error:.*)$", text, re.MULTILINE)
    opening = len(re.findall(r"^.*\$chat .*$", text, re.MULTILINE)) - len(promised)
    errors, closed = [], 0
    try:
        for line in run.stdout:
            print(line, end="", flush=True)
            closed += line == 'close: code 1000 "", clean\n'
            errors += [line.rstrip("\n")] if line.startswith("error:") else []
            if closed + len(errors) == opening + len(promised):
                break
    finally:
        os.killpg(run.pid, signal.SIGKILL)
    for promise, error in zip(promised, errors):
        if not fnmatch.fnmatchcase(error, re.sub(r"([\[*?])", r"[\1]", promise).replace("...", "*")):
            sys.exit(f"promised: {promise}\ncame: {error}")
    if (closed, len(errors)) != (opening, len(promised)) or not promised:
        sys.exit(f"{closed} connections of {opening}, {len(errors)} errors of {len(promised)}")


def main():
    blocks = Blocks()
    take = blocks.take

    # scripts/fresh types these.
    assert [line.split()[0] for line in take("README.md", "Try it", "indented").splitlines()] == ["scripts/demo", "scripts/test"]

    install, linking = "docs/guide/install.md", "Link a program"
    installs(take(install, "Build and install", "sh"))
    typed(take("README.md", "Build and install", "indented"), PROJECT)

    (WORK / "client.c").write_text(take("README.md", "A program", "c"))
    subprocess.run(["cc", "-std=c99", *STRICT, WORK / "client.c"], check=True)
    typed(take("README.md", "A program", "sh"), WORK)
    typed(take(install, linking, "sh"), WORK)
    with_cmake = cmake_project("client", take(install, linking, "cmake"), {"client": WORK / "client.c"})
    typed(take(install, linking, "sh"), PROJECT)

    everyone = "docs/guide/server.md", "To everyone"
    (WORK / "broadcast.c").write_text(take(*everyone, "c"))
    subprocess.run(["cc", "-std=c99", *STRICT, WORK / "broadcast.c"], check=True)
    serve = take(*everyone, "sh")
    with server(serve):
        hears_hello(WORK / "client", WORK / "client-static", with_cmake / "client")
        subprocess.run([PROJECT / "build/release/chat", "ws://127.0.0.1:8080/"], stdin=subprocess.DEVNULL, check=True)
    a_page_and_a_tv(take(*everyone, "sh"))

    examples(take)

    cpp = "docs/guide/cpp.md", "C++"
    (WORK / "client.cpp").write_text(take(*cpp, "cpp"))
    subprocess.run(["c++", "-std=c++17", *STRICT, WORK / "client.cpp"], check=True)
    typed(take(*cpp, "sh"), WORK)
    with server(serve):
        hears_hello(WORK / "client-cpp")

    replacing = "docs/guide/openharmony.md", "In place of NetStack's libraries"
    typed(take(*replacing, "sh"), PROJECT)
    hello = PROJECT / "tests/package"
    surfaces = {"app": hello / "hello_ndk.c", "service": hello / "hello_innerkit.cpp"}
    made = cmake_project("surfaces", take(*replacing, "cmake"), surfaces)
    for program in surfaces:
        subprocess.run([made / program], check=True)

    identity = "docs/guide/tls.md", "Certificates to try"
    proxies = "docs/guide/proxies.md", "Proxies to try"
    installs(take(*identity, "sh"))
    installs(take(*proxies, "sh"))
    certificates_and_proxies(take(*identity, "bash"), take(*proxies, "bash"))

    if blocks.left:
        sys.exit(f"Nobody types this: {blocks.left}")
    print("README and docs do what they say.")


with tempfile.TemporaryDirectory(prefix="nsws-readme-") as work:
    WORK = pathlib.Path(work)
    main()
