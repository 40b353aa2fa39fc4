# SPDX-License-Identifier: MIT
"""What a scenario plays on: the real server, the proxy before it, nginx before that where asked for, and the drivers."""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from proxy import Proxy

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
SOON = 10    # seconds: a limit for what comes at once, on a machine that has more to do
READY = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
REPORT = re.compile(r"ERROR: \w*Sanitizer|WARNING: ThreadSanitizer|runtime error:")


stopping = threading.Event()    # set when no scenario is to go on


class Failure(Exception):
    """The client, or the server, did not do what the scenario asks for."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def until(condition, what, within=SOON):
    """Waits until condition() is true, and returns its value."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        check(not stopping.is_set(), "the runner was told to stop")
        check(time.monotonic() < end, f"not within {within} s: {what}")
        time.sleep(0.02)


def spawn(command, **options):
    try:
        return subprocess.Popen(command, **options)
    except OSError as error:
        raise Failure(f"{command[0]} does not start: {error.strerror}") from error


def clean_environment(**more):
    """The environment without what configures a server or a client."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FAIRSHARE_", "FAIRSHARED_"))}
    return {**kept, **more}


class Server:
    """The real server. restart() keeps its file, if it has one, but not its port: clients know the proxy's."""

    def __init__(self, folder, proxy):
        self.folder = folder
        self.log_path = os.path.join(folder, "server.log")
        self.proxy = proxy
        self.process = self.on_socket = None

    def configure(self, binary, store, flags):
        """There is a second pool, other, beside the default one."""
        with open(f"{self.folder}/fairshared.conf", "w", encoding="utf-8") as config:
            config.write("[pool other]\n")
        self.command = [binary, "--config", f"{self.folder}/fairshared.conf", "--listen", "127.0.0.1:0", "--log-format", "text",
                        "--store", "memory" if store == "memory" else f"sqlite:{self.folder}/fairshared.db",
                        "--http-daemons", "1", "--durability", "normal", "--min-ttl", "100ms", "--drain-timeout", "500ms", *flags]

    def start(self):
        with open(self.log_path, "ab") as log:
            begin = log.tell()
            self.process = spawn(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())
        self.port = int(until(lambda: self.ready(begin), "the server is ready, see its log", 20))
        self.proxy.set_upstream("127.0.0.1", self.port)

    def start_on_socket(self):
        """Another server, on a Unix socket instead of a port; returns the client's url."""
        path = f"{self.folder}/server.sock"
        command = [self.command[0], "--listen", f"unix:{path}", "--store", "memory", "--max-slots", "1",
                   "--auto-register", "--drain-timeout", "0s"]
        self.on_socket = spawn(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=clean_environment())
        until(lambda: os.path.exists(path), "the server listens on its socket", 20)
        return f"unix:{path}"

    def ready(self, begin):
        check(self.process.poll() is None, "the server did not start, see its log")
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            log.seek(begin)
            line = READY.search(log.read())
        return line and line[1]

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(20)
        self.proxy.drop_connections()

    def restart(self, how=signal.SIGTERM):
        self.stop(how)
        self.start()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.on_socket:
            self.on_socket.terminate()
            self.on_socket.wait(20)
        if self.process and self.process.poll() is None:
            self.resume()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGTERM)    # a second one does not wait for leases
            self.stop()

    def call(self, method, path, body=None, headers=None):
        """One request, past the proxy; returns status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers or {})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def get(self, path, **query):
        status, value = self.call("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))
        check(status == 200, f"GET {path} gave {status}: {value}")
        return value

    def stats(self, pool="default"):
        return self.get("/stats", pool=pool)

    def active(self, pool="default"):
        return self.stats(pool)["total_active_slots"]

    def in_line(self, pool="default"):
        """Waiters, also those whose place is kept without a request."""
        stats = self.stats(pool)
        return stats["waiting"] + stats["absent"]

    def leases(self, **query):
        return self.get("/leases", **query)["items"]

    def register(self, *tenants, pool="default"):
        for tenant in tenants:
            status, value = self.call("POST", "/tenants", {"tenant_id": tenant, "pool": pool})
            check(status in (200, 201), f"POST /tenants gave {status}: {value}")

    def take(self, tenant="holder", **members):
        """Takes a slot for the test itself and returns the lease's id."""
        self.register(tenant)
        status, lease = self.call("POST", "/leases", {"tenant_id": tenant, "ttl_seconds": 600, "wait_seconds": 0, **members})
        check(status == 201, f"POST /leases gave {status}: {lease}")
        return lease["id"]

    def give_back(self, lease_id):
        status, value = self.call("DELETE", f"/leases/{lease_id}")
        check(status == 204, f"DELETE /leases/… gave {status}: {value}")


class Nginx:
    """nginx with little patience, before the proxy."""

    CONFIG = """daemon off; master_process off; worker_processes 1; pid {0}/nginx.pid; error_log {0}/nginx.log;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/temp; fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
    server {{
        listen 127.0.0.1:{1};
        location / {{ proxy_pass http://127.0.0.1:{2}; proxy_http_version 1.1; proxy_read_timeout 3s; }}
    }}
}}
"""

    def __init__(self, folder):
        self.folder = folder
        self.log_path = os.path.join(folder, "nginx.log")
        self.process = None

    def start(self, upstream_port):
        check(NGINX, "nginx is not there: apt-get install nginx-light")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        with open(f"{self.folder}/nginx.conf", "w", encoding="utf-8") as config:
            config.write(self.CONFIG.format(self.folder, self.port, upstream_port))
        self.process = spawn([NGINX, "-c", f"{self.folder}/nginx.conf", "-e", self.log_path, "-p", self.folder],
                             stdin=subprocess.DEVNULL)
        until(self.reachable, "nginx is ready, see its log")

    def reachable(self):
        check(self.process.poll() is None, "nginx did not start, see its log")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)


def runs_in(pid, process):
    """Whether `pid` is this process or one that it started, or that those started."""
    while pid > 1:
        if pid == process.pid:
            return True
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                pid = int(stat.read().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


class Event(dict):
    """What a driver wrote, with the time of its arrival."""

    def __init__(self, value):
        super().__init__(value)
        self.at = time.monotonic()


class Driver:
    """A client under test: a process that is told what to do, a line of JSON each, and tells what happened likewise."""

    def __init__(self, command, folder, number, environment):
        self.log_path = os.path.join(folder, f"driver{number}.log")
        with open(self.log_path, "wb") as log:
            self.process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                            env=clean_environment(**environment))
        self.events = []        # those that no step has waited for yet
        self.news = threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            try:
                event = Event(json.loads(line))
            except ValueError:
                event = Event({"event": "no JSON", "line": line.decode(errors="replace")})
            with self.news:
                self.events.append(event)
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def tell(self, cmd, **members):
        try:
            self.process.stdin.write(json.dumps({"cmd": cmd, **members}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Failure(f"the driver takes no commands any more: {error}") from error

    def expect(self, *kinds, within=SOON, **members):
        """Waits for an event of one of these kinds with these members, and takes it from the list. An error of the same acquire
        ends the waiting."""
        end = time.monotonic() + within
        what = " or ".join(kinds) + "".join(f" {value}" for value in members.values())
        with self.news:
            while True:
                for event in self.events:
                    if event.get("event") in kinds and members.items() <= event.items():
                        self.events.remove(event)
                        return event
                wrong = [event for event in self.events if event.get("event") == "error" and event.get("name") == members.get("name")]
                check(not wrong, f"no event {what} but {wrong}")
                check(not self.ended, f"no event {what} before the driver ended; there is {self.events or 'none'}")
                check(not stopping.is_set(), "the runner was told to stop")
                left = end - time.monotonic()
                check(left > 0, f"no event {what} within {within} s; there is {self.events or 'none'}")
                self.news.wait(min(left, 0.5))

    def expect_nothing(self, *kinds):
        with self.news:
            wrong = [event for event in self.events if event.get("event") in kinds]
        check(not wrong, f"there should be no such event: {wrong}")

    def forget(self, *kinds):
        """Takes all events of these kinds from the list; there may be none."""
        with self.news:
            self.events = [event for event in self.events if event.get("event") not in kinds]

    def acquire(self, name, timeout=None, **members):
        self.tell("acquire", name=name, timeout=timeout, **members)

    def granted(self, name, within=SOON):
        return self.expect("granted", name=name, within=within)["lease"]

    def take(self, name, within=SOON, **members):
        self.acquire(name, **members)
        return self.granted(name, within)

    def release(self, name):
        self.tell("release", name=name)
        return self.expect("released", name=name)

    def is_named(self, name):
        """Whether this is host:pid of the client."""
        host, _, pid = name.rpartition(":")
        return host == socket.gethostname() and pid.isdecimal() and runs_in(int(pid), self.process)

    def leave(self, within=SOON):
        """Ends the driver's input, whereupon it has to end."""
        self.process.stdin.close()
        try:
            check(self.process.wait(within) == 0, f"the driver ended with {self.process.returncode}")
        except subprocess.TimeoutExpired as error:
            raise Failure(f"the driver does not end within {within} s after its input ended") from error

    def kill(self):
        self.process.kill()
        self.process.wait()

    def finish(self):
        """Closes the client and has the driver leave."""
        self.tell("close")
        self.expect("closed")
        self.leave()

    def cleanup(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(1)
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except OSError:
            pass


class Stage:
    """All of it for one scenario."""

    def __init__(self, options, name):
        self.folder = tempfile.mkdtemp(prefix="play-")
        self.random = random.Random(f"{options.seed}/{name}")
        self.binary = options.server
        self.command = options.command
        self.drivers = []
        self.proxy = Proxy(self.folder)
        self.server = Server(self.folder, self.proxy)
        self.nginx = Nginx(self.folder)

    def start(self, store, flags, nginx):
        self.server.configure(self.binary, store, flags)
        self.server.start()
        if nginx:
            self.nginx.start(self.proxy.port)
        self.url = f"http://127.0.0.1:{self.nginx.port if nginx else self.proxy.port}"

    def start_driver(self, **environment):
        self.drivers.append(Driver(self.command, self.folder, len(self.drivers), environment))
        return self.drivers[-1]

    def driver(self, tenant="alice", **members):
        """A driver with an open client. Without register=True the test itself registers the tenant."""
        if not members.get("register"):
            self.server.register(tenant, pool=members.get("pool", "default"))
        driver = self.start_driver()
        driver.tell("open", **{"url": self.url, "tenant": tenant, **members})
        driver.expect("opened", within=2 * SOON)
        return driver

    def logs(self, last=40):
        """What the server and the drivers wrote; only so many lines of each."""
        for path in [self.server.log_path, self.nginx.log_path] + [driver.log_path for driver in self.drivers]:
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as log:
                    for line in log.readlines()[-last if last else None:]:
                        yield f"{os.path.basename(path)}: {line.rstrip()}"

    def requests(self):
        """What the proxy saw, for a failure; the last of it."""
        for request in self.proxy.seen()[-60:]:
            yield (f"proxy: {request.at:.3f} {request.method} {request.path} {request.query or ''} {request.key or ''} "
                   f"{request.body[:200].decode(errors='replace')} -> {request.status} {request.ended_at or 0:.3f}")

    def close(self):
        for driver in self.drivers:
            driver.cleanup()
        for part in (self.server, self.nginx, self.proxy):
            part.close()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def reports(self):
        """Lines in which a sanitizer complains."""
        return [line for line in self.logs(None) if REPORT.search(line)]
