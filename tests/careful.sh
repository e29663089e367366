#!/bin/bash
# Runs the Rust tests with a standard library that has its debug assertions, as cargo-careful does: the preconditions of unsafe
# functions are checked, in the library and in the crates that it uses, and so are overflows and that values are initialised.
#
#     careful.sh TARGET_DIR [ARGUMENT...]      arguments are for cargo test
#
# By hand, since it builds everything once more: over five minutes of processor time, of which the tests take one. It needs a Rust that
# has its library's source (see rust_source.sh). Without it: status 77.
set -euo pipefail
target=$(realpath -m "$1")
cd "$(dirname "$0")/.."
. tests/rust_source.sh

rustc=$(rust_with_source)
rustc=${rustc%%$'\n'*}
if [ -z "$rustc" ]; then
  echo "No Rust with the standard library's source was found."
  exit 77
fi
host=$("$rustc" -vV | sed -n 's/^host: //p')
"$rustc" --version

# With this, stable Rust can build its library, too.
export RUSTC_BOOTSTRAP=1 RUSTC=$rustc RUSTFLAGS="-Zextra-const-ub-checks -Zstrict-init-checks --cfg careful"
export CARGO_PROFILE_DEV_DEBUG=line-tables-only CARGO_INCREMENTAL=0
"$(dirname "$rustc")/cargo" test --locked -Zbuild-std --target "$host" --target-dir "$target" --lib --tests "${@:2}"
