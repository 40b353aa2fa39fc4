# SPDX-License-Identifier: MIT
"""A real server for the tests, and looking at it without the client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import unittest
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent


class Server:
    """The server that FAIRSHARED names, on a free port, without a store."""

    def __init__(self, *flags: str) -> None:
        self.process = subprocess.Popen(
            [os.environ["FAIRSHARED"], "--listen", "127.0.0.1:0", "--store", "memory", "--log-format", "text", *flags],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith("listening on "):
                self.url = line.split()[-1]
                break
        else:
            raise AssertionError("the server did not start")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as reply:
            return json.load(reply)

    def send(self, method: str, path: str, body: Any = None) -> None:
        content = None if body is None else json.dumps(body).encode()
        urllib.request.urlopen(urllib.request.Request(self.url + path, content, method=method), timeout=10).close()

    def stats(self, pool: str = "default") -> Any:
        return self.get(f"/stats?pool={pool}")

    def leases(self) -> Any:
        return self.get("/leases?limit=1000")["items"]

    def tenants(self) -> Any:
        return self.get("/tenants")["items"]

    def stop(self) -> str:
        """Ends the server; the reports of its sanitizers."""
        self.process.kill()
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        self.process.stderr.close()
        self.process.wait()
        return said if "Sanitizer" in said or "runtime error" in said else ""


def wait_until(condition: Callable[[], object], what: str, within: float = 10.0) -> None:
    """Waits for a condition, not for a time."""
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"within {within:g} s it did not come to this: {what}")
        time.sleep(0.01)


class WithServer(unittest.IsolatedAsyncioTestCase):
    """Each test has a server of its own with `slots` slots; nothing of it may be left at its end."""

    flags: tuple[str, ...] = ("--max-slots", "4")

    def setUp(self) -> None:
        self.server = Server(*self.flags)

    def tearDown(self) -> None:
        self.assertEqual("", self.server.stop())

    def assert_nothing_left(self) -> None:
        wait_until(lambda: self.server.leases() == [], "no lease is active or pending")
        wait_until(lambda: self.server.tenants() == [], "no tenant is registered")

    def run_script(self, text: str, *, code: int = 0) -> str:
        """Runs a program in a process of its own; what it printed."""
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "FAIRSHARE_URL": self.server.url}
        done = subprocess.run([sys.executable, "-W", "default", "-c", text], capture_output=True, text=True, timeout=60, env=environment)
        self.assertEqual((code, ""), (done.returncode, done.stderr))
        return done.stdout
