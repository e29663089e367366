#!/bin/bash
# NetStack's engine files compile where their folder alone was copied to, as ohos/gn/README.md says, and with a layer that knows of
# allowed origins. Arguments: the C++ compiler, the include directory of the library, that of Node-API.
set -euo pipefail
cxx=$1 include=$2 node=$3
here=$(cd "$(dirname "$0")" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -rL "$here/../../ohos/netstack" "$copy/engine"
for source in "$copy"/engine/*.cpp; do
  for layer in WITHOUT_ORIGINS WITH_ORIGINS; do
    "$cxx" -std=c++17 -Wall -Wextra -Werror -fsyntax-only -DLAYER_$layer -I "$here" -I "$copy/engine" -I "$include" -I "$node" "$source"
  done
done
