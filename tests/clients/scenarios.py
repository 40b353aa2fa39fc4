# SPDX-License-Identifier: MIT
"""The one list of scenarios that all clients play. Each is a function; its docstring says what the client must do."""

from dataclasses import dataclass
from typing import Callable

from stage import check, until


@dataclass
class Scenario:
    play: Callable
    flags: tuple        # of the server
    store: str          # "memory" or "sqlite"
    needs: set          # features of the client, see --without
    nginx: bool         # plays behind nginx always
    any_way: bool       # plays behind nginx too where --via says so
    seconds: float      # it takes about so long

    @property
    def name(self):
        return self.play.__name__

    @property
    def sentence(self):
        return " ".join(self.play.__doc__.split())


ALL = []


def scenario(*flags, store="memory", needs=(), nginx=False, any_way=True, seconds=1.0):
    """Adds the function to the list. The server has one slot unless the flags say otherwise."""
    def add(function):
        ALL.append(Scenario(function, ("--max-slots", "1", *flags), store, set(needs), nginx, any_way, seconds))
        return function
    return add


def nothing_left(stage, within=2.0):
    """Nothing is held and nobody is in line, soon."""
    until(lambda: stage.server.active() == 0 and stage.server.in_line() == 0, "no slot is held, nobody is in line", within)


# --- Acquire and release

@scenario()
def acquire_and_release(stage):
    """A lease is shown as the server has it, and its slot is free after the release."""
    driver = stage.driver()
    lease = driver.take("a")
    there = stage.server.leases()
    check(len(there) == 1, f"one lease is there, not {there}")
    for member in ("id", "tenant_id", "pool", "slot_ids", "fencing_token", "ttl_seconds"):
        check(lease.get(member) == there[0][member], f"{member} is {there[0][member]!r}, the client shows {lease.get(member)!r}")
    driver.release("a")
    nothing_left(stage)
    driver.finish()


@scenario("--max-slots", "3", needs=["several"])
def new_key_for_each_acquire(stage):
    """Each acquire has an Idempotency-Key of its own."""
    driver = stage.driver()
    for name in "abc":
        driver.take(name)
    keys = {request.key for request in stage.proxy.seen("POST /leases")}
    check(len(keys) == 3 and None not in keys, f"three keys, not {keys}")
    check(stage.server.active() == 3, "three slots are held")
    driver.finish()
    nothing_left(stage)


@scenario(needs=["several"])
def first_come_first_served(stage):
    """Three acquires of one client that wait get the slot in the order in which they asked."""
    held = stage.server.take()
    driver = stage.driver()
    for number, name in enumerate("abc", 1):
        driver.acquire(name)
        until(lambda: stage.server.stats()["waiting"] == number, f"{number} wait")
    stage.server.give_back(held)
    for name in "abc":
        driver.granted(name)
        check(stage.server.active() == 1, "one slot is held")
        driver.release(name)
    nothing_left(stage)
    driver.finish()


@scenario()
def deadline_of_the_caller(stage):
    """An acquire that waits as long as its caller allows ends with no-slot, gives up its key, and leaves nobody in line."""
    stage.server.take()
    driver = stage.driver()
    driver.acquire("a", timeout=1.0)
    until(lambda: stage.server.stats()["waiting"] == 1, "it waits")
    event = driver.expect("no-slot", name="a")
    asked = stage.proxy.seen("POST /leases")
    check(0.9 <= event.at - asked[0].at <= 2.5, f"no-slot came after {event.at - asked[0].at:.2f} s, not after 1 s")
    until(lambda: stage.server.in_line() == 0, "nobody is in line", 1)
    given_up = stage.proxy.seen("DELETE /leases")
    check([request.key for request in given_up] == [asked[0].key], "DELETE /leases came once, with the key of the acquire")
    check(given_up[0].query.get("tenant_id") == "alice", "DELETE /leases names the tenant")
    driver.finish()


@scenario()
def cancel_while_waiting(stage):
    """An acquire that is cancelled while it waits gives up its key, and leaves nobody in line."""
    stage.server.take()
    driver = stage.driver()
    driver.acquire("a")
    until(lambda: stage.server.stats()["waiting"] == 1, "it waits")
    driver.tell("cancel", name="a")
    driver.expect("cancelled", name="a")
    until(lambda: stage.server.in_line() == 0, "nobody is in line", 1)
    check([request.key for request in stage.proxy.seen("DELETE /leases")] == [stage.proxy.seen("POST /leases")[0].key],
          "DELETE /leases came once, with the key of the acquire")
    driver.finish()


@scenario()
def tenant_that_was_never_registered(stage):
    """A tenant that nobody registered is the caller's error, told by its code; the client does not register it by itself."""
    driver = stage.start_driver()
    driver.tell("open", url=stage.url, tenant="nobody")
    driver.expect("opened")
    driver.acquire("a")
    driver.expect("error", name="a", code="tenant-not-registered")
    check(not stage.proxy.seen("POST /tenants"), "nothing was registered")
    driver.finish()
