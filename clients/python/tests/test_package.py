# SPDX-License-Identifier: MIT
"""What is installed."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

from .support import PACKAGE

PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable  # which has Debian's setuptools


class Package(unittest.TestCase):
    def test_the_wheel_holds_the_package_and_its_types(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "source"
            shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "tests"))
            script = f"from setuptools import build_meta; print(build_meta.build_wheel({folder!r}))"
            done = subprocess.run([PYTHON, "-c", script], cwd=source, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            wheel = Path(folder) / done.stdout.split()[-1]
            self.assertEqual(wheel.name, "fairshare-0.1.0-py3-none-any.whl")
            names = zipfile.ZipFile(wheel).namelist()
            modules = {f"fairshare/{name}" for name in os.listdir(PACKAGE / "fairshare") if name != "__pycache__"}
            self.assertEqual({name for name in names if not name.startswith("fairshare-0.1.0.dist-info/")}, modules)
            self.assertIn("fairshare/py.typed", names)
