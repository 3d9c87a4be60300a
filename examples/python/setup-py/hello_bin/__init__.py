"""Runs the program that lies beside this file."""

import subprocess
import sys
from pathlib import Path

NAME = "hello.exe" if sys.platform == "win32" else "hello"


def hello(name):
    program = Path(__file__).parent / NAME
    return subprocess.run([program, name], check=True, capture_output=True, text=True).stdout
