#!/bin/bash
# The C++ of the surfaces and of the wrapper, the tool's C and that of examples/apps are formatted as .clang-format says. Versions of
# clang-format other than 14 break some lines elsewhere. ohos/ndk/include are C headers.
set -euo pipefail
cd "$(dirname "$0")/.."
format=$(command -v clang-format-14 || command -v clang-format || true)
if ! "${format:-false}" --version 2>/dev/null | grep -q 'version 14\.'; then
  echo 'SKIPPED: there is no clang-format 14'
  exit 77
fi
find include ohos tool examples/apps examples/c/values.* -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -path 'tool/*.c' -o -path 'examples/*.c' |
  grep -vE '^(include/netstack_websocket\.h$|ohos/(ndk/include|sample|toolchain)/)' |
  xargs "$format" --dry-run -Werror
