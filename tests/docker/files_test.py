#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of what docker/ holds, as far as it can be tested without an engine: that the files are right, agree with each
other and fit the server. `files_test.py --server FAIRSHARED [unittest's arguments]`. docker/build-test.sh builds the image."""

import argparse
import json
import os
import re
import subprocess
import sys
import unittest

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DOCKER = os.path.join(ROOT, "docker")
options = None


def read(*path):
    with open(os.path.join(DOCKER, *path), encoding="utf-8") as file:
        return file.read()


def run(*command, **more):
    """What a command says on standard output; it must end with 0."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def seconds(duration):
    """The seconds of a duration as compose writes it."""
    return sum(float(number) * {"s": 1, "m": 60, "h": 3600}[unit] for number, unit in re.findall(r"([\d.]+)([smh])", duration))


class Dockerfile(unittest.TestCase):
    def setUp(self):
        self.stages = re.split(r"^FROM ", read("Dockerfile").replace("\\\n", " "), flags=re.M)[1:]

    def last(self, instruction):
        return re.findall(rf"^{instruction}\s+(.*)$", self.stages[-1], flags=re.M)[-1]

    def test_its_command_is_taken_by_the_server(self):
        self.assertEqual(json.loads(self.last("ENTRYPOINT")), ["fairshared"])
        shown = run(options.server, "--print-config", *json.loads(self.last("CMD")), env={"STATE_DIRECTORY": "/var/lib/fairshared"})
        self.assertIn("\nlisten = 0.0.0.0:8080\n", "\n" + shown)
        self.assertIn("\nstore = sqlite:/var/lib/fairshared/fairshared.db\n", shown)
        self.assertEqual(self.last("ENV"), "STATE_DIRECTORY=/var/lib/fairshared")
        self.assertEqual(self.last("VOLUME"), "/var/lib/fairshared")
        self.assertEqual(self.last("EXPOSE"), "8080")

    def test_it_installs_the_libraries_that_the_server_is_linked_with(self):
        needed = set(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "--dynamic", options.server)))
        paths = dict(re.findall(r"(\S+) => (?:/usr)?(/\S+)", run("ldd", options.server)))
        packages = {run("dpkg-query", "--search", "*" + paths[library]).split(":")[0] for library in needed}
        installed = set(re.search(r"apt-get install.*?(?=&&)", self.stages[-1])[0].split())
        self.assertLessEqual({"libjansson4", "libmicrohttpd12"}, packages)
        self.assertEqual(packages - {"libc6"}, {word for word in installed if word.startswith("lib")})

    def test_it_copies_what_it_is_allowed_to_see(self):
        with open(os.path.join(ROOT, ".dockerignore"), encoding="utf-8") as file:
            seen = [line[1:].strip() for line in file if line.startswith("!")]
        copied = [word.rstrip("/") for stage in self.stages for line in re.findall(r"^COPY (?!--from)(.*)$", stage, flags=re.M)
                  for word in line.split()[:-1]]
        for path in copied:
            self.assertTrue(os.path.exists(os.path.join(ROOT, path)), path)
            self.assertTrue(path in seen or any(entry.startswith(path + "/") for entry in seen), path)
        self.assertEqual(len(seen), len(copied))


class Compose(unittest.TestCase):
    """The file as docker-compose understands it."""

    @classmethod
    def setUpClass(cls):
        written = yaml.safe_load(read("compose.yaml"))
        del written["name"]    # newer than Debian's docker-compose
        cls.written = written
        environment = {name: value for name, value in os.environ.items() if name != "SLOTS"}
        cls.config = yaml.safe_load(run("docker-compose", "-f", "-", "config", cwd=DOCKER,
                                        input=yaml.safe_dump(written), env={**environment, "SLOTS": "7"}))
        cls.services = cls.config["services"]

    def test_slots_are_sessions(self):
        self.assertEqual(self.services["fairshared"]["environment"]["FAIRSHARED_MAX_SLOTS"], "7")
        self.assertEqual(self.services["chrome"]["environment"]["SE_NODE_MAX_SESSIONS"], "7")

    def test_the_server_takes_its_variables(self):
        service = self.services["fairshared"]
        shown = run(options.server, "--print-config", env={"STATE_DIRECTORY": "/var/lib/fairshared", **service["environment"]})
        self.assertIn("\nmax_slots = 7\n", shown)
        self.assertIn("\nauto_register = true\n", shown)
        drain = re.search(r"^drain_timeout = (.*)$", shown, flags=re.M)[1]
        self.assertGreater(seconds(service["stop_grace_period"]), seconds(drain) + 5)
        self.assertIn("state:/var/lib/fairshared:rw", service["volumes"])
        self.assertTrue(service["read_only"])

    def test_the_farm_has_one_door(self):
        chrome = self.services["chrome"]
        self.assertNotIn("ports", chrome)
        self.assertEqual(list(chrome["networks"]), ["farm"])
        self.assertEqual([name for name, service in self.services.items() if "farm" in service["networks"]], ["chrome", "door"])
        self.assertLessEqual({"fairshared", "chrome"}, set(self.services["door"]["depends_on"]))

    def test_the_door_knows_both(self):
        conf = read("nginx.conf")
        self.assertIn("server fairshared:8080;", conf)
        self.assertIn("server chrome:4444;", conf)
        self.assertIn(f"{DOCKER}/nginx.conf:/etc/nginx/nginx.conf:ro", self.services["door"]["volumes"])
        listens = re.search(r"listen (\d+);", conf)[1]
        self.assertEqual(self.services["door"]["ports"], [f"127.0.0.1:4444:{listens}/tcp"])

    def test_nothing_is_published_beyond_this_machine(self):
        for name, service in self.services.items():
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), f"{name}: {port}")

    def test_what_is_mounted_from_here_is_here(self):
        for name, service in self.written["services"].items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue(os.path.exists(os.path.join(DOCKER, source)), f"{name}: {volume}")
                else:
                    self.assertIn(source, self.written["volumes"])


class Grafana(unittest.TestCase):
    def setUp(self):
        self.board = json.loads(read("grafana", "dashboards", "fairshared.json"))

    def test_it_asks_the_prometheus_of_the_compose_file(self):
        source = yaml.safe_load(read("grafana", "provisioning", "datasources", "prometheus.yaml"))["datasources"][0]
        services = yaml.safe_load(read("compose.yaml"))["services"]
        host, port = re.fullmatch(r"http://(\w+):(\d+)", source["url"]).groups()
        self.assertIn(f"127.0.0.1:{port}:{port}", services[host]["ports"])
        self.assertTrue(source["isDefault"])
        every = yaml.safe_load(read("prometheus", "prometheus.yml"))["global"]["scrape_interval"]
        self.assertEqual(source["jsonData"]["timeInterval"], every)

    def test_it_finds_the_dashboard(self):
        provider = yaml.safe_load(read("grafana", "provisioning", "dashboards", "fairshared.yaml"))["providers"][0]
        grafana = yaml.safe_load(read("compose.yaml"))["services"]["grafana"]
        self.assertIn(f"./grafana/dashboards:{provider['options']['path']}:ro", grafana["volumes"])
        self.assertEqual(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"],
                         provider["options"]["path"] + "/fairshared.json")

    def test_panels_have_ids_a_source_and_a_place_of_their_own(self):
        taken, ids = {}, set()
        for panel in self.board["panels"]:
            title, place = panel["title"], panel["gridPos"]
            self.assertNotIn(panel["id"], ids, title)
            ids.add(panel["id"])
            self.assertEqual({target["refId"] for target in panel["targets"]}, set("ABCDEF"[:len(panel["targets"])]), title)
            for holder in [panel, *panel["targets"]]:
                self.assertEqual(holder["datasource"], {"type": "prometheus", "uid": "${datasource}"}, title)
            self.assertLessEqual(place["x"] + place["w"], 24, title)
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, f"{title} lies over {taken.get((x, y))}")
                    taken[x, y] = title
            self.assertTrue(panel["description"], title)

    def test_overrides_name_a_series_that_is_there(self):
        for panel in self.board["panels"]:
            legends = {target["legendFormat"] for target in panel["targets"]}
            for override in panel["fieldConfig"]["overrides"]:
                self.assertIn(override["matcher"]["options"], legends, panel["title"])

    def test_its_variables_are_those_that_it_uses(self):
        text = read("grafana", "dashboards", "fairshared.json")
        used = set(re.findall(r"\$\{?([a-z]\w*)", text))
        self.assertEqual(used, {variable["name"] for variable in self.board["templating"]["list"]})


class Prometheus(unittest.TestCase):
    def test_its_configuration(self):
        run("promtool", "check", "config", os.path.join(DOCKER, "prometheus", "prometheus.yml"))

    def test_alerts_fire_and_keep_silent(self):
        run("promtool", "test", "rules", os.path.join(HERE, "alerts_test.yml"))

    def test_every_alert_is_tested(self):
        alerts = [rule["alert"] for rule in yaml.safe_load(read("prometheus", "alerts.yml"))["groups"][0]["rules"]]
        with open(os.path.join(HERE, "alerts_test.yml"), encoding="utf-8") as file:
            tested = {case["alertname"]: bool(case.get("exp_alerts")) for group in yaml.safe_load(file)["tests"]
                      for case in group["alert_rule_test"] if case.get("exp_alerts")}
        self.assertEqual(sorted(alerts), sorted(tested))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
