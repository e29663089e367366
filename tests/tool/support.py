"""What the tests of nsws share: running it, as a command, as a server and on a terminal, and the schema of its events."""

import ctypes
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from ports import held_port  # noqa: E402,F401

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NSWS = sys.argv[1]
EMULATOR = shlex.split(os.environ.get("NSWS_TEST_EMULATOR", ""))  # what runs another machine's programs
PATIENCE = 60  # what takes longer hangs
SCHEMA = json.loads((ROOT / "tool" / "events.schema.json").read_text())
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
seen_events = set()


def die_with_parent():
    """No program outlives a test that was killed."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(*arguments, **options):
    """nsws beside the test."""
    return subprocess.Popen([NSWS, *map(str, arguments)], preexec_fn=die_with_parent, **options)


class Ended:
    def __init__(self, arguments, process):
        self.arguments, self.status = arguments, process.returncode
        self.raw, self.out, self.err = process.stdout, process.stdout.decode(errors="replace"), process.stderr.decode(errors="replace")

    def expect(self, status, out=None, err=None):
        """Its exit code, and expressions that its output matches."""
        matches = all(want is None or re.search(want, text, re.M) for want, text in ((out, self.out), (err, self.err)))
        if self.status != status or not matches:
            sys.exit(f"nsws {self.arguments}: exit {self.status}, not {status}, or not {out!r}, {err!r}:\n{self.out}\n{self.err}")
        return self

    def events(self):
        return [event(line) for line in self.out.splitlines()]


def nsws(*arguments, input=b"", environment=None):
    command = [*EMULATOR, NSWS, *map(str, arguments)]
    process = subprocess.run(
        command, input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE, env={**os.environ, **(environment or {})}
    )
    return Ended(arguments, process)


def event(line):
    """A line of --json, which must be as the schema has it, and have no member that it doesn't."""
    found = json.loads(line)
    name = found.get("event")
    assert name in SCHEMA["$defs"] and {"$ref": f"#/$defs/{name}"} in SCHEMA["oneOf"], f"the schema has no event {name!r}: {line}"
    check(found, SCHEMA["$defs"][name], line)
    seen_events.add(name)
    return found


def is_a(value, kind):
    return isinstance(value, TYPES[kind]) and (kind == "boolean") == isinstance(value, bool)


def check(value, schema, line):
    """The part of JSON Schema that the file uses, and no more."""
    unknown = set(schema) - {"$ref", "description", "type", "properties", "required", "items", "const", "enum", "minimum"}
    assert not unknown, f"the validator doesn't know {unknown}"
    if "$ref" in schema:
        return check(value, SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], line)
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    assert kind is None or any(is_a(value, it) for it in kinds), f"{value!r}: {schema} in {line}"
    assert "const" not in schema or value == schema["const"], line
    assert "enum" not in schema or value in schema["enum"], line
    assert "minimum" not in schema or value >= schema["minimum"], f"{value!r} in {line}"
    if kind == "array":
        for item in value:
            check(item, schema["items"], line)
    if kind == "object":
        members = schema["properties"]
        assert set(schema["required"]) <= set(value) <= set(members), f"members missing or unknown: {line}"
        for name, member in value.items():
            check(member, members[name], line)


class Server:
    """nsws as a server with --json: its events are read one by one."""

    def __init__(self, *arguments, input=subprocess.DEVNULL):
        self.process = start(*arguments, "--json", stdin=input, stdout=subprocess.PIPE)
        self.url = self.next("listening")["url"]

    def next(self, name):
        """The next event of this name; others are passed over."""
        while line := self.process.stdout.readline():
            found = event(line)
            if found["event"] == name:
                return found
        raise AssertionError(f"the server ended without {name}")

    def stop(self, number=signal.SIGTERM):
        """Ends it; returns what it still said."""
        self.process.send_signal(number)
        return self.end()

    def end(self):
        rest = [event(line) for line in self.process.stdout.read().splitlines()]
        assert self.process.wait(PATIENCE) == 0, self.process.returncode
        return rest


class Terminal:
    """nsws on a terminal of 24 lines and 80 columns."""

    def __init__(self, *arguments):
        pid, fd = pty.fork()
        if pid == 0:
            die_with_parent()
            environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
            os.execve(NSWS, [NSWS, *map(str, arguments)], {**environment, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
        self.pid, self.fd, self.shown = pid, fd, ""
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self):
        """Reads on; False at the end."""
        if not select.select([self.fd], [], [], PATIENCE)[0]:
            raise AssertionError(f"nothing more is shown after {self.shown!r}")
        try:
            self.shown += os.read(self.fd, 65536).decode(errors="replace")
        except OSError:  # the program has ended
            return False
        return True

    def sees(self, pattern):
        """Waits until the pattern is on the screen, and forgets what was before its end."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.shown)):
            assert time.monotonic() < end and self.read(), f"{pattern!r} is not in {self.shown!r}"
        self.shown = self.shown[found.end():]
        return found

    def end(self, status):
        while self.read():
            pass
        found = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        assert found == status, f"exit {found}, not {status}: {self.shown!r}"
        return self.shown
