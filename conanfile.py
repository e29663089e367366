"""The recipe for Conan 2; docs/guide/install.md shows its use. It takes cargo from PATH, and the crates from vendor/, which a source package
has, or else from the network."""

import os
import re
import sys

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import cross_building
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rm

required_conan_version = ">=2.4"


class NetStackWebSocket(ConanFile):
    name = "netstack-websocket"
    license = "Apache-2.0"
    description = "Embeddable WebSocket clients and servers behind a C ABI"
    topics = "websocket", "rfc6455", "client", "server"
    package_type = "library"
    languages = "C"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False]}
    default_options = {"shared": True}
    exports_sources = (
        ".cargo/*", "CMakeLists.txt", "Cargo.lock", "Cargo.toml", "LICENSE", "build.rs", "cmake/*", "include/*", "scripts/sbom",
        "src/*", "vendor/*",
    )
    no_copy_source = True

    def set_version(self):
        self.version = re.search(r'(?m)^version = "(.+)"$', load(self, os.path.join(self.recipe_folder, "Cargo.toml")))[1]

    def validate(self):
        if self.settings.os != "Linux" or cross_building(self):
            raise ConanInvalidConfiguration("This recipe supports only native builds on Linux.")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in "TESTS", "EXAMPLES", "TOOL":
            toolchain.cache_variables[f"NSWS_BUILD_{part}"] = False
        toolchain.cache_variables["NSWS_MAN_PAGES"] = False
        toolchain.cache_variables["NSWS_CARGO_FLAGS"] = "--locked"
        toolchain.user_presets_path = False  # the sources stay as they are
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        # The build makes both libraries.
        rm(self, "*.a" if self.options.shared else "*.so*", os.path.join(self.package_folder, "lib"))
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        if sys.version_info < (3, 11):
            self.output.warning("Without Python 3.11, the package lacks the licences of the crates in it.")
            return
        target = {"armv8": "aarch64"}.get(str(self.settings.arch), self.settings.arch)
        sbom = os.path.join(self.source_folder, "scripts", "sbom")
        self.run(f'"{sys.executable}" "{sbom}" --target {target}-unknown-linux-gnu --out "{self.package_folder}"')

    def package_info(self):
        # CMake finds what is installed; the rest is for other build systems.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.set_property("cmake_file_name", "NetStackWebSocket")
        self.cpp_info.builddirs = ["lib/cmake/NetStackWebSocket"]
        self.cpp_info.set_property("pkg_config_name", "netstack_websocket")
        self.cpp_info.libs = ["netstack_websocket"]
        if not self.options.shared:
            installed = load(self, os.path.join(self.package_folder, "lib/pkgconfig/netstack_websocket.pc"))
            self.cpp_info.system_libs = re.findall(r"-l(\S+)", re.search(r"(?m)^Libs\.private:.*", installed)[0])
