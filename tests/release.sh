#!/bin/bash
# A release's tarball is the same bytes when it is made in another folder, names no folder of this machine, and is what an
# app for OpenHarmony is built with. What is not ours, the crates and the stand-in SDK, is built once for both.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
export SOURCE_DATE_EPOCH=1700000000

scripts/package aarch64
tarball=$(echo "$PWD"/build/package/netstack-websocket-*-aarch64-linux-ohos.tar.gz)

mkdir -p "$work/elsewhere/build/ohos"
tar -c --exclude=./target --exclude=./build --exclude=./.git --exclude=node_modules . | tar -x -C "$work/elsewhere"
ln -s "$PWD/target" "$work/elsewhere/target"
ln -s "$PWD/build/ohos/sdk" "$work/elsewhere/build/ohos/sdk"
"$work/elsewhere/scripts/package" aarch64
cmp "$tarball" "$work/elsewhere/build/package/$(basename "$tarball")"

(cd build/package && sha256sum --quiet -c "$(basename "$tarball").sha256")
tar -x -C "$work" -f "$tarball"
cd "$work"/netstack-websocket-*
sha256sum --quiet -c SHA256SUMS
for folder in "$OLDPWD" "$HOME"; do
  ! grep -rlF "$folder/" . || { echo "They name $folder."; exit 1; }
done

cmp include/netstack_websocket.h "$OLDPWD/include/netstack_websocket.h"
[ -z "$(nm lib/libnetstack_websocket.so 2>/dev/null)" ] || { echo "The library holds symbols."; exit 1; }
build_id() { readelf -nW "$1" | grep 'Build ID'; }
[ "$(build_id lib/libnetstack_websocket.so)" = "$(build_id lib/.debug/libnetstack_websocket.so.debug)" ]
readelf -SW lib/.debug/libnetstack_websocket.so.debug | grep -q '\.debug_line'

cmake -S "$OLDPWD/tests/package" -B "$work/program" -G Ninja -DOHOS_ARCH=arm64-v8a -DNetStackWebSocket_DIR="$PWD/lib/cmake/NetStackWebSocket" \
  -DCMAKE_TOOLCHAIN_FILE="$OLDPWD/build/ohos/sdk/native/build/cmake/ohos.toolchain.cmake"
cmake --build "$work/program"
sysroot=$OLDPWD/build/ohos/sdk/native/run/aarch64-linux-ohos
timeout 60 qemu-aarch64 -L "$sysroot" "$work/program/hello_static"
timeout 60 qemu-aarch64 -L "$sysroot" -E LD_LIBRARY_PATH="$PWD/lib" "$work/program/hello_shared"
