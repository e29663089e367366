#!/bin/bash
# The header compiles in every dialect: alone, twice, with its structs declared ahead, inside extern "C", and so does the pinned layout for
# other machines' pointers. Arguments: C compiler, C++ compiler, include directory.
set -euo pipefail
cc=$1 cxx=$2 include=$3
layout=$(dirname "$0")/c/layout.c
strict=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$include")
once='#include <netstack_websocket.h>'
twice=$once$'\n'$once
ahead=$'struct nsws_open_event;\nvoid heard(const struct nsws_open_event *);\n'"$once"$'
  void told(const nsws_open_event *);\nvoid told(const nsws_open_event *event) { heard(event); }'
inside=$'extern "C" {\n'$once$'\n}'

for standard in c99 c11; do
  "$cc" "${strict[@]}" -std=$standard -x c - <<<"$once"
  "$cc" "${strict[@]}" -std=$standard -x c - <<<"$twice"
  "$cc" "${strict[@]}" -std=$standard -x c - <<<"$ahead"
done
for standard in c++11 c++17; do
  for text in "$once" "$twice" "$ahead" "$inside"; do
    "$cxx" "${strict[@]}" -std=$standard -x c++ - <<<"$text"
  done
done

# Macros have no scope, so each has the prefix, except for one that is the old name of a function.
if grep -E '^#define ' "$include/netstack_websocket.h" | grep -vE '^#define (NSWS_|NETSTACK_WEBSOCKET_H$|nsws_server_port nsws_server_get_port$)'; then
  echo 'The header defines macros without the prefix NSWS_.'
  exit 1
fi

# The C++ header, with and without exceptions and run-time types.
for standard in c++17 c++20; do
  for features in "" "-fno-exceptions -fno-rtti"; do
    for text in '#include <netstack_websocket.hpp>' $'#include <netstack_websocket.hpp>\n#include <netstack_websocket.hpp>'; do
      # shellcheck disable=SC2086
      "$cxx" "${strict[@]}" $features -std=$standard -x c++ - <<<"$text"
    done
  done
done

# Freestanding, so that no system headers of the other machine are needed.
other() { "$@" -ffreestanding -fsyntax-only -std=c11 -I "$include" "$layout"; }
if "$cc" -m32 -ffreestanding -fsyntax-only -x c /dev/null 2>/dev/null; then
  other "$cc" -m32
fi
if command -v clang >/dev/null; then
  other clang --target=armv7-linux-gnueabi
  other clang --target=aarch64-linux-gnu
fi
