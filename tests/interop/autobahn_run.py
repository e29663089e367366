"""Runs the Autobahn test suite against our client, and judges its report.

    autobahn_run.py PYTHON27 CLIENT OUTDIR

PYTHON27 has autobahntestsuite; CLIENT is tests/c/autobahn_client.c, built. A case passes that the suite calls
OK, NON-STRICT or INFORMATIONAL, both in what was said and in how it was closed.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
AGENT = "netstack-websocket"
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}


def run(python, client, outdir):
    shutil.rmtree(outdir, ignore_errors=True)
    outdir.mkdir(parents=True)
    with open(outdir / "server.log", "w") as log:
        server = subprocess.Popen(
            [python, str(HERE / "autobahn_server.py"), str(HERE / "autobahn.json"), str(outdir)],
            stdin=subprocess.PIPE, stdout=log, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        try:
            port = listening_port(server)
            done = subprocess.run([client, f"ws://127.0.0.1:{port}", AGENT], env={**os.environ, "no_proxy": "*"})
        finally:
            server.stdin.close()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    if done.returncode != 0:
        print(f"autobahn: the client ended with {done.returncode}")
    return done.returncode == 0


def listening_port(server):
    said = []
    for line in server.stderr:
        said.append(line)
        if line.startswith("{"):
            return json.loads(line)["port"]
    sys.exit("autobahn: the server did not start:\n" + "".join(said))


def judge(outdir):
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
    print("autobahn: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    print(f"autobahn: {len(report) - failed} passed, {failed} failed")
    return failed == 0 and len(report) > 200


def main():
    python, client, outdir = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).resolve()
    ran = run(python, client, outdir)
    sys.exit(0 if judge(outdir) and ran else 1)


if __name__ == "__main__":
    main()
