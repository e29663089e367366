#!/bin/bash
# What is released is the same, byte for byte, when it is made in another folder, of the files that the released source has; it
# names no folder of this machine, and programs can be built with it. The crates and the stand-in SDK are built once for both.
# npm's package for arm64 takes long, and is made once; with NSWS_BUILD_ONLY=1, it is all that is made.
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
  names_no_folder
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
  readelf -SW "$symbols" | grep '\.debug_line' >/dev/null
}

names_no_folder() {
  local folder
  for folder in "$source" "$HOME"; do
    ! grep -rlF "$folder/" . || { echo "They name $folder."; exit 1; }
  done
}

build_id() { readelf -nW "$1" | grep 'Build ID'; }

hello() { # CMAKE_OPTION...
  cmake -S "$source/tests/package" -B "$PWD.hello" -G Ninja -DNetStackWebSocket_DIR="$PWD/lib/cmake/NetStackWebSocket" "$@"
  cmake --build "$PWD.hello"
}

rm -rf build/package/*.{deb,tar.gz,tgz}*
scripts/package npm-arm64
[ -z "${NSWS_BUILD_ONLY:-}" ] || exit 0
scripts/package source
mkdir -p "$work/elsewhere/build/ohos"
tar -x --strip-components=1 --exclude='*/vendor' -C "$work/elsewhere" -f build/package/netstack-websocket-*[0-9].tar.gz
cp .cargo/config.toml "$work/elsewhere/.cargo" # with the crates that cargo has
ln -s "$source/target" "$work/elsewhere/target"
ln -s "$source/build/ohos/sdk" "$work/elsewhere/build/ohos/sdk"
both() { # KIND...: here and elsewhere
  scripts/package "$@"
  "$work/elsewhere/scripts/package" "$@"
}
# Meanwhile the rest: linking keeps only one processor busy.
both aarch64 &
ohos=$!
"$work/elsewhere/scripts/package" source
both linux deb npm
wait $ohos
made=(build/package/*.{deb,tar.gz} build/package/*-x64.tgz)
[ ${#made[@]} = 9 ] # of the Debian packages, two have debug symbols
for file in "${made[@]}"; do
  cmp "$file" "$work/elsewhere/$file"
done
for file in build/package/*.deb; do
  dpkg-deb -x "$file" "$work/debian"
done
(cd "$work/debian" && names_no_folder)
for cpu in x64 arm64; do
  mkdir "$work/$cpu"
  tar -x -C "$work/$cpu" -f build/package/*-npm-$cpu.tgz
  (cd "$work/$cpu" && names_no_folder)
  binaries=("$work/$cpu"/package/{websocket.node,lib*.so.*})
  OPTIMIZED=1 tests/hardened.sh "$source;$HOME" "${binaries[@]}"
  for binary in "${binaries[@]}"; do
    [ -z "$(nm "$binary" 2>/dev/null)" ] || { echo "$binary holds symbols."; exit 1; }
  done
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
