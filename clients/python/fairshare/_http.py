# SPDX-License-Identifier: MIT
"""Requests to one server: HTTP/1.1 over asyncio's streams, with connections that are kept."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import ssl
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from ._version import __version__

_IDLE_MAX = 16  # connections kept between requests
_BODY_MAX = 64 << 20  # no answer of a fairshared is longer

_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Unreachable(Exception):
    """No whole answer came; the text says why."""


class _Stale(Exception):
    """The connection ended before a byte of the answer."""


@dataclass
class Answer:
    """An answer; `body` is its JSON, None where it has none."""

    status: int
    body: Any
    retry_after: float

    @property
    def code(self) -> str | None:
        """The problem's code, None where the answer is no problem of a fairshared."""
        return self._text("code")

    @property
    def detail(self) -> str:
        """The problem's sentence, or what there is instead."""
        return self._text("detail") or f"the server answered {self.status} and did not say why"

    def _text(self, member: str) -> str | None:
        value = self.body.get(member) if isinstance(self.body, dict) and self.status >= 400 else None
        return value if isinstance(value, str) else None


class Server:
    """One server by its URL: http://, https:// or unix:/path. Lives on the engine's thread."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self._idle: list[_Stream] = []
        self._address: str | None = None  # of the last connection, for when names cannot be resolved any more
        self._path = ""
        self._tls: ssl.SSLContext | None = None
        if url.startswith("unix:"):
            self._host, self._port, host = url[len("unix:") :], 0, "localhost"
            self._unix = True
        else:
            parts = urlsplit(url)
            self._unix = False
            self._host, self._port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
            self._path = parts.path.rstrip("/")
            host = parts.netloc
            if parts.scheme == "https":
                self._tls = ssl.create_default_context()
        self._head = f"Host: {host}\r\nUser-Agent: fairshare-python/{__version__}\r\nAccept: application/json\r\n"
        if token:
            self._head += f"Authorization: Bearer {token}\r\n"

    async def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, key: str | None = None, within: float
    ) -> Answer:
        """Sends a request, all of which may be repeated safely, and reads its answer; raises Unreachable."""
        head = f"{method} {self._path}{path} HTTP/1.1\r\n{self._head}"
        if key is not None:
            head += f"Idempotency-Key: {key}\r\n"
        content = b""
        if body is not None:
            content = json.dumps(body).encode()
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        try:
            return await asyncio.wait_for(self._exchange(f"{head}\r\n".encode() + content), within)
        except asyncio.TimeoutError:
            raise Unreachable(f"{self.url} did not answer within {within:.3g} s") from None
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.url} does not answer: {error or type(error).__name__}") from error

    def close(self) -> None:
        """Closes the connections that are kept."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _exchange(self, message: bytes) -> Answer:
        while True:
            stream = self._take_idle()
            kept = stream is not None
            if stream is None:
                stream = await self._connect()
            try:
                stream[1].write(message)
                answer, keep = await _read(stream[0])
            except _Stale:
                stream[1].close()
                if kept:
                    continue  # the server had closed it meanwhile
                raise EOFError("the connection ended without an answer") from None
            except BaseException:
                stream[1].close()
                raise
            if keep and len(self._idle) < _IDLE_MAX:
                self._idle.append(stream)
            else:
                stream[1].close()
            return answer

    def _take_idle(self) -> _Stream | None:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None

    async def _connect(self) -> _Stream:
        if self._unix:
            return await asyncio.open_unix_connection(self._host)
        name = self._host if self._tls else None
        try:
            stream = await asyncio.open_connection(self._host, self._port, ssl=self._tls, server_hostname=name)
        except RuntimeError:
            # While the interpreter exits there are no threads left to resolve names.
            if self._address is None:
                raise OSError("the interpreter exits") from None
            stream = await asyncio.open_connection(self._address, self._port, ssl=self._tls, server_hostname=name)
        self._address = stream[1].get_extra_info("peername")[0]
        return stream


async def _read(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    """One answer, and whether the connection may be used again."""
    status = 100
    while 100 <= status < 200:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except ConnectionError:
            raise _Stale from None
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise _Stale from None
            raise
        line, _, lines = head.partition(b"\r\n")
        version, _, rest = line.decode("latin-1").partition(" ")
        if not version.startswith("HTTP/1."):
            raise http.client.BadStatusLine(line.decode("latin-1"))
        status = int(rest[:3])
        headers = http.client.parse_headers(io.BytesIO(lines))
    content, whole = await _read_body(reader, status, headers)
    keep = whole and version == "HTTP/1.1" and "close" not in headers.get("Connection", "").lower()
    after = headers.get("Retry-After", "")
    return Answer(status, _parse(content), float(after) if after.isdecimal() else 0.0), keep


async def _read_body(reader: asyncio.StreamReader, status: int, headers: Message) -> tuple[bytes, bool]:
    """The body, and whether the answer said where it ends."""
    if status in (204, 304):
        return b"", True
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return await _read_chunks(reader), True
    length = headers.get("Content-Length")
    if length is None:
        return await reader.read(_BODY_MAX), False
    if int(length) > _BODY_MAX:
        raise ValueError("the answer is too long")
    return await reader.readexactly(int(length)), True


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    content = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if len(content) + size > _BODY_MAX:
            raise ValueError("the answer is too long")
        if size == 0:
            break
        content += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return content


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None  # a page of something in between
