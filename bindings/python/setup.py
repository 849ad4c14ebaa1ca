"""Builds the extension module. It is linked with

- the static library in the folder KVL_LIB_DIR, if that is set, with the header in KVL_INCLUDE_DIR or else in ../include beside that folder;
- or else, in a checkout or a source distribution, the static library that cargo builds;
- or else the shared library that pkg-config finds as kvlight.

libkvlight_redis is loaded when it is needed. Its header is in native/ in a source distribution, and in redis/include in a checkout.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent


def sources():
    """The folder of the Rust sources, in a source distribution or in the checkout that contains this file; None if there is none."""
    return next((folder for folder in (HERE / "rust", HERE.parents[1]) if (folder / "src" / "ffi").is_dir()), None)


def version():
    """The library's version, as `make generate` wrote it."""
    return re.search(r'^VERSION = "(.*)"', (HERE / "src" / "kvlight" / "_api.py").read_text(), re.M).group(1)


class Build(build_ext):
    def build_extension(self, extension):
        lib = os.environ.get("KVL_LIB_DIR")
        if lib is None and sources() is not None:
            self.spawn(["cargo", "build", "--release", "--lib", "--manifest-path", str(sources() / "Cargo.toml")])
            target = Path(os.environ.get("CARGO_TARGET_DIR", sources() / "target"))
            self.link(extension, target / "release", sources() / "include")
        elif lib is not None:
            self.link(extension, Path(lib), Path(os.environ.get("KVL_INCLUDE_DIR", Path(lib).parent / "include")))
        else:
            words = shlex.split(subprocess.run(["pkg-config", "--cflags", "--libs", "kvlight"], check=True, capture_output=True, text=True).stdout)
            extension.extra_compile_args += [word for word in words if word.startswith("-I")]
            extension.extra_link_args += [word for word in words if not word.startswith("-I")]
        super().build_extension(extension)

    @staticmethod
    def link(extension, lib, include):
        """Links the static library, so that several copies or versions of the module in one process are independent."""
        extension.include_dirs.append(str(include))
        extension.extra_objects.append(str(lib / "libkvlight.a"))
        if os.uname().sysname == "Linux":
            extension.extra_link_args += ["-Wl,--exclude-libs,ALL", "-Wl,-z,nodelete", "-Wl,--gc-sections", "-Wl,-S", "-lpthread", "-ldl", "-lm"]


setup(
    version=version(),
    ext_modules=[
        Extension(
            "kvlight._native",
            sorted(str(path.relative_to(HERE)) for path in (HERE / "native").glob("*.c")),
            depends=["native/native.h"],
            include_dirs=[str(HERE / "native"), str(HERE.parents[1] / "redis" / "include")],
            extra_compile_args=["-std=c11", "-fvisibility=hidden"],
            py_limited_api=True,
        )
    ],
    cmdclass={"build_ext": Build},
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
)
