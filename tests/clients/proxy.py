# SPDX-License-Identifier: MIT
"""A proxy in front of the server that records every request, and does harm where a scenario has planned it."""

import fnmatch
import http.client
import itertools
import json
import os
import select
import socket
import socketserver
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass
class Reply:
    status: int
    headers: list = field(default_factory=list)
    body: bytes = b""


@dataclass
class Request:
    """What a client sent, and what became of it. Times are of time.monotonic()."""

    at: float
    method: str
    path: str
    query: dict
    headers: object
    body: bytes
    status: int | None = None       # None: not answered
    ended_at: float | None = None   # answered, cut, or left by the client

    @property
    def key(self):
        return self.headers.get("Idempotency-Key", "").strip('"') or None

    @property
    def json(self):
        return json.loads(self.body) if self.body else {}

    @property
    def pending(self):
        return self.ended_at is None


class Exchange:
    """One request at the proxy. An action gets it and decides what happens."""

    def __init__(self, handler, request):
        self.handler = handler
        self.request = request

    def wait(self, seconds, *also):
        """Waits so long, or until one of `also` is readable. False when the client has left meanwhile."""
        client = self.handler.connection
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if end is None else max(0, end - time.monotonic())
            ready, _, _ = select.select([client, *also], [], [], left)
            if client in ready and not client.recv(1, socket.MSG_PEEK):
                return False
            if any(other in ready for other in also) or not ready:
                return True
            time.sleep(0.005)    # the client sent its next request already

    def forward(self):
        """Asks the server; None when the client left or the server gave no answer."""
        request = self.request
        path = request.path + ("?" + urllib.parse.urlencode(request.query) if request.query else "")
        headers = {name: value for name, value in request.headers.items()
                   if name.lower() not in ("connection", "transfer-encoding", "content-length", "expect")}
        connection = http.client.HTTPConnection(*self.handler.server.upstream)
        try:
            connection.request(request.method, path, request.body or None, headers)
            if not self.wait(None, connection.sock):
                return None
            answer = connection.getresponse()
            return Reply(answer.status, [(name, value) for name, value in answer.getheaders()
                                         if name.lower() not in ("connection", "keep-alive", "content-length")],
                         answer.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def answer(self, reply):
        if reply is None:
            self.cut()
            return
        self.request.status = reply.status
        self.write(reply, len(reply.body))

    def write(self, reply, length):
        """Writes the reply, but no more of its body than `length`."""
        lines = [f"HTTP/1.1 {reply.status} {http.client.responses.get(reply.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        if reply.status != 204:
            lines.append(f"Content-Length: {len(reply.body)}")
        self.handler.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body[:length])

    def cut(self):
        self.handler.close_connection = True


# Actions: what happens to a request.

def pass_on(exchange):
    exchange.answer(exchange.forward())


def cut_before(exchange):
    """The server never hears of it."""
    exchange.cut()


def cut_after(exchange):
    """The server has done it, the client gets no answer."""
    exchange.forward()
    exchange.cut()


def cut_midway(exchange):
    """The server has done it, the client gets half of the answer."""
    reply = exchange.forward()
    if reply is not None:
        exchange.write(reply, len(reply.body) // 2)
    exchange.cut()


def delay_before(seconds):
    return lambda exchange: pass_on(exchange) if exchange.wait(seconds) else exchange.cut()


def delay_after(seconds):
    def action(exchange):
        reply = exchange.forward()
        if exchange.wait(seconds):
            exchange.answer(reply)
        else:
            exchange.cut()
    return action


def answer(status, body=b"", content_type="text/html", **headers):
    """Answers by itself; `Retry_After=2` is the header Retry-After."""
    reply = Reply(status, [("Content-Type", content_type)] + [(name.replace("_", "-"), str(value)) for name, value in headers.items()],
                  body)
    return lambda exchange: exchange.answer(reply)


def problem(status, code, **headers):
    body = {"type": "urn:fairshare:problem:" + code, "code": code, "title": code, "status": status,
            "detail": "The test says so.", "request_id": "test"}
    return answer(status, json.dumps(body).encode(), "application/problem+json", **headers)


def change(edit):
    """Passes on, and hands the JSON of the reply to `edit`, which changes it in place."""
    def action(exchange):
        reply = exchange.forward()
        if reply is not None:
            value = json.loads(reply.body)
            edit(value)
            reply.body = json.dumps(value).encode()
        exchange.answer(reply)
    return action


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def exchange(self):
        url = urllib.parse.urlsplit(self.path)
        request = Request(time.monotonic(), self.command, url.path, dict(urllib.parse.parse_qsl(url.query)), self.headers,
                          self.read_body())
        action = self.server.proxy.take(request)
        try:
            action(Exchange(self, request))
        except OSError:
            self.close_connection = True    # the client left while it was answered
        finally:
            request.ended_at = time.monotonic()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = exchange

    def handle(self):
        connections = self.server.proxy.connections
        connections.add(self.connection)
        try:
            super().handle()
        except OSError:
            pass    # the client left
        finally:
            connections.discard(self.connection)

    def log_message(self, *_):
        pass


class TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class Rule:
    def __init__(self, pattern, actions):
        self.pattern = pattern
        self.actions = iter(actions)

    def take(self, request):
        return next(self.actions, None) if fnmatch.fnmatchcase(f"{request.method} {request.path}", self.pattern) else None

    def end(self):
        self.actions = iter(())


class Proxy:
    """Listens on a port of its own and, at `unix_path`, on a socket; `upstream` may change while it runs."""

    def __init__(self, folder):
        self.prefix = ""
        self.requests = []
        self.rules = []
        self.connections = set()
        self.lock = threading.Lock()
        self.unix_path = os.path.join(folder, "proxy.sock")
        self.listeners = [TcpServer(("127.0.0.1", 0), Handler), UnixServer(self.unix_path, Handler)]
        self.port = self.listeners[0].server_address[1]
        for listener in self.listeners:
            listener.proxy = self
            threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def set_upstream(self, host, port):
        for listener in self.listeners:
            listener.upstream = (host, port)

    def close(self):
        for listener in self.listeners:
            listener.shutdown()
            listener.server_close()

    def drop_connections(self):
        """Closes what clients have open, as a server does that ends."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass    # it is closed already

    def take(self, request):
        """Records the request and says what happens to it."""
        with self.lock:
            if not request.path.startswith(self.prefix):
                action = answer(404, b"<h1>There is nothing here</h1>")
            else:
                request.path = request.path.removeprefix(self.prefix)
                action = next((action for action in (rule.take(request) for rule in self.rules) if action), pass_on)
            self.requests.append(request)
            return action

    def add(self, rule):
        with self.lock:
            self.rules.append(rule)
        return rule

    def plan(self, pattern, *actions):
        """The next requests that match ("POST /leases", "DELETE /leases/*") meet these actions, one each."""
        return self.add(Rule(pattern, actions))

    def always(self, pattern, action):
        """All requests that match meet this action, until end() of what is returned."""
        return self.add(Rule(pattern, itertools.repeat(action)))

    def seen(self, pattern="*"):
        """The requests so far that match, oldest first."""
        with self.lock:
            return [request for request in self.requests if fnmatch.fnmatchcase(f"{request.method} {request.path}", pattern)]
