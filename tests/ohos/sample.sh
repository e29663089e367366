#!/bin/bash
# The app sample's native part builds as in DevEco Studio, with the same arguments to CMake, and the result is what an app
# package takes.
set -euo pipefail
cd "$(dirname "$0")/../.."
native=$PWD/build/ohos/sdk/native
work=$PWD/build/ohos/sample
rm -rf "$work"

cmake -S ohos/sample/entry/src/main/cpp -B "$work/build" -G Ninja -DOHOS_ARCH=arm64-v8a -DCMAKE_OHOS_ARCH_ABI=arm64-v8a \
  -DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$work/libs" -DCMAKE_BUILD_TYPE=Release -DOHOS_SDK_NATIVE="$native" \
  -DCMAKE_SYSTEM_NAME=OHOS -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
  -DCMAKE_TOOLCHAIN_FILE="$native/build/cmake/ohos.toolchain.cmake" \
  -DCARGO=/usr/bin/cargo -DNSWS_BUILD_STD=ON -DNSWS_CARGO_FLAGS=--locked -DCARGO_TARGET_DIR="$PWD/target/ohos" "$@"
cmake --build "$work/build"

library=$work/libs/libentry.so
needed=$(readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
[ "$needed" = "libace_napi.z.so libc.so " ] || { echo "libentry.so needs $needed"; exit 1; }
if nm -D --defined-only "$library" | grep nsws_; then echo "libentry.so exports them"; exit 1; fi

# Without rustup's standard library, and without the option to build it, CMake says what to do.
if message=$(cmake -S ohos/sample/entry/src/main/cpp -B "$work/none" -G Ninja -DOHOS_ARCH=arm64-v8a -DCARGO=/usr/bin/cargo \
  -DCMAKE_TOOLCHAIN_FILE="$native/build/cmake/ohos.toolchain.cmake" 2>&1); then
  echo "configured without a standard library"
  exit 1
fi
grep -q 'rustup target add aarch64-unknown-linux-ohos' <<<"$message" || { echo "$message"; exit 1; }
