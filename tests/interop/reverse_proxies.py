"""haproxy and nginx in front of a server, or in its place: a program that starts one for each line that it is told.

    KIND PORT [IP] starts a proxy before the server on PORT, which it reaches from its address IP; answers with the port that
                   it listens on
    login KIND     lets clients of a captive portal through to the server; answers "in"
    health KIND    waits until haproxy's checks of that server have succeeded once; answers "up"

KIND is one of those in KINDS. They end with the standard input.
"""

import ctypes
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

READY_SECONDS = 30

HAPROXY = """
global
    stats socket {folder}/stats
defaults
    timeout connect 30s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
    timeout check 30s
frontend front
    mode {mode}
    bind 127.0.0.1:{front} {bind}
    {front_more}
    default_backend back
backend back
    mode {mode}
    {more}
    option httpchk
    http-check send meth GET uri /healthz
    http-check expect status 200
    server one 127.0.0.1:{port} {server} {source}
"""

NGINX_BEGIN = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
"""

PASSED_ON = """
            proxy_pass http://127.0.0.1:{port};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
"""

NGINX = NGINX_BEGIN + """
    server {{
        listen 127.0.0.1:{front} {listen};
        {source}
        location / {{
""" + PASSED_ON + """
            {more}
        }}
        # As nginx speaks by default: HTTP/1.0.
        location /healthz {{ proxy_pass http://127.0.0.1:{port}; }}
    }}
}}
"""

# A network that answers in the place of every server, until its user has logged in.
NGINX_PORTAL = NGINX_BEGIN + """
    default_type text/html;
    server {{
        listen 127.0.0.1:{front};
        location / {{
            if (!-f {folder}/in) {{ return 302 http://127.0.0.1:{front}/login; }}
""" + PASSED_ON + """
        }}
        location = /login {{ return 200 "<!DOCTYPE html><title>Log in</title>"; }}
        location = /required {{ return 511 "<!DOCTYPE html><title>Log in</title>"; }}
        location = /busy {{ add_header Retry-After 120 always; return 503; }}
    }}
}}
"""

# Redirects within a server, and from there to the one on PORT.
NGINX_REDIRECTS = NGINX_BEGIN + """
    server {{
        listen 127.0.0.1:{front};
        location = /start {{ absolute_redirect off; return 302 /next; }}
        location = /next {{ return 301 /end; }}
        location = /away {{ return 307 http://127.0.0.1:{port}/end; }}
        location = /loop {{ return 302 /back; }}
        location = /back {{ return 302 /loop; }}
        location /end {{
""" + PASSED_ON + """
        }}
    }}
}}
"""

CHECK = "check inter 100ms"
FORWARDED_FOR = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
# With the test's certificate, and telling the server which protocol the client speaks.
CERTIFICATES = pathlib.Path(os.environ.get("NSWS_CERT_DIR", ""))
TLS = f"ssl crt {CERTIFICATES}/both.pem"
TELLS_PROTOCOL = "http-request set-header X-Protocol %HV"
KINDS = {
    "haproxy": (HAPROXY, {"mode": "http", "more": "option forwardfor", "server": CHECK}),
    "haproxy-send-proxy": (HAPROXY, {"mode": "tcp", "more": "", "server": CHECK + " send-proxy"}),
    "haproxy-send-proxy-v2": (HAPROXY, {"mode": "tcp", "more": "", "server": CHECK + " send-proxy-v2"}),
    # The server behind it speaks TLS with the clients themselves.
    "haproxy-tls": (HAPROXY, {"mode": "tcp", "more": "", "server": "send-proxy-v2"}),
    "haproxy-https": (HAPROXY, {"mode": "http", "more": "option forwardfor", "server": CHECK, "bind": TLS, "front_more": TELLS_PROTOCOL}),
    "haproxy-h2": (HAPROXY, {"mode": "http", "more": "option forwardfor", "server": CHECK, "bind": TLS + " alpn h2,http/1.1", "front_more": TELLS_PROTOCOL}),
    "haproxy-both": (HAPROXY, {"mode": "http", "more": "option forwardfor", "server": CHECK + " send-proxy-v2"}),
    "nginx": (NGINX, {"more": FORWARDED_FOR}),
    "nginx-https": (NGINX, {
        "listen": f"ssl; ssl_certificate {CERTIFICATES}/good.pem; ssl_certificate_key {CERTIFICATES}/good.key",
        "more": FORWARDED_FOR + " proxy_set_header X-Protocol $server_protocol;",
    }),
    "nginx-portal": (NGINX_PORTAL, {}),
    "nginx-redirects": (NGINX_REDIRECTS, {}),
    "nginx-forwarded": (NGINX, {"more": 'proxy_set_header X-Forwarded-For ""; proxy_set_header Forwarded "$http_forwarded, for=$remote_addr;proto=$scheme";'}),
}


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    return found or sys.exit(f"reverse_proxies.py: {name} is missing; scripts/test installs it")


def die_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def start(kind, port, folder, source=None):
    """The running proxy and its port; None if somebody else took the port meanwhile."""
    template, values = KINDS[kind]
    folder.mkdir(exist_ok=True)
    front = held_port()
    conf = folder / "conf"
    values = {"bind": "", "front_more": "", "listen": "", "source": "", **values}
    if source:
        values["source"] = f"source {source}" if template is HAPROXY else f"proxy_bind {source};"
    conf.write_text(template.format(folder=folder, front=front, port=port, **values))
    command = [program("haproxy"), "-db", "-f", str(conf)] if template is HAPROXY else [program("nginx"), "-p", str(folder), "-c", str(conf)]
    with open(folder / "log", "ab") as log:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and running.poll() is None:
        # Somebody else may have taken the port; then it ends without its socket for commands.
        # The file first: in TCP mode, each probe of the port begins a handshake with the server, which counts it.
        if (template is not HAPROXY or (folder / "stats").exists()) and listens(front):
            return running, front
        time.sleep(0.02)  # Nothing tells when it listens.
    stop(running)
    return None


def stop(running):
    running.terminate()
    try:
        running.wait(5)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def check_status(folder):
    """What haproxy's last check of the server gave, such as L7OK."""
    with socket.socket(socket.AF_UNIX) as stats:
        stats.connect(str(folder / "stats"))
        stats.sendall(b"show stat\n")
        text = b"".join(iter(lambda: stats.recv(65536), b"")).decode()
    names, *rows = [line.split(",") for line in text.splitlines() if line]
    row = next(row for row in rows if row[1] == "one")
    return row[names.index("check_status")]


def health(folder):
    end = time.monotonic() + READY_SECONDS
    status = ""
    while time.monotonic() < end:
        status = check_status(folder)
        if status == "L7OK":
            return "up"
        time.sleep(0.02)
    return f"down: {status}"


def main():
    running = []
    with tempfile.TemporaryDirectory(prefix="nsws-reverse-proxies-") as parent:
        try:
            for line in sys.stdin:
                first, second, *source = line.split()
                folder = pathlib.Path(parent) / (second if first in ("health", "login") else first)
                if first == "login":
                    (folder / "in").touch()
                    print("in", flush=True)
                    continue
                if first == "health":
                    print(health(folder), flush=True)
                    continue
                started = next(filter(None, (start(first, int(second), folder, *source) for _ in range(5))), None)
                if started:
                    running.append(started[0])
                print(started[1] if started else "failed: " + (folder / "log").read_text()[-500:].replace("\n", " "), flush=True)
        finally:
            for one in running:
                stop(one)


if __name__ == "__main__":
    main()
