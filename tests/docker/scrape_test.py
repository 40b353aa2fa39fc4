#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The dashboard and the alerts against a real Prometheus, with docker/prometheus' configuration, that scrapes the real
server: no panel stays empty, and no alert asks for what is not there. `scrape_test.py --server FAIRSHARED`"""

import argparse
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCKER = os.path.join(ROOT, "docker")
PATIENCE = 60    # seconds, for a machine that has more to do
EVER_EMPTY = {"Alerts"}    # the panel of what is wrong
options = None


def until(condition, what):
    """Waits until condition() gives something true, and returns it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"in vain waited for: {what}")


def ask(url, method="GET", body=None, key=None):
    """Status and text of an answer; status 0 when there is none."""
    request = urllib.request.Request(url, method=method, data=body and json.dumps(body).encode(),
                                     headers={"Idempotency-Key": key} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


@contextlib.contextmanager
def process(log, *command):
    """A program that ends with the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAIRSHARED_")}
    with open(log, "wb") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as started:
        try:
            yield started
        finally:
            started.kill()


class Stage:
    """A server with some life in it, and the Prometheus that scrapes it."""

    def __init__(self, stack):
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(process(f"{self.folder}/server.log", options.server, "--listen", "127.0.0.1:0", "--auto-register",
                                    "--max-slots", "3", "--log-format", "text", "--store", f"sqlite:{self.folder}/state.db"))
        ready = until(lambda: re.search(r"listening on http://(\S+)", self.read("server.log")), "the server")
        self.server = f"http://{ready[1]}"
        self.configure(ready[1])
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        stack.enter_context(process(f"{self.folder}/prometheus.log", "prometheus", f"--config.file={self.folder}/prometheus.yml",
                                    f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address={address}"))
        self.prometheus = f"http://{address}"
        assert self.acquire("keeper", ttl_seconds=600)[0] == 201
        self.live(0)
        self.scraped_anew()
        self.live(1)
        self.scraped_anew()

    def read(self, name):
        with open(f"{self.folder}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()

    def configure(self, address):
        """docker/prometheus/prometheus.yml, but for where the server is and for how long one waits."""
        with open(f"{DOCKER}/prometheus/prometheus.yml", encoding="utf-8") as file:
            written = yaml.safe_load(file)
        written["global"]["scrape_interval"] = "1s"
        written["rule_files"] = [f"{DOCKER}/prometheus/{name}" for name in written["rule_files"]]
        written["scrape_configs"][0]["static_configs"][0]["targets"] = [address]
        with open(f"{self.folder}/prometheus.yml", "w", encoding="utf-8") as file:
            yaml.safe_dump(written, file)

    def acquire(self, tenant, key=None, **more):
        status, text = ask(f"{self.server}/leases", "POST", {"tenant_id": tenant, "wait_seconds": 0, **more}, key)
        return status, json.loads(text)

    def live(self, turn):
        """What a day brings: grants, heartbeats, returns, one who waits in vain and keeps a place, errors."""
        _, first = self.acquire("alice")
        _, second = self.acquire("bob")
        assert self.acquire("carol", f"key-{turn}", wait_seconds=0.1)[0] == 429
        assert ask(f"{self.server}/leases/{first['id']}", "PUT")[0] == 200
        assert ask(f"{self.server}/leases/{first['id']}", "DELETE")[0] == 204
        assert ask(f"{self.server}/leases/{first['id']}", "PUT")[0] == 410
        assert ask(f"{self.server}/leases/{second['id']}", "DELETE")[0] == 204

    def query(self, expression):
        status, text = ask(f"{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        if status != 200:
            raise AssertionError(f"{expression}: {status} {text}")
        return json.loads(text)["data"]["result"]

    def scraped_anew(self):
        """Waits for a scrape that began after this call."""
        begin = time.time()
        until(lambda: ask(f"{self.prometheus}/-/ready")[0] == 200, "Prometheus")
        until(lambda: self.query(f'up{{job="fairshared"}} == 1 and timestamp(up{{job="fairshared"}}) > {begin}'), "a scrape")


class Scrape(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.stage = Stage(stack)

    def test_no_panel_is_empty_and_every_legend_has_its_words(self):
        with open(f"{DOCKER}/grafana/dashboards/fairshared.json", encoding="utf-8") as file:
            panels = json.load(file)["panels"]
        for panel in panels:
            for target in panel["targets"]:
                expression = target["expr"].replace("$pool", ".*").replace("$__rate_interval", "30s")
                result = self.stage.query(expression)
                with self.subTest(panel["title"], expression=expression):
                    self.assertTrue(result or panel["title"] in EVER_EMPTY)
                    for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                        self.assertTrue(all(series["metric"].get(label) for series in result), label)
                    # A quantile of a route that nobody asked for is none.
                    self.assertTrue(not result or any(series["value"][1] != "NaN" for series in result))

    def test_the_pools_can_be_chosen(self):
        self.assertEqual([series["metric"]["pool"] for series in self.stage.query("fairshared_max_slots")], ["default"])

    def test_what_alerts_ask_for_is_there(self):
        with open(f"{DOCKER}/prometheus/alerts.yml", encoding="utf-8") as file:
            rules = yaml.safe_load(file)["groups"][0]["rules"]
        for rule in rules:
            for name, matchers in re.findall(r"\b((?:fairshared|process)_\w+|up)\b({[^}]*})?", rule["expr"]):
                with self.subTest(rule["alert"], selector=name + matchers):
                    # Which codes there are depends on what was asked; all else is there from the start.
                    self.assertTrue(self.stage.query(name + re.sub(r"code=~[^,}]*", "", matchers)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
