"""Runs a test program with the peers it talks to, and ends with its status.

    run.py [--wrap COMMAND] [--peers raw,python,node,identity,proxies,reverse] PROGRAM [ARGUMENTS]

The peers listen on loopback, on ports that the system picks; the program finds them in its environment:

    NSWS_RAW_PORT, NSWS_RAW_PORT_6, NSWS_CONTROL_PORT      raw_peer.py
    NSWS_ECHO_URL, NSWS_ECHO_WSS_URL, NSWS_WSS_*_PORT      echo_peer.py (Python websockets)
    NSWS_NODE_URL, NSWS_NODE_WSS_URL                       node_peer.js (Node ws)
    NSWS_WSS_TLS_1_2_PORT                                  node_peer.js, nothing newer than TLS 1.2
    NSWS_PYTHON_CLIENT, NSWS_NODE_CLIENT                   commands that start python_client.py, node_client.js,
    NSWS_HALF_TLS_CLIENT                                   and half_tls.py
    NSWS_TLS_RELAY, NSWS_DEFLATE_RAW                       the commands that start tls_relay.py, deflate_raw.py
    NSWS_REVERSE_PROXIES                                   the command that starts reverse_proxies.py; only if asked for
    NSWS_DEFLATE_PYTHON_URL, NSWS_DEFLATE_NODE_URL         the echo servers once more, with permessage-deflate
    NSWS_TINYPROXY_*, NSWS_SQUID_*, NSWS_SOCKS_*           proxies.py; only if asked for
    NSWS_IDENTITY_*, NSWS_WSS_*_PORT                       identity_peer.py, only if asked for
    NSWS_CERT_DIR                                          certs.py

--wrap puts a command before the program's, such as "valgrind --error-exitcode=99". The Python library is
taken from the Python that runs this, else from build/venv; Node's from NODE_PATH, else from build/node.
Variables that name a proxy don't reach the program. A peer ends when its standard input does, so none outlives this, however this ends.
"""

import argparse
import ctypes
import importlib.util
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
# Starting takes half a second; a minute is for a machine that is very busy.
READY_SECONDS = 60


def python():
    if importlib.util.find_spec("websockets"):
        return sys.executable
    own = BUILD / "venv" / "bin" / "python"
    if own.exists():
        return str(own)
    sys.exit("run.py: Python websockets is missing; scripts/test installs it (tests/interop/requirements.txt).")


def node_path():
    return os.environ.get("NODE_PATH") or str(BUILD / "node" / "node_modules")


def commands(wanted, certificates):
    known = {
        "raw": lambda: ([sys.executable, str(HERE / "raw_peer.py")], {}),
        "python": lambda: ([python(), str(HERE / "echo_peer.py"), certificates], {}),
        "identity": lambda: ([python(), str(HERE / "identity_peer.py"), certificates], {}),
        "node": lambda: (["node", str(HERE / "node_peer.js"), certificates], {"NODE_PATH": node_path()}),
        "proxies": lambda: ([sys.executable, str(HERE / "proxies.py")], {}),
    }
    # The others are started by the tests.
    return {name: known[name]() for name in wanted if name != "reverse"}


def clients(wanted, certificates):
    """The commands that start the peers that are clients; NODE_PATH is set for all."""
    found = {}
    if "python" in wanted:
        found["NSWS_PYTHON_CLIENT"] = shlex.join([python(), str(HERE / "python_client.py"), certificates])
        found["NSWS_HALF_TLS_CLIENT"] = shlex.join([sys.executable, str(HERE / "half_tls.py"), certificates])
        found["NSWS_TLS_RELAY"] = shlex.join([sys.executable, str(HERE / "tls_relay.py"), certificates])
        found["NSWS_DEFLATE_RAW"] = shlex.join([sys.executable, str(HERE / "deflate_raw.py")])
    if "reverse" in wanted:
        found["NSWS_REVERSE_PROXIES"] = shlex.join([sys.executable, str(HERE / "reverse_proxies.py")])
    if "node" in wanted:
        found["NSWS_NODE_CLIENT"] = shlex.join(["node", str(HERE / "node_client.js"), certificates])
        found["NODE_PATH"] = node_path()
    return found


def start(command, more):
    environment = {**os.environ, **more, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)


def die_with_parent():
    """The program under test must not outlive a runner that was killed."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def without_proxies(environment):
    """The tests stay on this machine, whatever proxy the tester's environment names."""
    return {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}


def first_line(name, peer):
    """What the peer says when it is ready: its part of the environment."""
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"run.py: the {name} peer was not ready in {READY_SECONDS} s"))
    signal.alarm(READY_SECONDS)
    line = peer.stdout.readline()
    signal.alarm(0)
    if not line:
        sys.exit(f"run.py: the {name} peer did not start")
    return {key: str(value) for key, value in json.loads(line).items()}


def stop(peers):
    for peer in peers.values():
        peer.stdin.close()
    for peer in peers.values():
        try:
            peer.wait(5)
        except subprocess.TimeoutExpired:
            peer.kill()
            peer.wait()


def main():
    options = argparse.ArgumentParser(usage="run.py [--wrap COMMAND] [--peers LIST] PROGRAM [ARGUMENTS]")
    options.add_argument("--wrap", default="")
    options.add_argument("--peers", default="raw,python,node")
    options.add_argument("program", nargs=argparse.REMAINDER)
    options = options.parse_args()
    if not options.program:
        sys.exit("run.py: which program?")

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="nsws-certificates-") as certificates:
        peers = {}
        try:
            wanted = [name for name in options.peers.split(",") if name]
            if wanted != ["raw"]:
                subprocess.run([sys.executable, str(HERE / "certs.py"), certificates], check=True)
            for name, (command, more) in commands(wanted, certificates).items():
                peers[name] = start(command, more)
            environment = {"NSWS_CERT_DIR": certificates, "PYTHONDONTWRITEBYTECODE": "1", **clients(wanted, certificates)}
            for name, peer in peers.items():
                environment.update(first_line(name, peer))
            program = subprocess.Popen(
                shlex.split(options.wrap) + options.program,
                env={**without_proxies(os.environ), **environment},
                preexec_fn=die_with_parent,
            )
            try:
                status = program.wait()
            except SystemExit:
                program.kill()
                program.wait()
                raise
        finally:
            stop(peers)
    if status < 0:
        print(f"run.py: {options.program[0]} was ended by signal {-status} ({signal.strsignal(-status)})", file=sys.stderr)
        status = 128 - status
    sys.exit(status)


if __name__ == "__main__":
    main()
