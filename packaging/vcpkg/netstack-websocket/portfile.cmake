# Builds the source package that this port is in, with cargo from PATH; docs/guide/install.md shows its use.

execute_process(COMMAND uname -m OUTPUT_VARIABLE machine OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT "${machine} ${VCPKG_TARGET_ARCHITECTURE}" MATCHES "^(x86_64 x64|aarch64 arm64)$")
  message(FATAL_ERROR "This port supports only native builds.")
endif()
# Programs that are built for debugging get the same library.
set(VCPKG_BUILD_TYPE release)
set(VCPKG_POLICY_MISMATCHED_NUMBER_OF_BINARIES enabled)
# It needs no other libraries than the system's.
set(VCPKG_FIXUP_ELF_RPATH OFF)

get_filename_component(source "${CURRENT_PORT_DIR}/../../.." ABSOLUTE)
vcpkg_cmake_configure(
  SOURCE_PATH "${source}"
  OPTIONS
    -DNSWS_BUILD_TESTS=OFF
    -DNSWS_BUILD_EXAMPLES=OFF
    -DNSWS_BUILD_TOOL=OFF
    -DNSWS_MAN_PAGES=OFF
    -DNSWS_CARGO_FLAGS=--locked
)
vcpkg_cmake_install()
# The build makes both libraries.
if(VCPKG_LIBRARY_LINKAGE STREQUAL "dynamic")
  set(target NetStackWebSocket::shared)
  file(GLOB others "${CURRENT_PACKAGES_DIR}/lib/*.a")
else()
  set(target NetStackWebSocket::static)
  file(GLOB others "${CURRENT_PACKAGES_DIR}/lib/*.so*")
endif()
file(REMOVE ${others})
vcpkg_cmake_config_fixup(PACKAGE_NAME netstackwebsocket CONFIG_PATH lib/cmake/NetStackWebSocket)
vcpkg_fixup_pkgconfig()
configure_file("${CURRENT_PORT_DIR}/usage" "${CURRENT_PACKAGES_DIR}/share/${PORT}/usage" @ONLY)
vcpkg_install_copyright(FILE_LIST "${source}/LICENSE")
