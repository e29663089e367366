# Sourced: finds Rust compilers that have the source of their standard library, which can then be built in other ways:
# rustup's component rust-src; Debian's rust-src or rust-web-src.

rust_with_source() { # prints each rustc
  local rustc
  for rustc in "$(rustup which --toolchain nightly rustc 2>/dev/null || true)" $(type -aP rustc); do
    [ -z "$rustc" ] || [ ! -f "$("$rustc" --print sysroot)/lib/rustlib/src/rust/library/Cargo.toml" ] || echo "$rustc"
  done
}
