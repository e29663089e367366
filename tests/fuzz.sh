#!/bin/bash
# Fuzzes each parser of outside input, and the C API (capi), for some seconds, starting from the examples in fuzz/seeds.
#
#     fuzz.sh BUILD_DIR SECONDS [TARGET...]         with NSWS_BUILD_ONLY=1, only builds the targets
#
# Inputs that reach new code stay in BUILD_DIR/TARGET and are tried first the next time; those that fail are in
# BUILD_DIR/failed. Any Rust will do: libFuzzer only needs coverage from the compiler, and the parsers are safe code, so that
# no sanitizer is needed to see them fail.
set -euo pipefail
build=$(realpath -m "$1") seconds=$2
shift 2
cd "$(dirname "$0")/../fuzz"
targets=("$@")
[ $# != 0 ] || for source in targets/*.rs; do targets+=("$(basename "$source" .rs)"); done

cp ../Cargo.lock . # the versions that the library is built with
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Ccodegen-units=1"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  coverage+=" -Cllvm-args=-sanitizer-coverage-$option"
done
RUSTFLAGS="--cfg fuzzing $coverage" cargo build --release --target "$host" --target-dir "$build/cargo"
[ -z "${NSWS_BUILD_ONLY:-}" ] || exit 0

mkdir -p "$build/failed" "$build/logs"
fuzz() { # TARGET
  mkdir -p "$build/$1"
  touch "$build/logs/$1.begun"
  "$build/cargo/$host/release/$1" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 -print_funcs=0 -artifact_prefix="$build/failed/$1-" "$build/$1" "seeds/$1" \
    >"$build/logs/$1" 2>&1
}
# One on each core, since each but capi runs on one thread.
running=() failed=() figures=()
finish() { # waits for the first of them
  local target=${running[0]%% *}
  wait "${running[0]##* }" || failed+=("$target")
  running=("${running[@]:1}")
  echo "== $target"
  tail -n 40 "$build/logs/$target"
  figures+=("$(figure "$target")")
}
# What the document of reliability has: executions, how many in a second, edges covered, and what was found.
figure() { # TARGET
  local log=$build/logs/$1 executions speed coverage found
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  found=$(find "$build/failed" -name "$1-*" -newer "$log.begun" | wc -l)
  echo "fuzz: $1: ${executions:-?} executions, ${speed:-?} a second, ${coverage:-?} edges, $found findings"
}
for target in "${targets[@]}"; do
  [ ${#running[@]} -lt "$(nproc)" ] || finish
  fuzz "$target" &
  running+=("$target $!")
done
while [ ${#running[@]} != 0 ]; do finish; done
printf '%s\n' "${figures[@]}"
echo "fuzz: $((${#targets[@]} - ${#failed[@]})) passed, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
[ ${#failed[@]} = 0 ]
