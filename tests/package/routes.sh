#!/bin/bash
# The ways to the library that docs/guide/install.md describes in blocks whose kind has "released": each works as it stands there,
# with what "scripts/package source deb npm npm-arm64" has made.
#
# CMake builds the source with its crates, as a project and as a part of one, and so do cargo-c, Conan and vcpkg, if there is one: all
# without a network. The npm packages are installed and used. Lintian finds nothing in the Debian packages, and they are installed on
# a bare Debian: the tool first, and then a compiler, for the README's program.
set -euo pipefail
. "$(dirname "$0")/../../scripts/common"
venv
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
packages=$PWD/build/package
source=$packages/netstack-websocket-$version.tar.gz
root=$PWD/build/routes
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work" "$root"' EXIT
node_modules
cargo_c

# Each block of README and page becomes a file of $work/blocks, whose name ends with the heading above it.
mkdir "$work/blocks"
python3 - "$work/blocks" <<'END'
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "docs/site")
from markdown_page import PROJECT, Page
for name in "README.md", "docs/guide/install.md":
    for number, (section, kind, text) in enumerate(Page((PROJECT / name).read_text()).code):
        if kind.endswith(" released") or section == "A program" or kind == "cmake typed":
            with open(f"{sys.argv[1]}/{number:02} {section}", "w") as file:
                file.write(text)
END

take() { # HEADING: prints the first of its blocks, each only once
  local found=("$work/blocks"/*" $1")
  cat "${found[0]}"
  rm "${found[0]}"
}

without_network() {
  local user=()
  [ "$(id -u)" = 0 ] || user=(--map-root-user)
  unshare "${user[@]}" --net --pid --fork --kill-child "$@"
}

with_loopback() {
  # shellcheck disable=SC2016
  without_network bash -ec 'ip link set lo up && "$@"' - "$@"
}

has_library() { # shared|static PROGRAM
  local found=static
  ! readelf -dW "$2" | grep -q 'NEEDED.*libnetstack_websocket' || found=shared
  [ $found = "$1" ] || { echo "$2 has the $found library"; exit 1; }
}

# A server that a line starts is there for the next one, for programs that don't try again.
awaiting_servers() { # TEXT
  awk '{ print } / &$/ { print "timeout 120 bash -c \"until (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 0.05; done\"" }' <<<"$1"
}

say() {
  echo
  echo "--- $1"
}

say "the source"
# A build that is quick, and not for use.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
mkdir "$work/source"
cp "$source" "$work/source"
cd "$work/source"
without_network bash -exc "$(take "Without a network")
bin=build/release/bin/nsws
\$bin --version
cargo metadata --locked --offline --format-version 1 >/dev/null"

say "npm"
PATH=$PWD/netstack-websocket-$version/build/release/bin:$PATH # nsws
tsc=$(dirname "$packages")/js/node_modules/typescript/bin/tsc
mkdir "$work/npm"
cd "$work/npm"
cp "$packages/netstack-websocket-$version-npm-x64.tgz" .
npm_config_cache=$work/npm-cache npm_config_offline=true npm_config_audit=false without_network bash -exc "$(take npm)"
! grep -E '"(private|scripts)"' node_modules/netstack-websocket/package.json || exit 1
take npm >hello.mjs
connect=$(take npm)
{ take npm; tail -n +2 hello.mjs; } >hello.cjs
cp hello.mjs hello.mts
cp hello.mjs hello.cts
node "$tsc" --strict --noEmit --module nodenext --target es2022 --lib es2022,dom hello.mts hello.cts
says_hello() { # FOLDER COMMAND: in place of "node hello.mjs"
  local said
  said=$(cd "$1" && with_loopback bash -exc "${connect/node hello.mjs/$2}")
  grep -x hello <<<"$said"
}
says_hello . "node hello.mjs"
says_hello . "node hello.cjs"
# npm refuses the package for another processor.
arm64=$(dirname "$packages")/debian-arm64
mkdir -p arm64/node_modules/netstack-websocket
tar -xzf "$packages/netstack-websocket-$version-npm-arm64.tgz" --strip-components=1 -C arm64/node_modules/netstack-websocket
cp hello.mjs arm64
says_hello arm64 "qemu-aarch64 -L $arm64 $arm64/usr/bin/node hello.mjs"
cd "$work/source"
rm -r "$work"/npm*

say "a project that fetches it"
mkdir "$work/project"
cd "$work/project"
cp "$source" .
cp "$OLDPWD/netstack-websocket-$version/tests/package/hello.c" client.c
{
  printf 'cmake_minimum_required(VERSION 3.16...3.24)\nproject(client LANGUAGES C)\nadd_executable(client client.c)\n'
  take "As part of a CMake project"
} >CMakeLists.txt
without_network bash -exc 'cmake -S . -B build && cmake --build build && build/client'

say "cargo-c"
mkdir "$work/cargo-c" "$work/home"
cd "$work/cargo-c"
cp "$source" .
program=("$work/blocks"/*" A program")
cp "${program[0]}" client.c
(
  export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} HOME=$work/home
  without_network bash -exc "$(take cargo-c)"
  without_network bash -exc "$(take cargo-c)"
)
# CMake installs the same, hardened in the same way.
unpacked=$work/source/netstack-websocket-$version prefix=$work/home/.local
cmake --install "$unpacked/build/release" --prefix "$work/by-cmake" >/dev/null
installed() { # PREFIX
  (cd "$1" && find include lib -path lib/cmake -prune -o -printf '%p %M\n' | LC_ALL=C sort)
  PKG_CONFIG_PATH=$1/lib/pkgconfig pkg-config --modversion netstack_websocket
  PKG_CONFIG_PATH=$1/lib/pkgconfig pkg-config --static --libs-only-l netstack_websocket | xargs -n 1 | LC_ALL=C sort -u
}
diff -u <(installed "$work/by-cmake") <(installed "$prefix")
diff -r "$work/by-cmake/include" "$prefix/include"
soname=$(readelf -dW "$work/by-cmake/lib/libnetstack_websocket.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
"$unpacked/tests/exports.sh" "$prefix/lib/libnetstack_websocket.so" "$soname" "$unpacked/tests/symbols.txt"
"$unpacked/tests/hardened.sh" "$work;$HOME" "$prefix/lib/libnetstack_websocket.so"
! grep -F -e "$work/" -e "$HOME/" "$prefix/lib/libnetstack_websocket.a" || exit 1
read -ra flags < <(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --static --cflags --libs netstack_websocket |
  sed 's/-lnetstack_websocket/-l:libnetstack_websocket.a/')
cc client.c "${flags[@]}" -o client-static
has_library shared client
has_library static client-static
for program in client client-static; do
  said=$(with_loopback bash -exc "$(awaiting_servers $'nsws echo 8080 &\n./'"$program ws://127.0.0.1:8080/")")
  grep -x 'message: hello' <<<"$said"
done
rm -r "$work/cargo-c" "$work/home" "$work/by-cmake"
cd "$work/project"

say "Conan"
# Cargo builds once for both packages.
export CONAN_HOME=$work/conan CARGO_TARGET_DIR=$work/conan-target
PATH=$(dirname "$python"):$PATH
conan profile detect
create=$(take Conan)
take Conan >conanfile.txt
build=$(take Conan)
find=$(take "Link a program")

makes_project() { # LIBRARY OTHER: of a program with the one; CMake fails where the other is, too
  cat >CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.16...3.24)
project(client LANGUAGES C)
add_executable(client client.c)
${find/NetStackWebSocket::shared/NetStackWebSocket::$1}
if(TARGET NetStackWebSocket::$2)
  message(FATAL_ERROR "The package has the $2 library, too")
endif()
END
  rm -rf build
}

conan_package() { # LIBRARY OTHER [OPTION]: the package has the one, for CMake and for pkg-config, and not the other
  makes_project "$1" "$2"
  without_network bash -exc "$(sed "/^conan /s|$| ${3:-}|" <<END
$create
$build
build/client
conan install . --generator=PkgConfigDeps --output-folder=build/others
END
  )"
  local flags
  read -ra flags < <(PKG_CONFIG_PATH=build/others pkg-config --cflags --libs netstack_websocket)
  cc client.c "${flags[@]}" -o build/by_pkg_config
  # shellcheck source=/dev/null
  (. build/others/conanrun.sh && build/by_pkg_config)
  has_library "$1" build/client
  has_library "$1" build/by_pkg_config
}
conan_package shared static
conan_package static shared "-o 'netstack-websocket/*:shared=False'"
ls "$CONAN_HOME"/p/b/*/p/licenses/rustls-*/LICENSE-MIT "$CONAN_HOME"/p/b/*/p/sbom.cdx.json

say "vcpkg"
vcpkg=${VCPKG_ROOT:-$(dirname "$(realpath "$(command -v vcpkg || echo vcpkg)")")}
if [ -x "$vcpkg/vcpkg" ] && [ -d "$vcpkg/ports" ]; then
  # It takes the tools that are installed, and writes nothing where it is.
  export VCPKG_ROOT=$vcpkg VCPKG_FORCE_SYSTEM_BINARIES=1 VCPKG_BINARY_SOURCES=clear VCPKG_DOWNLOADS=$work/vcpkg VCPKG_DISABLE_METRICS=1
  mkdir "$work/vcpkg"
  unpack=$(take vcpkg)
  take vcpkg >vcpkg.json
  build=$(take vcpkg)
  roots="--x-buildtrees-root=$work/vcpkg/buildtrees;--x-packages-root=$work/vcpkg/packages"

  vcpkg_package() { # LIBRARY OTHER TRIPLET
    makes_project "$1" "$2"
    without_network bash -exc "$unpack
${build/-S/-DVCPKG_TARGET_TRIPLET=$3 '-DVCPKG_INSTALL_OPTIONS=$roots' -S}
build/client"
    has_library "$1" build/client
  }
  vcpkg_package static shared x64-linux
  vcpkg_package shared static x64-linux-dynamic
  rm -r "$work/vcpkg"
else
  echo "****** SKIPPED: the port for vcpkg, since there is no vcpkg; VCPKG_ROOT names one ******"
  rm "$work/blocks"/*" vcpkg"
fi
unset CONAN_HOME CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_LTO CARGO_PROFILE_RELEASE_OPT_LEVEL CARGO_PROFILE_RELEASE_CODEGEN_UNITS
cd "$(dirname "$packages")/.."
rm -r "$work/source" "$work/project" "$work/conan" "$work/conan-target"

say "lycium"
if [ -x "${LYCIUM_ROOT:-}/build.sh" ]; then
  native=$PWD/build/ohos/sdk/native
  ohos/toolchain/make-sdk "$native"
  rust_source
  # It writes into its folder and into the SDK, whose own CMake it takes.
  mkdir -p "$work/lycium"/{thirdparty,community,program} "$work/sdk/native/build-tools/cmake/bin"
  cp -r "$LYCIUM_ROOT" "$work/lycium/lycium"
  cp -a "$native" "$work/sdk"
  ln -s "$(command -v cmake)" "$work/sdk/native/build-tools/cmake/bin"
  cp tests/package/hello.c "$work/lycium/program"
  # Rust's standard library is built from its sources, which takes other crates than those of the source package.
  tar -x --exclude='*/vendor' -C "$work/lycium" -f "$source"
  cp .cargo/config.toml "$work/lycium/netstack-websocket-$version/.cargo"
  tar -cz -C "$work/lycium" -f "$work/lycium/program/${source##*/}" "netstack-websocket-$version"
  cd "$work/lycium/program"
  env PATH=/usr/bin:/bin CARGO_PROFILE_OHOS_LTO=off CARGO_PROFILE_OHOS_OPT_LEVEL=0 CARGO_PROFILE_OHOS_CODEGEN_UNITS=16 NSWS_BUILD_STD=ON \
    OHOS_SDK="$work/sdk" LYCIUM_ROOT="$work/lycium/lycium" bash -exc "$(take lycium)"

  runs_hello() { # ABI TRIPLE: with the shared and the static library
    local installed=$work/lycium/lycium/usr/netstack-websocket/$1 flags emulator
    emulator=(timeout 60 "qemu-${2%%-*}" -L "$native/run/$2")
    read -ra flags < <(PKG_CONFIG_PATH=$installed/lib/pkgconfig pkg-config --static --cflags --libs netstack_websocket)
    "$native/llvm/bin/clang" --target="$2" --sysroot="$native/sysroot" -D__MUSL__ hello.c "${flags[@]}" -o shared
    "$native/llvm/bin/clang" --target="$2" --sysroot="$native/sysroot" -D__MUSL__ hello.c \
      "${flags[@]/-lnetstack_websocket/-l:libnetstack_websocket.a}" -o static
    "${emulator[@]}" -E LD_LIBRARY_PATH="$installed/lib" shared
    "${emulator[@]}" static
  }
  runs_hello arm64-v8a aarch64-linux-ohos
  runs_hello armeabi-v7a arm-linux-ohos
  cd "$packages/../.."
  rm -r "$work/lycium" "$work/sdk"
else
  echo "****** SKIPPED: the recipe for lycium, since LYCIUM_ROOT names no lycium ******"
  rm "$work/blocks"/*" lycium"
fi

say "the Debian packages"
lintian --fail-on error,warning "$packages"/*.deb
if [ "$(id -u)" != 0 ]; then
  echo "****** SKIPPED: only root can install packages ******"
  exit
fi
debian_root "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root"
echo 'APT::Install-Recommends "false";' >"$root/etc/apt/apt.conf.d/90small"
cp "$packages"/*.deb "$root/root"

# In the bare Debian, as root, where the packages are.
typed() { # TEXT [COMMAND...]: within that command
  echo "$1" >"$root/root/typed"
  "${@:2}" chroot "$root" bash -exc 'cd; . ./typed' <<<y
}

start=$SECONDS
typed "$(take "Debian packages")"
! chroot "$root" bash -c 'command -v cc' || exit 1
said=$(typed "$(take "Debian packages")" with_loopback)
grep -x hello <<<"$said"
echo "The first message came within $((SECONDS - start)) s of the command that installs."
for file in man/man1/nsws.1.gz bash-completion/completions/nsws zsh/vendor-completions/_nsws fish/vendor_completions.d/nsws.fish; do
  [ -s "$root/usr/share/$file" ] || { echo "usr/share/$file is not installed"; exit 1; }
done

typed "$(take "Debian packages")"
take "A program" >"$root/root/client.c"
typed "$(take "A program")"
said=$(typed "$(awaiting_servers $'nsws echo 8080 &\n./client ws://127.0.0.1:8080/')" with_loopback)
grep -x 'message: hello' <<<"$said"
grep -x 'closed: 1000 .*' <<<"$said"
[ -s "$root/usr/share/man/man3/nsws_client_connect.3.gz" ]

[ -z "$(ls "$work/blocks")" ] || { echo "Nothing has typed: $(ls "$work/blocks")"; exit 1; }
