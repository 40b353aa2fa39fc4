# SPDX-License-Identifier: MIT
"""Answers as servers and proxies may write them."""

import asyncio
import unittest

from fairshare import FairShareSemaphore, UnavailableError
from fairshare._http import Server, Unreachable


class Http(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.answers = []
        self.requests = []
        self.connections = []
        self.listener = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        port = self.listener.sockets[0].getsockname()[1]
        self.server = Server(f"http://127.0.0.1:{port}/prefix", "secret")

    async def asyncTearDown(self):
        self.server.close()
        self.listener.close()
        for connection in self.connections:
            connection.cancel()  # the engine keeps its own
        await asyncio.gather(*self.connections, return_exceptions=True)

    async def answer(self, reader, writer):
        """Gives the planned answers; one that is empty or has `close` in it ends the connection."""
        self.connections.append(asyncio.current_task())
        text = b"begin"
        while text and b"close" not in text:
            try:
                self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            except asyncio.IncompleteReadError:
                break
            text = self.answers.pop(0)
            writer.write(text)
        writer.close()

    async def ask(self, *answers, within=5.0):
        self.answers += answers
        return await self.server.request("GET", "/stats", key="k", within=within)

    async def test_the_request(self):
        await self.ask(b"HTTP/1.1 204 No Content\r\n\r\n")
        lines = self.requests[0].split("\r\n")
        self.assertEqual(lines[0], "GET /prefix/stats HTTP/1.1")
        self.assertIn("Authorization: Bearer secret", lines)
        self.assertIn("User-Agent: fairshare-python/0.1.0", lines)
        self.assertIn("Idempotency-Key: k", lines)

    async def test_a_body_of_a_length(self):
        answer = await self.ask(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}')
        self.assertEqual((answer.status, answer.body, answer.code), (200, {"a": 1}, None))

    async def test_a_body_in_chunks(self):
        answer = await self.ask(
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n{"a\r\n4\r\n":1}\r\n0\r\nTrailer: 1\r\n\r\n'
        )
        self.assertEqual(answer.body, {"a": 1})

    async def test_a_body_up_to_the_end(self):
        self.assertEqual((await self.ask(b'HTTP/1.0 200 OK\r\nX: close\r\n\r\n{"a":1}')).body, {"a": 1})

    async def test_answers_before_the_answer(self):
        answer = await self.ask(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
        self.assertEqual(answer.status, 204)

    async def test_a_problem(self):
        body = b'{"code":"no-slot","detail":"wait"}'
        answer = await self.ask(
            b"HTTP/1.1 429 Too Many\r\nretry-after: 3\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        self.assertEqual((answer.code, answer.detail, answer.retry_after), ("no-slot", "wait", 3))

    async def test_a_page_of_something_in_between(self):
        answer = await self.ask(b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>")
        self.assertEqual((answer.code, answer.body), (None, None))
        self.assertIn("answered 404", answer.detail)

    async def test_a_connection_is_kept(self):
        for _ in range(3):
            await self.ask(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.assertEqual((len(self.connections), len(self.requests)), (1, 3))

    async def test_a_connection_that_is_not_to_be_kept(self):
        for _ in range(3):
            await self.ask(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        self.assertEqual(len(self.connections), 3)

    async def test_a_kept_connection_that_was_closed_meanwhile(self):
        await self.ask(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.assertEqual((await self.ask(b"", b"HTTP/1.1 204 No Content\r\n\r\n")).status, 204)
        self.assertEqual((len(self.connections), len(self.requests)), (2, 3))

    async def test_what_is_no_answer(self):
        for text in (
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nclose",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nclose",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nclose",
            b"SSH-2.0 close\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nclose: %s\r\n\r\n" % (b"x" * 100_000),
        ):
            with self.subTest(text[:40]), self.assertRaisesRegex(Unreachable, "does not answer: .+"):
                await self.ask(text)

    async def test_no_answer_in_time(self):
        with self.assertRaisesRegex(Unreachable, "did not answer within 0.1 s"):
            await self.ask(b"HTTP/1.1 100 Continue\r\n\r\n", within=0.1)

    async def test_a_server_that_is_no_fairshared(self):
        self.answers += [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"]
        with self.assertRaisesRegex(UnavailableError, "answered no JSON object: is it a fairshared"):
            await FairShareSemaphore(url=self.server.url).stats()
