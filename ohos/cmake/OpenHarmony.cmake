# Makes cargo build for OpenHarmony with the SDK that CMake was configured with:
#
#     cmake -DCMAKE_TOOLCHAIN_FILE=<sdk>/native/build/cmake/ohos.toolchain.cmake -DOHOS_ARCH=arm64-v8a|armeabi-v7a|x86_64
#
# The rest of the build uses what is set here: NSWS_RUST_TARGET, NSWS_CARGO_CONFIG, NSWS_CARGO_ENVIRONMENT and
# NSWS_RUSTC_FLAGS.

option(NSWS_BUILD_STD "Build Rust's standard library too, from the rust-src package; no rustup is needed then" OFF)

set(machine_flags "")
if(OHOS_ARCH STREQUAL "arm64-v8a")
  set(NSWS_RUST_TARGET aarch64-unknown-linux-ohos)
elseif(OHOS_ARCH STREQUAL "armeabi-v7a")
  set(NSWS_RUST_TARGET armv7-unknown-linux-ohos)
  set(machine_flags -march=armv7-a -mfloat-abi=softfp -mtune=generic-armv7-a -mthumb)
elseif(OHOS_ARCH STREQUAL "x86_64")
  set(NSWS_RUST_TARGET x86_64-unknown-linux-ohos)
else()
  message(FATAL_ERROR "OHOS_ARCH is \"${OHOS_ARCH}\"; netstack-websocket builds for arm64-v8a, armeabi-v7a and x86_64")
endif()

# The compiler that belongs to this cargo, whatever else is in PATH.
get_filename_component(cargo_dir "${CARGO}" DIRECTORY)
find_program(RUSTC rustc HINTS "${cargo_dir}" NO_CMAKE_FIND_ROOT_PATH)
execute_process(COMMAND "${RUSTC}" --print target-libdir --target ${NSWS_RUST_TARGET}
  OUTPUT_VARIABLE target_libdir ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND "${RUSTC}" --print sysroot
  OUTPUT_VARIABLE rust_sysroot ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
file(GLOB std "${target_libdir}/libstd-*.rlib")
if(NSWS_BUILD_STD)
  if(NOT EXISTS "${rust_sysroot}/lib/rustlib/src/rust/library/std")
    message(FATAL_ERROR "NSWS_BUILD_STD needs the sources of Rust's standard library, which ${RUSTC} lacks")
  endif()
elseif(NOT std)
  message(FATAL_ERROR "${RUSTC} has no standard library for ${NSWS_RUST_TARGET}: "
    "run \"rustup target add ${NSWS_RUST_TARGET}\", or set NSWS_BUILD_STD to build it from rust-src")
endif()

# RUSTFLAGS would take the place of the flags in the file.
set(NSWS_CARGO_ENVIRONMENT --unset=RUSTFLAGS --unset=CARGO_ENCODED_RUSTFLAGS "RUSTC=${RUSTC}")
# No path of this machine gets into the library.
set(registry "$ENV{CARGO_HOME}")
if(NOT registry)
  file(TO_CMAKE_PATH "$ENV{HOME}$ENV{USERPROFILE}/.cargo" registry)
endif()
set(names "${registry}/registry/src=crates" "${rust_sysroot}/lib/rustlib/src/rust=rust" "${CARGO_TARGET_DIR}=target")
# Apart from the flags of the crates: those are then built once for all checkouts that share a CARGO_TARGET_DIR.
set(NSWS_RUSTC_FLAGS "--remap-path-prefix=${PROJECT_SOURCE_DIR}=netstack-websocket")

set(flags --target=${CMAKE_C_COMPILER_TARGET} --sysroot=${CMAKE_SYSROOT} -D__MUSL__ ${machine_flags})
list(TRANSFORM flags PREPEND -Clink-arg= OUTPUT_VARIABLE rust_flags)
list(TRANSFORM names PREPEND --remap-path-prefix= OUTPUT_VARIABLE remapped)
list(APPEND rust_flags ${remapped})
# Small rather than fast: this code only decrypts key files, and runs only on processors without instructions for AES and SHA-2.
list(APPEND rust_flags "--cfg=aes_backend_soft=\"compact\"" "--cfg=sha2_backend_soft=\"compact\"")
list(APPEND names "${CMAKE_SYSROOT}=sysroot" "${TOOLCHAIN_ROOT_PATH}=llvm")
list(TRANSFORM names PREPEND -ffile-prefix-map=)
# What makes attacks harder, as in CMakeLists.txt: the crates' C code has the flags of its target alone.
list(APPEND flags -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
list(JOIN flags "\" \"" compile_flags)
list(JOIN names "\" \"" renamed)
set(compile_flags "\"${compile_flags}\" \"${renamed}\"")

set(build_std "")
if(NSWS_BUILD_STD)
  list(APPEND NSWS_CARGO_ENVIRONMENT RUSTC_BOOTSTRAP=1)
  # Smaller: no symbols in backtraces; unwinding from calls only, which is where panics are; no names of source files,
  # which would go to stderr with a panic, and so nowhere on a device; a derived Debug prints only the type's name; and
  # recurring instructions become a function only if that saves more than the 28 bytes of its unwind table.
  string(CONCAT build_std "\n[unstable]\n"
    "build-std = ['std', 'panic_unwind', 'panic_abort']\n"
    "build-std-features = ['panic-unwind', 'optimize_for_size']")
  list(APPEND rust_flags -Zuse-sync-unwind=yes -Zlocation-detail=none -Zfmt-debug=shallow
    -Cllvm-args=-outliner-benefit-threshold=32)
endif()
list(JOIN rust_flags "', '" rust_flags)
string(REPLACE - _ underscored ${NSWS_RUST_TARGET})
set(runner "")
if(CMAKE_CROSSCOMPILING_EMULATOR)
  list(JOIN CMAKE_CROSSCOMPILING_EMULATOR "', '" runner)
  set(runner "runner = ['${runner}']")
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/cargo-config.toml.in" cargo-config.toml @ONLY)
set(NSWS_CARGO_CONFIG --config "${CMAKE_CURRENT_BINARY_DIR}/cargo-config.toml")
