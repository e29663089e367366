#!/bin/bash
# Every GN target builds and links, in a stand-in for OpenHarmony's source tree, from vendored crates and without a network;
# and is what bundle.json and NetStack's own targets say: names, folders, part, inner API.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/build/gn
root=$work/root
vendor=$work/vendor
cargo=$(command -v cargo)

if ! cmp -s Cargo.lock "$work/vendored"; then
  rm -rf "$vendor"
  cargo vendor --quiet --locked --versioned-dirs "$vendor" >/dev/null
  cp Cargo.lock "$work/vendored"
fi

# The output of GN and ninja stays, so that the next run is quick.
mkdir -p "$root/prebuilt" "$root/foundation/communication/netstack"
cp tests/gn/dotfile.gn "$root/.gn"
cp -r tests/gn/build tests/gn/parts "$root"
ln -sfn "$PWD" "$root/foundation/communication/netstack/netstack_websocket"
gn=//foundation/communication/netstack/netstack_websocket/ohos/gn
echo "group(\"default\") { deps = [ \"$gn:all_of_netstack_websocket\" ] }" >"$root/BUILD.gn"

# A home of its own, so that cargo finds only those crates; no network, not even loopback.
offline() {
  local as_root=--map-root-user
  [ "$(id -u)" != 0 ] || as_root=
  env CARGO_HOME="$work/cargo-home" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" unshare $as_root --net "$@"
}

make() { # OUT GN_ARGS
  gn gen "$root/out/$1" --root="$root" --script-executable=python3 --fail-on-unused-args --args="
    netstack_websocket_cargo=\"$cargo\" netstack_websocket_vendor=\"$vendor\" netstack_websocket_profile=\"dev\" $2"
  offline ninja -C "$root/out/$1"
}
make source ""
python3 tests/gn/check.py "$root/out/source" ohos/gn/bundle.json
# Each library that programs load brings the hooks of system images; is_tv() is the one that an argument leaves out.
surfaces_with_is_tv() {
  local library
  for library in "$root/out/$1"/communication/netstack/*websocket*.so; do
    if [[ $(nm "$library") == *5is_tvEPv* ]]; then
      basename "$library"
    fi
  done
}
[ "$(surfaces_with_is_tv source | wc -l)" = 3 ]
# The second time there is nothing to do.
offline ninja -C "$root/out/source" | grep 'no work to do'

# With compression, if asked.
made="$root/out/source/gen/${gn#//}"
if grep -q zlib_rs "$made/libnetstack_websocket.a"; then
  exit 1
fi
make source nsws_deflate=true
grep -q zlib_rs "$made/libnetstack_websocket.a"

# With the libraries of a release instead of cargo.
cp "$made"/libnetstack_websocket.{so,a} "$root/prebuilt"
make prebuilt 'netstack_websocket_prebuilt="//prebuilt" nsws_servers_on_all_devices=true'
[ -z "$(surfaces_with_is_tv prebuilt)" ]
python3 tests/gn/check.py "$root/out/prebuilt" ohos/gn/bundle.json
