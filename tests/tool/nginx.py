"""nsws through nginx, as most servers of the web stand behind one: TLS, a path that leads to the echo, and others.

    nginx.py NSWS NGINX     with run.py's python peer
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from support import die_with_parent, held_port, nsws

CERTIFICATES = pathlib.Path(os.environ["NSWS_CERT_DIR"])
CA = CERTIFICATES / "ca.pem"
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificates}/good.pem;
    ssl_certificate_key {certificates}/good.key;
    location /echo/ {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }}
    location /forgetful/ {{ proxy_pass {upstream}; }}
    location /down/ {{ proxy_pass http://127.0.0.1:1/; }}
  }}
}}
"""


def start_nginx(program, folder):
    """On a port that nobody else gets; the address."""
    port = held_port()
    upstream = os.environ["NSWS_ECHO_URL"].replace("ws:", "http:")
    pathlib.Path(folder, "conf").write_text(CONFIGURATION.format(folder=folder, port=port, certificates=CERTIFICATES, upstream=upstream))
    command = [program, "-p", folder, "-e", f"{folder}/log", "-c", f"{folder}/conf"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    return process, f"wss://127.0.0.1:{port}"


def messages_pass(url):
    """The first attempts may come before it listens."""
    nsws("send", f"{url}/echo/", "hello", "-r1", "--ca", CA, "--reconnect", 20).expect(0, "^hello$")
    nsws("ping", f"{url}/echo/", "-c2", "-i0", "--ca", CA).expect(0, "^2 pings, 2 answered")
    nsws("bench", f"{url}/echo/", "-c100", "-n3", "-w4", "--ca", CA).expect(0, "^300 messages")
    nsws("cert", url, "--ca", CA).expect(0, "^trusted +yes$")


def refusals_name_the_status(url):
    nsws("connect", f"{url}/nothing", "--ca", CA).expect(5, err="404(.|\n)*NSWS_DETAIL_HTTP_STATUS")
    nsws("connect", f"{url}/forgetful/", "--ca", CA).expect(5, err="NSWS_DETAIL_HTTP_STATUS")
    nsws("connect", f"{url}/down/", "--ca", CA).expect(5, err="502(.|\n)*NSWS_DETAIL_HTTP_STATUS")
    nsws("connect", f"{url.replace('wss:', 'ws:')}/echo/").expect(5, err="400(.|\n)*NSWS_DETAIL_HTTP_STATUS")


def main(program):
    with tempfile.TemporaryDirectory(prefix="nsws-nginx-") as folder:
        process, url = start_nginx(program, folder)
        try:
            messages_pass(url)
            refusals_name_the_status(url)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main(sys.argv[2])
