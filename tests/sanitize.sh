#!/bin/bash
# Runs the C and C++ tests with a sanitizer that sees all code, C and Rust, including the standard library: it sees all that
# allocates, frees and synchronises, so that nothing needs to be suppressed.
#
#     sanitize.sh address|thread BUILD_DIR [CMAKE_OPTION...]      with NSWS_BUILD_ONLY=1, only builds them
#     sanitize.sh check                                           only says whether it could
#
# It needs a Rust that has its library's source (see rust_source.sh) and the clang of the same LLVM with its runtime, such as
# clang-22 and libclang-rt-22-dev. Without them: status 77.
set -euo pipefail
sanitizer=$1 build=$(realpath -m "${2:-.}")
cd "$(dirname "$0")/.."
. tests/rust_source.sh

toolchain() { # sets rustc and llvm
  for rustc in $(rust_with_source); do
    llvm=$("$rustc" -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    [ ! -d "$("clang-$llvm" --print-resource-dir 2>/dev/null)/lib/linux" ] || return 0
  done
  return 1
}
if ! toolchain; then
  echo "There is no Rust with its library's source and clang of the same LLVM."
  exit 77
fi
host=$("$rustc" -vV | sed -n 's/^host: //p')
echo "$("$rustc" --version), clang-$llvm"
[ "$sanitizer" != check ] || exit 0

# With this, stable Rust can instrument its library, too.
export RUSTC_BOOTSTRAP=1 RUSTC=$rustc RUSTFLAGS="-Zsanitizer=$sanitizer -Zexternal-clangrt"
export CARGO_PROFILE_DEV_DEBUG=line-tables-only
flags="-fsanitize=$sanitizer -O1"
# Undefined behaviour in C and C++, too.
[ "$sanitizer" != address ] || flags="$flags -fsanitize=undefined -fno-sanitize-recover=undefined"
cargo_flags="--locked;-Zbuild-std=std,panic_unwind;--target=$host;--target-dir=$build/cargo"
rm -f "$build/CMakeCache.txt" # CMake mishandles a compiler that changes
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DCARGO="$(dirname "$rustc")/cargo" \
  -DNSWS_CARGO_FLAGS="$cargo_flags" -DCARGO_TARGET_DIR="$build/cargo/$host" \
  -DCMAKE_C_COMPILER="clang-$llvm" -DCMAKE_CXX_COMPILER="clang++-$llvm" \
  -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" \
  -DNSWS_TEST_TIMEOUT=600 -DNSWS_VALGRIND= -DNSWS_BUILD_EXAMPLES=OFF "${@:3}"
cmake --build "$build"
[ -z "${NSWS_BUILD_ONLY:-}" ] || exit 0
# The C client of the NDK has no call that ends the threads, so a process may end with them.
symbols=external_symbolizer_path=$(command -v addr2line)
export NSWS_TEST_SLOW=10 ASAN_OPTIONS=$symbols TSAN_OPTIONS="$symbols report_thread_leaks=0"
# A sanitizer changes how much memory and address space a process needs.
distorted='/exports$|/engine_(memory|address_space|queue)$'
# A failed test runs again: guards of some seconds can run out when code is ten times slower. But what a sanitizer finds counts
# the first time.
ctest --test-dir "$build" --output-on-failure --no-tests=error -j 3 --repeat until-pass:2 -R '^(c|cpp|ndk|innerkit)/' -E "$distorted" |
  tee "$build/ctest.log"
! grep -E 'WARNING: ThreadSanitizer|ERROR: (Address|Leak)Sanitizer|: runtime error: ' "$build/ctest.log"
