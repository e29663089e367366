"""Compares what GN has built with what is asked of it: check.py OUT BUNDLE_JSON"""

import json
import pathlib
import subprocess
import sys

# The names of NetStack's own targets and where they go.
MODULES = {
    "net_websocket": {"file": "libnet_websocket.so", "innerapi_tags": [], "relative_install_dir": "ndk"},
    "netstack_websocket": {
        "file": "libnetstack_websocket.so",
        "innerapi_tags": ["platformsdk_indirect"],
        "relative_install_dir": "",
    },
    "websocket": {"file": "libwebsocket.z.so", "innerapi_tags": [], "relative_install_dir": "module/net"},
    "websocket_native": {"file": "libwebsocket_native.z.so", "innerapi_tags": ["platformsdk"], "relative_install_dir": ""},
}


def main():
    out, bundle = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())
    wrong = []
    for name, wanted in MODULES.items():
        module = json.loads((out / f"{name}.json").read_text())
        wanted = {"part": "netstack", "subsystem": "communication", **wanted}
        wrong += [f"{name}: {key} is {module[key]!r}, not {value!r}" for key, value in wanted.items() if module[key] != value]
        if not list(out.glob(f"**/{wanted['file']}")):
            wrong.append(f"{name}: there is no {wanted['file']}")

    listed = subprocess.run(["gn", "ls", str(out), f"--root={out.parent.parent}"], check=True, stdout=subprocess.PIPE, text=True)
    labels = set(listed.stdout.split())
    component = bundle["component"]
    build = component["build"]
    named = [label for group in build["group_type"].values() for label in group]
    named += [kit["name"] for kit in build["inner_kits"]]
    wrong += [f"bundle.json names {label}, which is no target" for label in named if label not in labels]
    for kit in build["inner_kits"]:
        base = out.parent.parent / kit["header"]["header_base"].lstrip("/")
        wrong += [f"{base / file} is missing" for file in kit["header"]["header_files"] if not (base / file).exists()]
    if (component["name"], component["subsystem"]) != ("netstack", "communication"):
        wrong.append(f"bundle.json is of {component['subsystem']}:{component['name']}")
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
