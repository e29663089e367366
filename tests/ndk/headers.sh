#!/bin/bash
# The NDK's headers compile as C and C++ in every dialect, alone, twice and inside extern "C", and the layout that is
# pinned is that of 64 and of 32 bits. Arguments: C compiler, C++ compiler, include directory.
set -euo pipefail
cc=$1 cxx=$2 include=$3
layout=$(dirname "$0")/layout.c
strict=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$include")

for header in network/netstack/net_websocket.h network/netstack/net_websocket_type.h; do
  once="#include <$header>"
  twice=$once$'\n'$once
  for standard in c99 c11; do
    "$cc" "${strict[@]}" -std=$standard -x c - <<<"$twice"
  done
  for standard in c++11 c++17; do
    for text in "$once" "$twice" $'extern "C" {\n'"$once"$'\n}'; do
      "$cxx" "${strict[@]}" -std=$standard -x c++ - <<<"$text"
    done
  done
done

pins=(-ffreestanding -fsyntax-only -I "$include/network/netstack" "$layout")
"$cc" -std=c11 "${pins[@]}"
"$cxx" -std=c++11 -x c++ "${pins[@]}"
if "$cc" -m32 -ffreestanding -fsyntax-only -x c /dev/null 2>/dev/null; then
  "$cc" -m32 -std=c11 "${pins[@]}"
fi
if command -v clang >/dev/null; then
  clang --target=armv7-linux-gnueabi -std=c11 "${pins[@]}"
  clang --target=aarch64-linux-gnu -std=c11 "${pins[@]}"
fi
