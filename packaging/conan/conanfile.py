"""The recipe for Conan 2, from a checkout: `conan create packaging/conan`. Needs cargo on the PATH; for cross
compilation also `rustup target add TRIPLE`.

A package has one of the two libraries: the static one by default, the shared one with `-o kvlight/*:shared=True`.
"""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import cross_building
from conan.tools.env import Environment
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"

# Rust's names for Conan's `os` and `arch`. Windows means MinGW-w64.
SYSTEMS = {"Linux": "unknown-linux-gnu", "Macos": "apple-darwin", "Windows": "pc-windows-gnu"}
PROCESSORS = {"x86_64": "x86_64", "armv8": "aarch64", "x86": "i686"}

# The system's libraries that the static library needs: for Linux those in the Makefile, for the others those that rustc prints.
NEEDED = {
    "Linux": ["util", "rt", "pthread", "m", "dl"],
    "Macos": ["iconv", "m"],
    "Windows": ["kernel32", "ntdll", "userenv", "ws2_32", "dbghelp"],
}


class KvlightConan(ConanFile):
    name = "kvlight"
    description = "A loading cache for every language, behind a C ABI"
    license = "MIT OR Apache-2.0"
    homepage = "https://github.com/kvlight/kvlight"
    url = homepage
    topics = ("cache", "loader", "single-flight", "batch")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False]}
    default_options = {"shared": False}

    @property
    def _checkout(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        manifest = load(self, os.path.join(self._checkout, "Cargo.toml"))
        self.version = re.search(r'^version = "(.*)"', manifest, re.M).group(1)

    def export_sources(self):
        files = ("Cargo.toml", "Cargo.lock", "build.rs", "build/*", "cbindgen.toml", "src/*", "include/*", "packaging/seal", "LICENSE-*", "README.md")
        for pattern in files:
            copy(self, pattern, src=self._checkout, dst=self.export_sources_folder)

    def configure(self):
        # The library contains no C or C++ code.
        self.settings.rm_safe("compiler.libcxx")
        self.settings.rm_safe("compiler.cppstd")

    def layout(self):
        basic_layout(self, src_folder=".")

    def validate(self):
        if str(self.settings.os) not in SYSTEMS or str(self.settings.arch) not in PROCESSORS:
            raise ConanInvalidConfiguration(f"kvlight is not built by this recipe for {self.settings.os} on {self.settings.arch}")
        if self.settings.os == "Windows" and self.settings.compiler != "gcc":
            raise ConanInvalidConfiguration("on Windows this recipe builds with MinGW-w64's gcc alone")

    @property
    def _triple(self):
        return f"{PROCESSORS[str(self.settings.arch)]}-{SYSTEMS[str(self.settings.os)]}"

    @property
    def _profile(self):
        return "debug" if self.settings.build_type == "Debug" else "release"

    def build(self):
        kind = "cdylib" if self.options.shared else "staticlib"
        words = ["cargo", "rustc", "--locked", "--lib", "--crate-type", kind, "--target", self._triple]
        words += ["--target-dir", f'"{os.path.join(self.build_folder, "cargo")}"']
        words += ["--manifest-path", f'"{os.path.join(self.source_folder, "Cargo.toml")}"']
        if self._profile == "release":
            words.append("--release")
        environment = Environment()
        if cross_building(self):
            # The library is linked by the same compiler as the program.
            compiler = self.conf.get("tools.build:compiler_executables", default={}, check_type=dict).get("c")
            if compiler:
                environment.define(f"CARGO_TARGET_{self._triple.upper().replace('-', '_')}_LINKER", compiler)
        with environment.vars(self).apply():
            self.run(" ".join(words))

    def package(self):
        built = os.path.join(self.build_folder, "cargo", self._triple, self._profile)
        libraries = os.path.join(self.package_folder, "lib")
        copy(self, "LICENSE-*", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        copy(self, "*", src=os.path.join(self.source_folder, "include"), dst=os.path.join(self.package_folder, "include"))
        if not self.options.shared:
            copy(self, "libkvlight.a", src=built, dst=libraries)
            if self.settings.os == "Linux" and not cross_building(self):
                # packaging/seal lets a program link other static Rust libraries too. It needs binutils for the target.
                whole, sealed = os.path.join(built, "libkvlight.a"), os.path.join(libraries, "libkvlight.a")
                self.run(f'"{os.path.join(self.source_folder, "packaging", "seal")}" "{whole}" "{sealed}"')
        elif self.settings.os == "Windows":
            copy(self, "kvlight.dll", src=built, dst=os.path.join(self.package_folder, "bin"))
            copy(self, "libkvlight.dll.a", src=built, dst=libraries)
        elif self.settings.os == "Macos":
            copy(self, "libkvlight.dylib", src=built, dst=libraries)
        else:
            # Programs load the library by the name with the ABI version; the linker finds it by the plain name.
            major, minor, _ = self.version.split(".")
            abi = f"libkvlight.so.{major}.{minor}" if major == "0" else f"libkvlight.so.{major}"
            copy(self, "libkvlight.so", src=built, dst=libraries)
            os.rename(os.path.join(libraries, "libkvlight.so"), os.path.join(libraries, abi))
            os.symlink(abi, os.path.join(libraries, "libkvlight.so"))

    def package_info(self):
        self.cpp_info.libs = ["kvlight"]
        self.cpp_info.set_property("cmake_file_name", "kvlight")
        self.cpp_info.set_property("cmake_target_name", "kvlight::kvlight")
        self.cpp_info.set_property("pkg_config_name", "kvlight")
        if not self.options.shared:
            self.cpp_info.defines = ["KVL_STATIC"]
            self.cpp_info.system_libs = NEEDED[str(self.settings.os)]
