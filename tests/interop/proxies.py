"""Real proxies as peers of the tests: tinyproxy, squid and microsocks, each without and with authorization.

They listen on loopback, on ports that were free a moment ago; the program finds them in its environment:

    NSWS_TINYPROXY_PORT, NSWS_SQUID_PORT, NSWS_SOCKS_PORT                   anybody may use them
    NSWS_TINYPROXY_AUTH_PORT, NSWS_SQUID_AUTH_PORT, NSWS_SOCKS_AUTH_PORT    NSWS_PROXY_USER with NSWS_PROXY_PASSWORD
"""

import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from ports import held_port

USER, PASSWORD = "alice", "w0nder-land"
READY_SECONDS = 30
NCSA_HELPERS = ["/usr/lib/squid/basic_ncsa_auth", "/usr/lib64/squid/basic_ncsa_auth"]

TINYPROXY = """
Listen 127.0.0.1
Port {port}
Timeout 60
LogLevel Critical
{authorization}
"""

SQUID = """
http_port 127.0.0.1:{open_port}
http_port 127.0.0.1:{closed_port}
auth_param basic program {helper} {folder}/users
auth_param basic children 1 startup=1
acl closed localport {closed_port}
acl known proxy_auth REQUIRED
http_access allow closed known
http_access deny closed
http_access allow all
cache deny all
cache_mem 0
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
netdb_filename none
coredump_dir none
shutdown_lifetime 0 seconds
visible_hostname localhost
"""


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    return found or sys.exit(f"proxies.py: {name} is missing; scripts/test installs it")


def helper():
    found = next((path for path in NCSA_HELPERS if os.access(path, os.X_OK)), None)
    return found or sys.exit("proxies.py: squid's basic_ncsa_auth is missing")


def write(path, text):
    path.write_text(text)
    # Squid gives up root before it reads its users.
    path.chmod(0o644)
    return str(path)


def commands(folder):
    """The proxies' command lines, and the ports that they will have."""
    tiny, tiny_auth, squid, squid_auth, socks, socks_auth = ports = [held_port() for _ in range(6)]
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
    )
    write(folder / "users", f"{USER}:{hashed.stdout}")
    tinyproxy = [program("tinyproxy"), "-d", "-c"]
    open_conf = write(folder / "tiny.conf", TINYPROXY.format(port=tiny, authorization=""))
    auth_conf = write(folder / "tiny-auth.conf", TINYPROXY.format(port=tiny_auth, authorization=f"BasicAuth {USER} {PASSWORD}"))
    squid_conf = write(
        folder / "squid.conf",
        SQUID.format(open_port=squid, closed_port=squid_auth, helper=helper(), folder=folder),
    )
    microsocks = [program("microsocks"), "-i", "127.0.0.1", "-p"]
    started = [
        [*tinyproxy, open_conf],
        [*tinyproxy, auth_conf],
        [program("squid"), "-N", "-f", squid_conf],
        [*microsocks, str(socks)],
        [*microsocks, str(socks_auth), "-u", USER, "-P", PASSWORD],
    ]
    names = ["TINYPROXY", "TINYPROXY_AUTH", "SQUID", "SQUID_AUTH", "SOCKS", "SOCKS_AUTH"]
    return started, {f"NSWS_{name}_PORT": port for name, port in zip(names, ports)}


def die_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def start(folder):
    """The running proxies and their ports; nothing if another program took a port meanwhile."""
    started, ports = commands(folder)
    with open(folder / "log", "ab") as log:
        how = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": folder}
        running = [subprocess.Popen(command, preexec_fn=die_with_parent, **how) for command in started]
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and all(one.poll() is None for one in running):
        if all(listens(port) for port in ports.values()):
            return running, ports
        time.sleep(0.02)  # Nothing tells when they listen.
    stop(running)
    return [], {}


def stop(running):
    for one in running:
        one.terminate()
    for one in running:
        try:
            one.wait(5)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


def main():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="nsws-proxies-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        running = []
        try:
            for _ in range(5):
                running, ports = start(folder)
                if running:
                    break
            else:
                sys.exit("proxies.py: the proxies did not start:\n" + (folder / "log").read_text()[-2000:])
            print(json.dumps({**ports, "NSWS_PROXY_USER": USER, "NSWS_PROXY_PASSWORD": PASSWORD}), flush=True)
            # run.py holds the other end of our standard input: when that closes, this ends.
            while os.read(0, 4096):
                pass
        finally:
            stop(running)


if __name__ == "__main__":
    main()
