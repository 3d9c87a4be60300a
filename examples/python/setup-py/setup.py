"""Builds a Rust program with cargo and puts it into the package."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py


def cargo_build():
    """The path of the program: cargo tells it in its messages."""
    # Any cargo may be named here; `cargo zbuild` is the drop-in for it.
    command = os.environ.get("HELLO_CARGO", "cargo zbuild").split()
    command += ["--quiet", "--message-format=json-render-diagnostics", "--release", "--locked"]
    command += ["--manifest-path", str(Path(__file__).parent / "rust" / "Cargo.toml")]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in printed.splitlines()]
    programs = [message["executable"] for message in messages if message.get("executable")]
    (program,) = programs
    return Path(program)


class BuildWithProgram(build_py):
    def run(self):
        super().run()
        place = Path(self.build_lib) / "hello_bin"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy2(cargo_build(), place)


class WithProgram(Distribution):
    def has_ext_modules(self):
        return True  # a wheel for this platform


setup(
    name="hello-bin",
    version="0.1.0",
    packages=["hello_bin"],
    cmdclass={"build_py": BuildWithProgram},
    distclass=WithProgram,
)
