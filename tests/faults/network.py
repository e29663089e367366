"""A client and a server of the library in two network namespaces, and a link between them that loses, delays and is cut; and a
client that the system freezes.

    network.py PROGRAM [TEST...]

PROGRAM is tests/faults/link.c. The link is made of two TUN devices, between which this forwards packets. Where the tests can't
run (no root, no TUN, no freezer), they say SKIPPED, and end with 77 if all of them do.
"""

import contextlib
import ctypes
import fcntl
import heapq
import os
import pathlib
import queue
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
LIBC = ctypes.CDLL(None, use_errno=True)
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else ""
# Only guards: nothing waits so long unless it fails.
SECONDS = 180


class Skipped(Exception):
    pass


def checked(result, what):
    if result != 0:
        raise Skipped(f"{what}: {os.strerror(ctypes.get_errno())}")


class Namespace:
    """A network namespace with one TUN device, and the process that holds it."""

    def __init__(self, address):
        self.address = address
        ours, theirs = socket.socketpair()
        self.end = ours
        self.holder = os.fork()
        if self.holder == 0:
            ours.close()
            self.hold(theirs)
        theirs.close()
        answer, descriptors, _, _ = socket.recv_fds(ours, 200, 1)
        if answer != b"ok":
            os.waitpid(self.holder, 0)
            raise Skipped(answer.decode())
        self.tun = descriptors[0]

    def hold(self, end):
        try:
            checked(LIBC.unshare(CLONE_NEWNET), "no namespace of its own")
            tun = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
            for command in (f"addr add {self.address}/24 dev tun0", "link set tun0 up", "link set lo up"):
                subprocess.run(["ip", *command.split()], check=True, stderr=subprocess.DEVNULL)
            socket.send_fds(end, [b"ok"], [tun])
            end.recv(1)
        except (OSError, Skipped, subprocess.CalledProcessError) as error:
            end.sendall(str(error).encode()[:200])
        os._exit(0)

    def enter(self):
        """In a child, before it becomes a program."""
        LIBC.setns(os.open(f"/proc/{self.holder}/ns/net", os.O_RDONLY), CLONE_NEWNET)
        LIBC.prctl(1, signal.SIGKILL)

    def close(self):
        self.end.close()
        os.waitpid(self.holder, 0)
        os.close(self.tun)


class Link:
    """Forwards packets between two devices."""

    def __init__(self, one, other, seed=15):
        self.other_of = {one.tun: other.tun, other.tun: one.tun}
        self.loss, self.delay, self.is_cut = 0.0, 0.0, False
        self.forwarded = self.lost = 0
        self.random = random.Random(seed)
        self.stop, self.stopping = os.pipe()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        waiting, number = [], 0
        while True:
            timeout = max(waiting[0][0] - time.monotonic(), 0) if waiting else None
            ready, _, _ = select.select([*self.other_of, self.stop], [], [], timeout)
            if self.stop in ready:
                return
            for tun in ready:
                packet = os.read(tun, 65536)
                if self.is_cut or self.random.random() < self.loss:
                    self.lost += 1
                    continue
                number += 1
                heapq.heappush(waiting, (time.monotonic() + self.delay, number, self.other_of[tun], packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, tun, packet = heapq.heappop(waiting)
                self.forwarded += 1
                with contextlib.suppress(OSError):
                    os.write(tun, packet)

    def close(self):
        os.write(self.stopping, b".")
        self.thread.join()
        os.close(self.stop)
        os.close(self.stopping)


class Program:
    """One end of the library, and what it says."""

    def __init__(self, namespace, *words):
        self.name = words[0]
        self.process = subprocess.Popen(
            [PROGRAM, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=namespace.enter if namespace else None,
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put("(the end)")

    def next(self):
        try:
            return self.lines.get(timeout=SECONDS)
        except queue.Empty:
            return "(nothing)"

    def expect(self, *lines):
        for expected in lines:
            said = self.next()
            assert said == expected, f"the program that was to {self.name} said {said!r}, not {expected!r}"

    def until(self, expected):
        """The lines up to one."""
        before = []
        while (said := self.next()) != expected:
            assert not said.startswith(("(", "wrong", "refused")), f"{said!r} instead of {expected!r}, after {before}"
            before.append(said)
        return before

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self, kill=False):
        if kill:
            self.process.kill()
        self.process.stdin.close()
        self.process.wait(SECONDS)
        return self.process.returncode


class Pair:
    """A server and its client at both ends of a link."""

    def __init__(self, ping="0", pong="30000", client_ping=None):
        self.stack = contextlib.ExitStack()
        self.ends = []
        for address in ("10.99.0.1", "10.99.0.2"):
            self.ends.append(Namespace(address))
            self.stack.callback(self.ends[-1].close)
        self.link = Link(*self.ends)
        self.stack.callback(self.link.close)
        self.ping, self.pong = ping, pong
        self.serve("0")
        self.client = Program(self.ends[1], "talk", f"ws://10.99.0.1:{self.port}/", client_ping or ping, pong)

    def serve(self, port):
        self.server = Program(self.ends[0], "serve", "10.99.0.1", port, self.ping, self.pong)
        word, self.port = self.server.next().split()
        assert word == "port", word

    def opens(self):
        self.client.expect("open")
        self.server.expect("connect")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in (self.client, self.server):
            program.end(kill=True)
        self.stack.close()


def twenty_percent_of_loss_and_200_ms_lose_no_message():
    with Pair(ping="5000", pong="0") as pair:
        pair.link.loss, pair.link.delay = 0.2, 0.2
        pair.opens()
        number = 0
        for length in (100, 1000, 20000, 10, 5000, 300, 2000, 70):
            pair.client.tell(f"send 4 {length}")
            for _ in range(4):
                pair.client.expect(f"message {number} {length}")
                number += 1
        print(f"    {pair.link.forwarded} packets went over the link, {pair.link.lost} were lost")
        assert pair.link.lost > 10


def a_short_cut_is_not_noticed():
    with Pair(ping="1000", pong="0") as pair:
        pair.opens()
        pair.client.tell("send 3 1000")
        pair.client.expect("message 0 1000", "message 1 1000", "message 2 1000")
        pair.link.is_cut = True
        lost = pair.link.lost
        pair.client.tell("send 3 1000")
        # Several transmissions have been in vain.
        while pair.link.lost < lost + 5:
            time.sleep(0.01)
        pair.link.is_cut = False
        pair.client.expect("message 3 1000", "message 4 1000", "message 5 1000")


def a_long_cut_is_told_on_both_sides_and_healed():
    with Pair(ping="1500", pong="1500") as pair:
        pair.opens()
        pair.link.is_cut = True
        pair.server.expect("error NSWS_DETAIL_HEARTBEAT_LOST", "close 1006 lost")
        pair.client.expect("error NSWS_DETAIL_HEARTBEAT_LOST", "close 1006 lost")
        pair.link.is_cut = False
        pair.client.until("open")
        pair.server.until("connect")
        pair.client.tell("send 1 10")
        pair.client.until("message 0 10")


def a_server_that_has_forgotten_its_client_is_found_out():
    """Half-open: the client has a connection, and the server's machine has not."""
    with Pair(client_ping="0") as pair:
        pair.opens()
        pair.link.is_cut = True
        pair.server.end(kill=True)
        # What the system says to the client of that is lost.
        while pair.link.lost == 0:
            time.sleep(0.01)
        pair.serve(pair.port)
        pair.link.is_cut = False
        pair.client.tell("send 1 10")
        pair.client.until("close 1006 lost")
        pair.client.until("open")


def freezer():
    """A new group whose processes can be frozen: the file of its processes, the file that freezes, and its words."""
    name = f"nsws-{os.getpid()}"
    for root, file, words in (
        ("/sys/fs/cgroup/freezer", "freezer.state", ("FROZEN", "THAWED")),
        ("/sys/fs/cgroup", "cgroup.freeze", ("1", "0")),
    ):
        group = pathlib.Path(root, name)
        if file == "cgroup.freeze" and not pathlib.Path(root, "cgroup.controllers").exists():
            continue
        with contextlib.suppress(OSError):
            group.mkdir()
            if (group / file).exists():
                return group, group / file, words
            group.rmdir()
    raise Skipped("there is no freezer for this user")


def a_client_frozen_past_its_deadline_goes_on():
    group, file, (frozen, thawed) = freezer()
    server = client = None
    try:
        server = Program(None, "serve", "127.0.0.1", "0", "0", "0")
        port = server.next().split()[1]
        client = Program(None, "talk", f"ws://127.0.0.1:{port}/", "2000", "2000")
        client.expect("open")
        (group / "cgroup.procs").write_text(str(client.process.pid))
        for number in range(2):
            file.write_text(frozen)
            # Past the deadline of any ping; the server answers what had been sent.
            time.sleep(4.5)
            file.write_text(thawed)
            client.tell("send 1 10")
            client.expect(f"message {number} 10")
    finally:
        with contextlib.suppress(OSError):
            file.write_text(thawed)
        for program in (client, server):
            if program:
                program.end(kill=True)
        for _ in range(100):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.02)


TESTS = [
    twenty_percent_of_loss_and_200_ms_lose_no_message,
    a_short_cut_is_not_noticed,
    a_long_cut_is_told_on_both_sides_and_healed,
    a_server_that_has_forgotten_its_client_is_found_out,
    a_client_frozen_past_its_deadline_goes_on,
]


def main():
    failed = skipped = 0
    wanted = sys.argv[2:]
    for test in TESTS:
        if wanted and test.__name__ not in wanted:
            continue
        start = time.monotonic()
        try:
            test()
            print(f"ok {test.__name__} ({(time.monotonic() - start) * 1000:.0f} ms)", flush=True)
        except Skipped as why:
            skipped += 1
            print(f"****** SKIPPED: {test.__name__}: {why} ******", flush=True)
        except AssertionError as why:
            failed += 1
            print(f"FAILED {test.__name__}: {why}", flush=True)
    sys.exit(1 if failed else 77 if skipped == len(TESTS) else 0)


if __name__ == "__main__":
    main()
