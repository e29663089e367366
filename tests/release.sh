#!/bin/bash
# A release's tarball is the same, byte for byte, when it is made in another folder; it names no folder of this machine, and
# programs can be built with it. The crates and the stand-in SDK are built once for both.
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
export SOURCE_DATE_EPOCH=1700000000

tarball() { echo "$1"/build/package/netstack-websocket-*-"$2".tar.gz; }

# Checks the tarball's folder: it is complete, has its symbols in separate files, and names no folder of this machine.
enter() { # TARBALL
  (cd "$(dirname "$1")" && sha256sum --quiet -c "$(basename "$1").sha256")
  tar -x -C "$work" -f "$1"
  cd "$work/$(basename "$1" .tar.gz)"
  sha256sum --quiet -c SHA256SUMS
  for folder in "$source" "$HOME"; do
    ! grep -rlF "$folder/" . || { echo "They name $folder."; exit 1; }
  done
  local link
  grep -o '](\([^)]*\))' README.md CHANGELOG.md | while IFS=: read -r file link; do
    link=${link#](} link=${link%)}
    [[ $link == https:* || -e ${link%%#*} ]] || { echo "$file links to $link, which is not there."; exit 1; }
  done
  cmp include/netstack_websocket.h "$source/include/netstack_websocket.h"
  local library
  library=$(realpath lib/libnetstack_websocket.so)
  local symbols=lib/.debug/${library##*/}.debug
  [ -z "$(nm "$library" 2>/dev/null)" ] || { echo "The library holds symbols."; exit 1; }
  [ "$(build_id "$library")" = "$(build_id "$symbols")" ]
  readelf -SW "$symbols" | grep -q '\.debug_line'
}

build_id() { readelf -nW "$1" | grep 'Build ID'; }

hello() { # CMAKE_OPTION...
  cmake -S "$source/tests/package" -B "$PWD.hello" -G Ninja -DNetStackWebSocket_DIR="$PWD/lib/cmake/NetStackWebSocket" "$@"
  cmake --build "$PWD.hello"
}

scripts/package linux aarch64
mkdir -p "$work/elsewhere/build/ohos"
tar -c --exclude=./target --exclude=./build --exclude=./.git --exclude=node_modules . | tar -x -C "$work/elsewhere"
ln -s "$source/target" "$work/elsewhere/target"
ln -s "$source/build/ohos/sdk" "$work/elsewhere/build/ohos/sdk"
"$work/elsewhere/scripts/package" linux aarch64
for made in "$(tarball "$source" linux-gnu)" "$(tarball "$source" aarch64-linux-ohos)"; do
  cmp "$made" "$work/elsewhere/build/package/$(basename "$made")"
done

enter "$(tarball "$source" linux-gnu)"
hello
"$PWD.hello/hello_static"
"$PWD.hello/hello_shared"
bin/nsws --version

enter "$(tarball "$source" aarch64-linux-ohos)"
hello -DOHOS_ARCH=arm64-v8a -DCMAKE_TOOLCHAIN_FILE="$source/build/ohos/sdk/native/build/cmake/ohos.toolchain.cmake"
sysroot=$source/build/ohos/sdk/native/run/aarch64-linux-ohos
timeout 60 qemu-aarch64 -L "$sysroot" "$PWD.hello/hello_static"
timeout 60 qemu-aarch64 -L "$sysroot" -E LD_LIBRARY_PATH="$PWD/lib" "$PWD.hello/hello_shared"
timeout 60 qemu-aarch64 -L "$sysroot" bin/nsws --version
