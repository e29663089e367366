#!/bin/bash
# Installs the library into a prefix, moves that, and builds and runs users' programs with it: by CMake, installed and as a
# subdirectory, and by pkg-config.
# Arguments: cmake, build directory, generator, C compiler, C++ compiler, cargo's target directory, the surfaces that were
# built (separated by ;).
set -euo pipefail
cmake=$1 build=$2 generator=$3 cc=$4 cxx=$5 cargo_dir=$6 surfaces=$7
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/first" >/dev/null
prefix=$work/moved
mv "$work/first" "$prefix"
library_dir=$(dirname "$(find "$prefix" -name libnetstack_websocket.a)")

# The tool finds the library from where it lies.
if [ -e "$build/bin/nsws" ]; then
  "$prefix/bin/nsws" --version
  cmp "$build/bin/nsws" "$prefix/bin/nsws"
  for file in man/man1/nsws.1 bash-completion/completions/nsws zsh/site-functions/_nsws fish/vendor_completions.d/nsws.fish; do
    [ -s "$prefix/share/$file" ] || { echo "share/$file is not installed"; exit 1; }
  done
fi

# A man page for each function, where they are made.
if [ -d "$build/man3" ]; then
  [ "$(ls "$build/man3")" = "$(ls "$prefix/share/man/man3")" ] || { echo "share/man/man3 lacks pages"; exit 1; }
fi

loads() { # PROGRAM yes|no: it runs, and needs our shared library or not
  "$1"
  if readelf -dW "$1" | grep -q 'NEEDED.*libnetstack_websocket.so.0'; then local found=yes; else local found=no; fi
  [ $found = "$2" ] || { echo "$1 needs the shared library: $found"; exit 1; }
}

cmake_project() { # NAME OPTIONS...
  "$cmake" -S "$here" -B "$work/$1" -G "$generator" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
    -DSURFACES="$surfaces" "${@:2}"
  "$cmake" --build "$work/$1"
  loads "$work/$1/hello_shared" yes
  loads "$work/$1/hello_static" no
  loads "$work/$1/hello_cpp" yes
  local surface
  for surface in ${surfaces//;/ }; do
    loads "$work/$1/hello_$surface" no
  done
}
cmake_project installed -DCMAKE_PREFIX_PATH="$prefix"
cmake_project subdirectory -DSOURCE_TREE="$here/../.." -DCARGO_TARGET_DIR="$cargo_dir" -DNSWS_BUILD_NDK=ON -DNSWS_BUILD_INNERKIT=ON

export PKG_CONFIG_PATH=$library_dir/pkgconfig
read -ra flags < <(pkg-config --cflags --libs netstack_websocket)
"$cc" "$here/hello.c" "${flags[@]}" -Wl,-rpath,"$library_dir" -o "$work/by_pkg_config"
loads "$work/by_pkg_config" yes

# As the README says: --static lists what the library needs, and the linker is made to take the .a.
read -ra flags < <(pkg-config --static --cflags --libs netstack_websocket |
  sed 's/-lnetstack_websocket/-l:libnetstack_websocket.a/')
"$cc" "$here/hello.c" "${flags[@]}" -o "$work/by_pkg_config_static"
loads "$work/by_pkg_config_static" no
