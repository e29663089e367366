# Stands in for the SDK's toolchain file: it takes the same variables (OHOS_ARCH, OHOS_STL), sets the same ones, and
# gives compiler and linker the same flags.

cmake_minimum_required(VERSION 3.6.0)

get_filename_component(OHOS_SDK_NATIVE "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
include("${CMAKE_CURRENT_LIST_DIR}/sdk_native_platforms.cmake")

set(OHOS OHOS)
set(CMAKE_SYSTEM_NAME OHOS)
set(CMAKE_SYSTEM_VERSION 1)
set(UNIX TRUE CACHE BOOL "")
if(NOT DEFINED OHOS_ARCH)
  set(OHOS_ARCH arm64-v8a)
endif()
if(NOT DEFINED OHOS_STL)
  set(OHOS_STL c++_shared)
endif()

set(CMAKE_OHOS_ARCH_ABI ${OHOS_ARCH})
set(machine_flags "")
if(OHOS_ARCH STREQUAL arm64-v8a)
  set(CMAKE_SYSTEM_PROCESSOR aarch64)
elseif(OHOS_ARCH STREQUAL armeabi-v7a)
  set(CMAKE_SYSTEM_PROCESSOR arm)
  set(machine_flags "-march=armv7a ")
elseif(OHOS_ARCH STREQUAL x86_64)
  set(CMAKE_SYSTEM_PROCESSOR x86_64)
else()
  message(FATAL_ERROR "OHOS_ARCH is ${OHOS_ARCH}; it must be arm64-v8a, armeabi-v7a or x86_64")
endif()
set(OHOS_TOOLCHAIN_NAME ${CMAKE_SYSTEM_PROCESSOR}-linux-ohos)
set(OHOS_LLVM ${OHOS_TOOLCHAIN_NAME})

set(CMAKE_SYSROOT "${OHOS_SDK_NATIVE}/sysroot")
set(CMAKE_LIBRARY_ARCHITECTURE ${OHOS_TOOLCHAIN_NAME})
list(APPEND CMAKE_SYSTEM_LIBRARY_PATH "/usr/lib/${OHOS_TOOLCHAIN_NAME}")
list(APPEND CMAKE_FIND_ROOT_PATH "${OHOS_SDK_NATIVE}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES OHOS_SDK_NATIVE OHOS_TOOLCHAIN OHOS_ARCH OHOS_PLATFORM)

set(TOOLCHAIN_ROOT_PATH "${OHOS_SDK_NATIVE}/llvm")
set(TOOLCHAIN_BIN_PATH "${OHOS_SDK_NATIVE}/llvm/bin")
set(CMAKE_C_COMPILER "${TOOLCHAIN_BIN_PATH}/clang")
set(CMAKE_CXX_COMPILER "${TOOLCHAIN_BIN_PATH}/clang++")
foreach(language C CXX ASM)
  set(CMAKE_${language}_COMPILER_TARGET ${OHOS_LLVM})
endforeach()
set(OHOS_AR "${TOOLCHAIN_BIN_PATH}/llvm-ar")
set(OHOS_RANLIB "${TOOLCHAIN_BIN_PATH}/llvm-ranlib")
set(CMAKE_AR "${OHOS_AR}" CACHE FILEPATH "Archiver")
set(CMAKE_RANLIB "${OHOS_RANLIB}" CACHE FILEPATH "Ranlib")

set(CMAKE_POSITION_INDEPENDENT_CODE TRUE)
string(CONCAT OHOS_C_COMPILER_FLAGS
  "-fdata-sections -ffunction-sections -funwind-tables -fstack-protector-strong -no-canonical-prefixes -fno-addrsig "
  "-Wa,--noexecstack -Wformat -Werror=format-security ${machine_flags}")
set(CMAKE_C_FLAGS "${OHOS_C_COMPILER_FLAGS} -D__MUSL__" CACHE STRING "")
set(CMAKE_C_STANDARD_LIBRARIES_INIT "-lm")
set(CMAKE_CXX_STANDARD_LIBRARIES_INIT "-lm")

set(stl_compile_flag "")
set(stl_link_flag "")
if(OHOS_STL STREQUAL c++_static)
  set(stl_link_flag "-static-libstdc++ ")
elseif(OHOS_STL STREQUAL none)
  set(stl_compile_flag "-nostdinc++ ")
  set(stl_link_flag "-nostdlib++ ")
endif()
set(CMAKE_CXX_FLAGS "${OHOS_C_COMPILER_FLAGS} ${stl_compile_flag}-D__MUSL__" CACHE STRING "")
string(CONCAT OHOS_COMMON_LINKER_FLAGS
  "--rtlib=compiler-rt -fuse-ld=lld ${stl_link_flag}-Wl,--build-id=sha1 -Wl,--warn-shared-textrel -Wl,--fatal-warnings "
  "-lunwind -Wl,--no-undefined -Qunused-arguments -Wl,-z,noexecstack")
set(CMAKE_SHARED_LINKER_FLAGS "${OHOS_COMMON_LINKER_FLAGS}" CACHE STRING "")
set(CMAKE_MODULE_LINKER_FLAGS "${OHOS_COMMON_LINKER_FLAGS}" CACHE STRING "")
set(CMAKE_EXE_LINKER_FLAGS "${OHOS_COMMON_LINKER_FLAGS} -Wl,--gc-sections" CACHE STRING "")

# The SDK's own cmake knows the system OHOS; Debian's finds it here.
list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}/modules")
