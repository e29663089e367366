"""Runs the Autobahn test suite against our client and our server, and judges its reports.

    autobahn_run.py PYTHON27 CLIENT SERVER OUTDIR

PYTHON27 has autobahntestsuite; CLIENT and SERVER are tests/c/autobahn_client.c and autobahn_server.c, built. Both roles
run side by side. A case passes that the suite calls OK, NON-STRICT or INFORMATIONAL, both in what was said and in how it was closed.
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
AGENT = "netstack-websocket"
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
SPEC = HERE / "autobahn.json"
# The suite's Python takes half an hour for large compressed messages, so those are left out but with NSWS_AUTOBAHN=whole.
LARGE = [f"{group}.*.{number}" for group in (12, 13) for number in range(7, 19)]


def start(command, log):
    """A program that says {"port": N} when it listens, and ends when its standard input does; and that port."""
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    for line in server.stdout:
        if line.startswith("{"):
            return server, json.loads(line)["port"]
    sys.exit(f"autobahn: {command[0]} did not start, see {log.name}")


def end(server):
    server.stdin.close()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    return server.returncode


def spec():
    whole = os.environ.get("NSWS_AUTOBAHN") == "whole"
    return {**json.loads(SPEC.read_text()), "exclude-cases": [] if whole else LARGE}


def run_client(python, client, outdir):
    """The suite's server against our client."""
    (outdir / "spec.json").write_text(json.dumps(spec()))
    with open(outdir / "server.log", "w") as log:
        server, port = start([python, str(HERE / "autobahn_server.py"), str(outdir / "spec.json"), str(outdir)], log)
        try:
            done = subprocess.run([client, f"ws://127.0.0.1:{port}", AGENT], env={**os.environ, "no_proxy": "*"})
        finally:
            end(server)
    if done.returncode != 0:
        print(f"autobahn: the client ended with {done.returncode}")
    return done.returncode == 0


def run_server(python, program, outdir):
    """The suite's client against our server."""
    with open(outdir / "client.log", "w") as log:
        server, port = start([program], log)
        try:
            servers = [{"agent": AGENT, "url": f"ws://127.0.0.1:{port}"}]
            (outdir / "spec.json").write_text(json.dumps({**spec(), "outdir": str(outdir), "servers": servers}))
            wstest = pathlib.Path(python).with_name("wstest")
            done = subprocess.run(
                [python, str(wstest), "-m", "fuzzingclient", "-s", str(outdir / "spec.json")], stdout=log, stderr=log
            )
        finally:
            status = end(server)
    if done.returncode != 0 or status != 0:
        print(f"autobahn: the suite ended with {done.returncode}, the server with {status}; see {outdir}/client.log")
    return done.returncode == 0 and status == 0


def judge(role, outdir):
    report = json.loads((outdir / "index.json").read_text()).get(AGENT, {})
    failed = 0
    for name in sorted(report, key=lambda name: [int(part) for part in name.split(".")]):
        case = report[name]
        if case["behavior"] not in GOOD or case["behaviorClose"] not in GOOD:
            failed += 1
            print(f"autobahn: case {name}: {case['behavior']}, closing {case['behaviorClose']} ({case['reportfile']})")
    counts = {}
    for case in report.values():
        counts[case["behavior"]] = counts.get(case["behavior"], 0) + 1
    print(f"autobahn: {role}: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    print(f"autobahn: {role}: {len(report) - failed} passed, {failed} failed")
    return failed == 0 and len(report) > 200


def main():
    python, client, server, outdir = sys.argv[1], sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4]).resolve()
    shutil.rmtree(outdir, ignore_errors=True)
    roles = {"client": (run_client, client), "server": (run_server, server)}
    for role in roles:
        (outdir / role).mkdir(parents=True)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = {role: pool.submit(run, python, program, outdir / role) for role, (run, program) in roles.items()}
    sys.exit(0 if all([run.result() and judge(role, outdir / role) for role, run in runs.items()]) else 1)


if __name__ == "__main__":
    main()
