"""Builds the library for ninja: cargo, with vendored crates and without a network.

What cargo needs of the compiler is in ohos/cmake/cargo-config.toml.in, as in the CMake build.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

# The CPU as GN and as clang call it, and further flags for clang (ohos/cmake/OpenHarmony.cmake has the same).
TARGETS = {
    "arm64": ("aarch64-unknown-linux-ohos", "aarch64-linux-ohos", []),
    "arm": (
        "armv7-unknown-linux-ohos",
        "arm-linux-ohos",
        ["-march=armv7-a", "-mfloat-abi=softfp", "-mtune=generic-armv7-a", "-mthumb"],
    ),
    "x86_64": ("x86_64-unknown-linux-ohos", "x86_64-linux-ohos", []),
}
LIBRARIES = ["libnetstack_websocket.so", "libnetstack_websocket.a"]
# What makes attacks harder, in the crates' C code; CMakeLists.txt has the same.
HARDENING = ["-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"]


def names(options, out):
    """What paths of this machine are called in the libraries; of several that fit, compilers take the last."""
    return [f"{options.project}=netstack-websocket", f"{out / 'cargo'}=target", f"{options.vendor}=crates"]


def host(options, out):
    """The rest of the configuration, for this machine."""
    renamed = "', '".join(f"--remap-path-prefix={name}" for name in names(options, out))
    return f"[build]\nrustflags = ['{renamed}']\n"


def cross(options, out):
    """The rest of the configuration, for another machine."""
    if options.cpu not in TARGETS:
        sys.exit(f"cargo.py: the CPU {options.cpu} is none of {', '.join(TARGETS)}")
    rust_target, triple, machine = TARGETS[options.cpu]
    flags = [f"--target={triple}", f"--sysroot={options.sysroot}", "-D__MUSL__", *machine]
    renamed = [f"-ffile-prefix-map={name}" for name in [*names(options, out), f"{options.sysroot}=sysroot"]]
    rust_flags = [f"-Clink-arg={flag}" for flag in flags] + [f"--remap-path-prefix={name}" for name in names(options, out)]
    values = {
        "NSWS_RUST_TARGET": rust_target,
        "CMAKE_C_COMPILER": options.clang,
        "CMAKE_AR": str(pathlib.Path(options.clang).with_name("llvm-ar")),
        "underscored": rust_target.replace("-", "_"),
        "rust_flags": "', '".join(rust_flags),
        "compile_flags": " ".join(f'"{flag}"' for flag in [*flags, *HARDENING, *renamed]),
    }
    template = pathlib.Path(options.project, "ohos/cmake/cargo-config.toml.in").read_text()
    return rust_target, re.sub(r"@(\w+)@", lambda match: values.get(match[1], ""), template)


def main():
    parser = argparse.ArgumentParser()
    for name in ("project", "cargo", "vendor", "profile", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("cpu", "clang", "sysroot"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--no-server", action="store_true")
    parser.add_argument("--deflate", action="store_true")
    options = parser.parse_args()
    if not os.path.isdir(options.vendor):
        sys.exit(f"cargo.py: {options.vendor} is missing; `cargo vendor` makes it")

    out = pathlib.Path(options.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    rust_target, config = cross(options, out) if options.clang else ("", host(options, out))
    config += (
        "\n[source.crates-io]\nreplace-with = 'vendored'\n"
        f"\n[source.vendored]\ndirectory = '{options.vendor}'\n"
        "\n[net]\noffline = true\n"
    )
    (out / "cargo-config.toml").write_text(config)

    command = [options.cargo, "rustc", "--frozen", "--lib", "--crate-type", "cdylib,staticlib"]
    command += ["--config", str(out / "cargo-config.toml"), "--profile", options.profile]
    command += ["--target-dir", str(out / "cargo")]
    features = ["server"] * (not options.no_server) + ["deflate"] * options.deflate
    command += ["--no-default-features", "--features", ",".join(features)]
    environment = {name: value for name, value in os.environ.items() if name not in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS")}
    if not options.clang:
        renamed = [f"-ffile-prefix-map={name}" for name in names(options, out)]
        environment["CFLAGS"] = " ".join([os.environ.get("CFLAGS", ""), *HARDENING, *renamed])
    status = subprocess.run(command, cwd=options.project, env=environment).returncode
    if status != 0:
        sys.exit(status)

    made = out / "cargo" / rust_target / ("debug" if options.profile == "dev" else options.profile)
    for library in LIBRARIES:
        shutil.copy2(made / library, out / library)
    # Cargo's list of what it has read, as ninja wants it: for the first output, named as in the ninja file.
    read = (made / "libnetstack_websocket.d").read_text().split(": ", 1)[1]
    (out / "netstack_websocket.d").write_text(f"{os.path.join(options.out, LIBRARIES[0])}: {read}")


if __name__ == "__main__":
    main()
