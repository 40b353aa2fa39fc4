# SPDX-License-Identifier: MIT
"""The one list of scenarios that all clients play. Each is a function; its docstring says what the client must do."""

import collections
import itertools
import re
import signal
import time
from dataclasses import dataclass
from typing import Callable

from proxy import answer, change, cut_after, cut_before, cut_midway, delay_after, delay_before, pass_on, problem
from stage import SOON, check, until


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


def nothing_left(stage, within=4):
    """Nothing is held and nobody is in line, soon."""
    until(lambda: stage.server.active() == 0 and stage.server.in_line() == 0, "no slot is held, nobody is in line", within)


def waits(stage, number=1, within=SOON):
    """Waits until so many are in line with their request attached."""
    until(lambda: stage.server.stats()["waiting"] == number, f"{number} in line", within)


def gaps(requests):
    """The seconds between the end of each request and the begin of the next."""
    return [later.at - earlier.ended_at for earlier, later in itertools.pairwise(requests)]


def wait_of(request):
    """The wait that an acquire asks for, in seconds."""
    wait = request.query.get("wait", request.json.get("wait_seconds"))
    return float(wait.removesuffix("s")) if isinstance(wait, str) else wait


def beats(stage):
    return stage.proxy.seen("POST /heartbeats")


def beats_of(stage, lease, since=0.0):
    return [beat for beat in beats(stage) if beat.at >= since and lease["id"] in beat.json["lease_ids"]]


def only_lease(stage, lease):
    """The lease is held by the server's word, and nothing else is."""
    there = [held["id"] for held in stage.server.leases(state="active")]
    check(there == [lease["id"]], f"the server has {there or 'no lease'}, the client holds {lease['id']}")


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


@scenario("--max-slots", "3")
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


@scenario()
def first_come_first_served(stage):
    """Three acquires of one client that wait get the slot in the order in which they asked."""
    held = stage.server.take()
    driver = stage.driver()
    for number, name in enumerate("abc", 1):
        driver.acquire(name)
        waits(stage, number)
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
    driver.acquire("a", timeout=2)
    waits(stage)
    event = driver.expect("no-slot", name="a")
    asked = stage.proxy.seen("POST /leases")
    check(1.9 <= event.at - asked[0].at <= 4, f"no-slot came after {event.at - asked[0].at:.2f} s, not after 2 s")
    until(lambda: stage.server.in_line() == 0, "nobody is in line", 2)
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
    waits(stage)
    driver.tell("cancel", name="a")
    driver.expect("cancelled", name="a")
    until(lambda: stage.server.in_line() == 0, "nobody is in line", 2)
    check({request.key for request in stage.proxy.seen("DELETE /leases")} == {stage.proxy.seen("POST /leases")[0].key},
          "DELETE /leases came, with the key of the acquire")     # again where it may have overtaken the poll
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


@scenario()
def timeout_of_zero(stage):
    """An acquire with a timeout of 0 asks once, with a wait of 0, and takes a slot that is free."""
    driver = stage.driver()
    held = stage.server.take()
    driver.acquire("a", timeout=0)
    driver.expect("no-slot", name="a")
    asked = stage.proxy.seen("POST /leases")
    check([wait_of(request) for request in asked] == [0], "one POST /leases, with a wait of 0")
    stage.server.give_back(held)
    driver.acquire("b", timeout=0)
    driver.granted("b")
    driver.finish()
    nothing_left(stage)


@scenario()
def refusals_are_handed_on(stage):
    """A request that is wrong is the caller's error at once, with the server's code and sentence."""
    driver = stage.start_driver()
    driver.tell("open", url=stage.url, tenant="alice", pool="nowhere")
    driver.expect("opened")
    driver.acquire("a")
    event = driver.expect("error", name="a", code="pool-not-found")
    check("nowhere" in event["message"], f"the message is not the server's: {event['message']!r}")
    check(len(stage.proxy.seen("POST /leases")) == 1, "it was asked once")
    driver.finish()


@scenario(needs=["numbers"])
def wrong_values_are_judged_by_the_server(stage):
    """Numbers that are out of range are the caller's error, in the server's words, and nothing is asked twice."""
    driver = stage.driver()
    for name, value in {"slots": 1001, "priority": 11, "max_lease": 3e6}.items():
        driver.acquire(name, **{name: value})
        event = driver.expect("error", name=name, code="invalid-value")
        check(name in event["message"], f"the message is not the server's: {event['message']!r}")
    check(len(stage.proxy.seen("POST /leases")) == 3, "each was asked once")
    driver.finish()
    nothing_left(stage)


@scenario()
def refused_while_it_waits(stage):
    """A refusal that comes while an acquire waits is the caller's error too."""
    stage.server.take()
    driver = stage.driver()
    driver.acquire("a")
    waits(stage)
    stage.server.call("DELETE", "/tenants/alice")
    driver.expect("error", name="a", code="tenant-closing")
    driver.finish()


@scenario(any_way=False, seconds=32)
def wait_that_was_used_up(stage):
    """A caller without a deadline waits in polls of 30 s; a no-slot after them is followed by the next at once, with the same
    key."""
    held = stage.server.take()
    driver = stage.driver()
    driver.acquire("a", timeout=None)
    asked = until(lambda: [poll for poll in [stage.proxy.seen("POST /leases")] if len(poll) == 2], "the second poll", 36)[0]
    check(wait_of(asked[0]) == 30, f"it waits {wait_of(asked[0])} s, not 30")
    check(asked[0].status == 429 and asked[0].ended_at - asked[0].at > 29, "the wait was used up")
    check(gaps(asked)[0] < 0.6, f"the second poll came after {gaps(asked)[0]:.2f} s")
    check(asked[0].key == asked[1].key, "the key is the same")
    waits(stage)
    stage.server.give_back(held)
    driver.granted("a")
    driver.finish()


# --- What is asked for

URLS = ["ws://farm:9222/0", "ws://farm:9222/1", "ws://farm:9222/2"]


@scenario("--max-slots", "3")
def several_slots_at_once(stage):
    """Two slots in one lease are two different ones, each with its address; another two are waited for until both are there, and
    more than there are is the caller's error."""
    stage.server.call("PATCH", "/pools/default", {"slot_urls": URLS})
    driver = stage.driver()
    two = driver.take("two", slots=2)
    check(two["slots"] == len(set(two["slot_ids"])) == stage.server.active() == 2, f"the lease has two slots: {two}")
    check(two["slot_urls"] == [URLS[slot] for slot in two["slot_ids"]], f"the addresses are {two['slot_urls']}")
    driver.acquire("too many", slots=4)
    event = driver.expect("error", name="too many", code="too-many-slots")
    check("ask for fewer" in event["message"], f"the message is not the server's: {event['message']!r}")

    driver.acquire("both", slots=2)
    waits(stage)
    driver.expect_nothing("granted")
    driver.release("two")
    both = driver.granted("both")
    one = driver.take("one")
    check(one["slot_urls"] == [URLS[slot] for slot in one["slot_ids"]], f"the address is {one['slot_urls']}")
    check(sorted(both["slot_ids"] + one["slot_ids"]) == [0, 1, 2], f"the slots are {both['slot_ids']} and {one['slot_ids']}")
    driver.finish()
    nothing_left(stage)


@scenario()
def priority_among_the_tenants_own(stage):
    """Who asks with a higher priority is served before another of the tenant that came earlier, with a lower one after it."""
    held = stage.server.take()
    driver = stage.driver()
    for number, (name, priority) in enumerate({"low": -10, "normal": 0, "high": 10}.items(), 1):
        driver.acquire(name, priority=priority)
        waits(stage, number)
    stage.server.give_back(held)
    for name, priority in {"high": 10, "normal": 0, "low": -10}.items():
        lease = driver.granted(name)
        check(lease["priority"] == priority, f"the lease says priority {lease['priority']}")
        driver.release(name)
    driver.finish()


@scenario("--max-slots", "2", seconds=5)
def longest_life(stage):
    """A lease with a longest life is lost when that is over, whatever its heartbeats, and that is the reason."""
    driver = stage.driver(ttl=9)
    lives = {"a heartbeat and more": 4, "less than a heartbeat": 2.5}
    for name, seconds in lives.items():
        driver.take(name, max_lease=seconds)
    for name in lives:
        event = driver.expect("lost", name=name)
        check(event["reason"] == "max-lease", f"the reason is {event['reason']!r}, not max-lease")
    nothing_left(stage)
    driver.finish()


# --- Answers that are lost, and other failures

@scenario("--max-slots", "2")
def answer_lost_after_the_grant(stage):
    """When the answer with the grant is cut, before or in its middle, the same key gets the same lease: one slot is used."""
    stage.proxy.plan("POST /leases", cut_after, cut_midway)
    driver = stage.driver()
    lease = driver.take("a")
    asked = stage.proxy.seen("POST /leases")
    check(len(asked) == 3 and len({request.key for request in asked}) == 1, "three requests with one key")
    only_lease(stage, lease)
    check(stage.server.stats()["granted_total"] == 1, "one grant")
    driver.release("a")
    nothing_left(stage)
    driver.finish()


@scenario(seconds=3)
def grant_that_was_not_fetched_in_time(stage):
    """A grant whose answer was lost, and that ended before the client got through again, is followed by another, or is an error."""
    stage.proxy.plan("POST /leases", cut_after)
    broken = stage.proxy.always("*", cut_before)
    driver = stage.driver(ttl=1.5)
    driver.acquire("a")
    until(lambda: stage.server.stats()["expired_total"] == 1, "the first grant has run out")
    broken.end()
    event = driver.expect("granted", "error", name="a", within=8)
    check(event["event"] == "granted" or event["code"] == "lease-ended", f"the error is {event}")
    driver.finish()
    nothing_left(stage)


@scenario(seconds=4)
def failures_back_off_with_full_jitter(stage):
    """After an answer that is none the next try comes after a random time below 0.1 s, 0.2 s, 0.4 s and so on up to 5 s, with the
    same key."""
    failures = [answer(502), cut_before, answer(503), problem(503, "overloaded"), answer(504), problem(429, "queue-full")]
    tries = collections.Counter()

    def fail(exchange):
        number = tries[exchange.request.key]
        tries[exchange.request.key] += 1
        (failures[number] if number < len(failures) else pass_on)(exchange)

    stage.proxy.always("POST /leases", fail)
    driver = stage.driver()
    between = []
    for name in "ab":
        driver.take(name, 25)
        driver.release(name)
        key = stage.proxy.seen("POST /leases")[-1].key
        asked = [request for request in stage.proxy.seen("POST /leases") if request.key == key]
        check(len(asked) == 1 + len(failures), "the key is the same all the time")
        between.append(gaps(asked))
        for number, gap in enumerate(between[-1]):
            longest = min(5, 0.1 * 2 ** (number + 1))
            check(gap < longest + 0.5, f"{gap:.2f} s after failure {number + 1}, which is more than {longest:.1f} s")
        check(sum(between[-1]) > 0.3, f"six tries within {sum(between[-1]):.2f} s")
    check(any(abs(one - other) > 0.03 for one, other in zip(*between)), f"no jitter: {between}")
    driver.finish()


@scenario(seconds=4)
def answers_that_are_broken(stage):
    """A 201 without a lease in it may hide a grant: it is a failure like others. So is one whose Retry-After makes no sense."""
    harm = [answer(201, b"<h1>Welcome</h1>"), answer(201, b'{"id": "ls_', "application/json"), answer(201, b"[]", "application/json"),
            answer(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), answer(503, Retry_After="soon")]
    stage.proxy.plan("POST /leases", *harm)
    driver = stage.driver()
    lease = driver.take("a", 15)
    asked = stage.proxy.seen("POST /leases")
    check(len(asked) == 1 + len(harm) and len({request.key for request in asked}) == 1, "one key")
    only_lease(stage, lease)
    driver.finish()


@scenario(seconds=4)
def retry_after_is_obeyed(stage):
    """A failure with Retry-After is followed by no request before that time."""
    stage.proxy.plan("POST /leases", problem(503, "overloaded", Retry_After=2))
    driver = stage.driver()
    driver.take("a", 12)
    between = gaps(stage.proxy.seen("POST /leases"))
    check(1.95 < between[0] < 7.5, f"the next try came after {between[0]:.2f} s")
    driver.finish()


@scenario(seconds=3)
def no_slot_before_its_wait_was_over(stage):
    """A no-slot that did not use up its wait is a failure like others: the client does not ask again at once for ever."""
    stage.proxy.plan("POST /leases", problem(429, "no-slot", Retry_After=1), problem(429, "no-slot", Retry_After=1))
    driver = stage.driver()
    driver.take("a", 15)
    between = gaps(stage.proxy.seen("POST /leases"))
    check(min(between) > 0.95, f"the next tries came after {between}")
    driver.finish()


@scenario()
def deadline_while_all_fails(stage):
    """The caller's deadline holds while every request fails, and before Retry-After."""
    broken = stage.proxy.always("*", answer(502, Retry_After=30))
    driver = stage.driver()
    began = time.monotonic()
    driver.acquire("a", timeout=1)
    event = driver.expect("no-slot", name="a")
    check(0.9 < event.at - began < 4, f"no-slot came after {event.at - began:.1f} s")
    broken.end()
    driver.finish()


@scenario("--claim", "2s", "--queue-grace", "2s", seconds=4)
def deadline_while_nothing_answers(stage):
    """The caller's deadline holds while the server does not answer at all, and nothing is left when it does again."""
    driver = stage.driver()
    stage.server.pause()
    began = time.monotonic()
    driver.acquire("a", timeout=1)
    event = driver.expect("no-slot", name="a")
    check(0.9 < event.at - began < 4, f"no-slot came after {event.at - began:.1f} s")
    stage.server.resume()
    nothing_left(stage, 8)
    driver.finish()


@scenario()
def connection_closed_while_idle(stage):
    """A kept connection that the server has closed breaks nothing."""
    driver = stage.driver()
    driver.take("a")
    stage.proxy.drop_connections()
    driver.release("a")
    nothing_left(stage)
    stage.proxy.drop_connections()
    driver.take("b")
    driver.finish()
    nothing_left(stage)


# --- Cancelling

@scenario(seconds=10)
def cancel_at_the_moment_of_the_grant(stage):
    """An acquire that is cancelled when its grant is under way leaves no slot taken, a hundred times."""
    driver = stage.driver()
    outcomes = collections.Counter()
    for number in range(100):
        name = f"a{number}"
        held = stage.server.take()
        driver.acquire(name)
        waits(stage)
        steps = [lambda: stage.server.give_back(held), lambda: driver.tell("cancel", name=name)]
        stage.random.shuffle(steps)
        steps[0]()
        time.sleep(stage.random.uniform(0, 0.003))
        steps[1]()
        event = driver.expect("granted", "cancelled", name=name)
        outcomes[event["event"]] += 1
        if event["event"] == "granted":
            driver.release(name)
        nothing_left(stage)
    check(outcomes["cancelled"] > 0, "not one of a hundred was cancelled")
    driver.finish()


@scenario(seconds=2)
def cancel_before_the_first_answer(stage):
    """An acquire that is cancelled before its first answer leaves nothing: sent or not, granted or not."""
    driver = stage.driver()
    stage.proxy.plan("POST /leases", delay_after(2.5), delay_before(2.5))
    driver.acquire("granted")
    until(lambda: stage.server.active() == 1, "it is granted")
    driver.tell("cancel", name="granted")
    driver.expect("cancelled", name="granted", within=2)
    nothing_left(stage)

    driver.acquire("under way")
    until(lambda: len(stage.proxy.seen("POST /leases")) == 2, "it is sent")
    driver.tell("cancel", name="under way")
    driver.expect("cancelled", name="under way", within=2)
    until(lambda: not stage.proxy.seen("POST /leases")[1].pending, "the request ended")
    nothing_left(stage)

    # On its way to the server the DELETE may overtake the POST: one DELETE right away is not enough.
    for number in range(20):
        name = f"at once {number}"
        driver.acquire(name)
        driver.tell("cancel", name=name)
        if driver.expect("granted", "cancelled", name=name)["event"] == "granted":
            driver.release(name)
        nothing_left(stage)
    driver.finish()


@scenario()
def cancel_while_all_fails(stage):
    """An acquire that is cancelled between two tries ends soon, and the key is given up."""
    stage.proxy.always("POST /leases", answer(503, Retry_After=30))
    driver = stage.driver()
    driver.acquire("a")
    asked = until(lambda: stage.proxy.seen("POST /leases"), "it is asked")
    driver.tell("cancel", name="a")
    driver.expect("cancelled", name="a", within=2)
    until(lambda: {request.key for request in stage.proxy.seen("DELETE /leases")} == {asked[0].key},
          "DELETE /leases with the key of the acquire")
    driver.finish()


@scenario(seconds=8)
def deadline_at_the_moment_of_the_grant(stage):
    """An acquire whose caller's deadline passes when its grant is under way leaves no slot taken."""
    driver = stage.driver()
    for number in range(25):
        name = f"a{number}"
        held = stage.server.take()
        before = len(stage.proxy.seen("POST /leases"))
        driver.acquire(name, timeout=0.2)
        asked = until(lambda: stage.proxy.seen("POST /leases")[before:], "it is asked")[0]
        time.sleep(max(0, asked.at + stage.random.uniform(0.19, 0.21) - time.monotonic()))
        stage.server.give_back(held)
        if driver.expect("granted", "no-slot", name=name)["event"] == "granted":
            driver.release(name)
        nothing_left(stage)
    driver.finish()


# --- Heartbeats

@scenario("--max-slots", "3", needs=["several"], seconds=6)
def one_batch_for_several_leases(stage):
    """Several leases of a process are renewed by one POST /heartbeats each heartbeat_seconds."""
    driver = stage.driver(ttl=3)
    ids = {driver.take(name)["id"] for name in "abc"}

    def batches():
        return [beat for beat in beats(stage) if set(beat.json["lease_ids"]) == ids]

    until(lambda: len(batches()) >= 4, "four batches with all leases", 8)
    whole = batches()
    apart = [later.at - earlier.at for earlier, later in itertools.pairwise(whole)]
    check(all(0.5 < seconds < 1.6 for seconds in apart), f"the batches are {apart} s apart, not 1 s")
    check([beat for beat in beats(stage) if beat.at >= whole[0].at][:4] == whole[:4], "nothing but these batches")
    check(not stage.proxy.seen("PUT /leases/*"), "no lease is renewed alone")
    check(stage.server.active() == 3, "three leases are held")
    driver.finish()


@scenario("--max-slots", "1100", needs=["several"], seconds=15)
def more_leases_than_a_batch_holds(stage):
    """A process with 1010 leases renews them all, not more than 1000 in one request."""
    driver = stage.driver(ttl=15)
    ids = {driver.take(str(number))["id"] for number in range(1010)}
    since = time.monotonic()

    def renewed():
        return [beat for beat in beats(stage) if beat.at > since and beat.status == 200]

    until(lambda: ids <= {lease_id for beat in renewed() for lease_id in beat.json["lease_ids"]}, "all leases are renewed", 12)
    check(all(len(beat.json["lease_ids"]) <= 1000 for beat in beats(stage)), "no more than 1000 in a request")
    check(stage.server.active() == len(ids), f"{stage.server.active()} leases are left")
    driver.kill()


@scenario(seconds=7)
def heartbeats_are_stretched(stage):
    """When an answer to a heartbeat says a longer heartbeat_seconds, the next ones come that far apart."""
    def stretch(reply):
        for renewed in reply["renewed"]:
            renewed["heartbeat_seconds"] = 2

    stage.proxy.always("POST /heartbeats", change(stretch))
    driver = stage.driver(ttl=3)
    lease = driver.take("a")
    until(lambda: len(beats(stage)) >= 3, "three heartbeats", 10)
    apart = [later.at - earlier.at for earlier, later in itertools.pairwise(beats(stage)[:3])]
    check(all(1.7 < seconds < 2.7 for seconds in apart), f"the heartbeats are {apart} s apart, not 2 s")
    only_lease(stage, lease)
    driver.finish()


@scenario(needs=["block"], seconds=5)
def caller_that_blocks(stage):
    """A caller that blocks its thread or event loop for two ttl keeps its lease."""
    driver = stage.driver(ttl=1.5)
    lease = driver.take("a")
    driver.tell("block", seconds=3)
    end = time.monotonic() + 2.9
    while time.monotonic() < end:
        only_lease(stage, lease)
        driver.expect_nothing("unblocked")
        time.sleep(0.1)
    driver.expect("unblocked")
    only_lease(stage, lease)
    driver.release("a")
    nothing_left(stage)
    driver.finish()


@scenario(seconds=12)
def missed_beats(stage):
    """A heartbeat with an answer that is not the server's, also a 404 or 410 without its problem, is a missed beat and no loss."""
    bad = [answer(404, b"<h1>default backend - 404</h1>"), answer(410), problem(404, "not-found"), answer(200, b"<h1>Welcome</h1>"),
           answer(200, b'{"renewed": [], "lost": []}', "application/json"), answer(200, b"[]", "application/json"), answer(502),
           cut_before, cut_midway]
    stage.proxy.plan("POST /heartbeats", *itertools.chain.from_iterable((harm, pass_on) for harm in bad))
    driver = stage.driver(ttl=1.8)
    lease = driver.take("a")
    until(lambda: len([beat for beat in beats(stage) if beat.ended_at]) >= 2 * len(bad), "all these heartbeats", 20)
    driver.expect_nothing("lost")
    only_lease(stage, lease)
    driver.finish()


@scenario(seconds=7)
def heartbeat_that_hangs(stage):
    """A heartbeat that gets no answer does not keep the next ones from being sent in time."""
    ttl = 3
    stage.proxy.plan("POST /heartbeats", delay_before(2 * ttl), pass_on, delay_before(2 * ttl))
    driver = stage.driver(ttl=ttl)
    lease = driver.take("a")
    since = time.monotonic()
    until(lambda: time.monotonic() > since + 2 * ttl or driver.events, "two ttl have passed", 3 * ttl)
    driver.expect_nothing("lost")
    only_lease(stage, lease)
    driver.finish()


@scenario(seconds=5)
def heartbeats_beside_many_waiters(stage):
    """Many acquires that wait neither hinder the heartbeats of the process nor its release."""
    driver = stage.driver(ttl=1.5)
    lease = driver.take("a")
    names = [f"w{number}" for number in range(40)]
    for name in names:
        driver.acquire(name)
    until(lambda: stage.server.in_line() == len(names), "all are in line", 15)    # those that nginx has just cut, too
    since = time.monotonic()
    until(lambda: time.monotonic() > since + 3, "two ttl have passed")
    only_lease(stage, lease)
    for name in names[1:]:
        driver.tell("cancel", name=name)
        driver.expect("cancelled", name=name)
    driver.release("a")
    driver.granted(names[0])
    driver.release(names[0])
    nothing_left(stage)
    driver.finish()


@scenario(seconds=2)
def release_beside_a_heartbeat(stage):
    """A release that overtakes a heartbeat under way is not told as a loss."""
    driver = stage.driver(ttl=3)
    stage.proxy.plan("POST /heartbeats", delay_before(0.5))
    driver.take("a")
    until(lambda: beats(stage), "a heartbeat is under way")
    driver.release("a")
    until(lambda: not beats(stage)[0].pending, "the heartbeat is answered")
    driver.take("b")
    driver.expect_nothing("lost")
    driver.finish()


@scenario(seconds=3)
def no_beats_after_the_release(stage):
    """A lease that is released is not renewed any more, even where the release did not get through."""
    driver = stage.driver(ttl=1.5)
    lease = driver.take("a")
    until(lambda: beats_of(stage, lease), "a heartbeat")
    stage.proxy.always("DELETE /leases/*", cut_before)
    driver.tell("release", name="a")
    event = driver.expect("released", "error", name="a", within=10)
    until(lambda: stage.server.active() == 0, "the lease has run out", 3.5)
    check(not beats_of(stage, lease, event.at + 0.2), "no heartbeat after the release")
    driver.finish()


@scenario("--max-slots", "2", any_way=False, seconds=7)     # who is cut by nginx is absent for a moment, and the wish over
def asked_back(stage):
    """When others wait, a lease beyond the share is asked back; that is told once, and again after the wish was over."""
    ttl = 3
    driver, other = stage.driver(ttl=ttl), stage.driver("bob")
    older, younger = driver.take("older"), driver.take("younger")

    def is_asked_back():
        return ["reclaim" in lease for lease in stage.server.leases(tenant_id="alice", state="active")]

    other.acquire("a")
    waits(stage)
    event = driver.expect("reclaim", name="younger")
    check(0 < event["by_seconds"] <= ttl, f"it is asked back within {event['by_seconds']} s")
    since = time.monotonic()
    until(lambda: len(beats_of(stage, younger, since)) >= 2, "two more heartbeats")
    other.tell("cancel", name="a")
    other.expect("cancelled", name="a")
    until(lambda: not any(is_asked_back()), "it is asked back no more")
    driver.expect_nothing("reclaim")

    other.acquire("b")
    driver.expect("reclaim", name="younger")
    driver.release("younger")
    other.granted("b")
    since = time.monotonic()
    until(lambda: beats_of(stage, older, since), "a heartbeat of the other lease")
    driver.expect_nothing("reclaim")
    for each in (driver, other):
        each.finish()
    nothing_left(stage)


# --- Loss

@scenario(seconds=2)
def lost_by_the_servers_word(stage):
    """A lease that the server has ended is told as lost, with the reason; the next acquire is served."""
    driver = stage.driver(ttl=2)
    lease = driver.take("a")
    stage.server.call("DELETE", "/tenants/alice?force=true")
    event = driver.expect("lost", name="a", within=4)
    check("revoked" in event["reason"], f"the reason is {event['reason']!r}, not revoked")
    stage.server.register("alice")
    driver.take("b")
    time.sleep(0.7)
    check(not beats_of(stage, lease, event.at + 0.2), "no heartbeat for what is lost")
    driver.finish()
    nothing_left(stage)


@scenario(needs=["register"], seconds=2)
def lost_by_a_server_that_forgot(stage):
    """A lease that the server does not know is told as lost; the next acquire registers the tenant again and is served."""
    driver = stage.driver(ttl=3, register=True)
    driver.take("a")
    stage.server.restart(signal.SIGKILL)
    event = driver.expect("lost", name="a", within=4)
    check("not-found" in event["reason"], f"the reason is {event['reason']!r}, not not-found")
    driver.take("b")
    driver.finish()
    nothing_left(stage)


@scenario(seconds=9)
def lost_by_silence(stage):
    """While the server is silent a lease is told as lost when its ttl has passed since the last good heartbeat began."""
    ttl = 6
    stage.proxy.always("POST /heartbeats", delay_after(1.8))    # a ttl from the answer on would end later
    driver = stage.driver(ttl=ttl)
    lease = driver.take("a")
    until(lambda: [beat for beat in beats(stage) if beat.status == 200], "a good heartbeat")
    stage.server.pause()
    event = driver.expect("lost", name="a", within=ttl + 2)
    good = [beat for beat in beats(stage) if beat.status == 200][-1]
    check(ttl - 0.5 < event.at - good.at < ttl + 1.7, f"lost was told {event.at - good.at:.2f} s after the last good heartbeat")
    stage.server.resume()
    until(lambda: stage.server.active() == 0, "the slot is free", ttl + 2)
    check(not beats_of(stage, lease, event.at + 0.5), "no heartbeat for what is lost")
    driver.finish()


@scenario(seconds=4)
def killed_client(stage):
    """When the client's process is killed its slot is free after one ttl."""
    ttl = 2
    driver = stage.driver(ttl=ttl)
    lease = driver.take("a")
    until(lambda: beats_of(stage, lease), "a heartbeat")
    driver.kill()
    until(lambda: stage.server.active() == 0, "the slot is free", ttl + 1)


# --- Tenants

@scenario(needs=["register"])
def registration_with_an_instance(stage):
    """A client registers its tenant with instance host:pid, and its close takes back only this."""
    first = stage.driver(register=True)
    second = stage.driver(register=True)
    instances = stage.server.get("/tenants/alice")["instances"]
    check(len(instances) == 2 and first.is_named(instances[0]) and second.is_named(instances[1]),
          f"the instances are {instances}, not host:pid of each client")
    first.finish()
    until(lambda: stage.server.get("/tenants/alice")["instances"] == instances[1:], "the instance of the other is left")
    second.take("a")
    second.finish()
    until(lambda: not stage.server.get("/tenants")["items"], "the tenant is gone")


@scenario(needs=["register"])
def tenant_forgotten_by_the_server(stage):
    """When the server has forgotten a tenant that the client had registered, the client registers it again and goes on, also for
    one that waits."""
    driver = stage.driver(register=True)
    stage.server.restart()
    driver.take("a")
    steps = [(request.method, request.path, request.status) for request in stage.proxy.seen()[-3:]]
    check(steps == [("POST", "/leases", 409), ("POST", "/tenants", 201), ("POST", "/leases", 201)], f"the requests were {steps}")
    check(driver.is_named(stage.server.get("/tenants/alice")["instances"][0]), "the instance is registered again")
    driver.release("a")

    stage.server.take()
    driver.acquire("b")
    waits(stage)
    stage.server.restart()
    driver.granted("b", 12)
    check(driver.is_named(stage.server.get("/tenants/alice")["instances"][0]), "the instance is registered again")
    driver.finish()
    nothing_left(stage)


@scenario(needs=["register"])
def registered_again_only_once(stage):
    """When the tenant is unknown right after it was registered again, this is the caller's error."""
    driver = stage.driver(register=True)
    stage.proxy.always("POST /leases", problem(409, "tenant-not-registered"))
    driver.acquire("a")
    driver.expect("error", name="a", code="tenant-not-registered")
    check(len(stage.proxy.seen("POST /leases")) == 2, "two tries")
    check(len(stage.proxy.seen("POST /tenants")) == 2, "registered once more")
    driver.finish()


# --- Close

@scenario()
def close_gives_everything_back(stage):
    """Close gives back what is held, and leaves the line, within 2 s."""
    driver = stage.driver()
    driver.take("a")
    driver.acquire("b")
    waits(stage)
    began = time.monotonic()
    driver.tell("close")
    event = driver.expect("closed")
    check(event.at - began < 3, f"close took {event.at - began:.1f} s")
    nothing_left(stage, 2)
    driver.expect("cancelled", "error", name="b")
    driver.leave()


@scenario(seconds=4)
def close_does_not_hang(stage):
    """Close ends within 2 s while the server does not answer, and so does the process."""
    driver = stage.driver()
    driver.take("a")
    driver.acquire("b")
    waits(stage)
    stage.server.pause()
    began = time.monotonic()
    driver.tell("close")
    event = driver.expect("closed")
    check(event.at - began < 3, f"close took {event.at - began:.1f} s")
    driver.leave(5)
    driver.forget("error")      # of the acquire


@scenario(needs=["exit"])
def end_without_close(stage):
    """When the process ends without close, what it held is given back."""
    driver = stage.driver(ttl=60)
    driver.take("a")
    driver.leave()
    nothing_left(stage)


# --- A server that starts anew, from its file

def holds_over_a_restart(stage, how):
    ttl = 4
    driver = stage.driver(ttl=ttl)
    lease = driver.take("a")
    stage.server.restart(how)
    since = time.monotonic()
    until(lambda: time.monotonic() > since + ttl + 0.5 and beats_of(stage, lease, since), "heartbeats after the restart", ttl + 2)
    only_lease(stage, lease)
    driver.expect_nothing("lost")
    driver.release("a")
    nothing_left(stage)
    driver.finish()


@scenario(store="sqlite", seconds=6)
def holds_over_a_restart_that_drains(stage):
    """A lease lives on while the server is restarted in order."""
    holds_over_a_restart(stage, signal.SIGTERM)


@scenario(store="sqlite", seconds=6)
def holds_over_a_crash(stage):
    """A lease lives on while the server is killed and started again."""
    holds_over_a_restart(stage, signal.SIGKILL)


def waits_over_a_restart(stage, how):
    held = stage.server.take()
    driver = stage.driver()
    for number, name in enumerate("abc", 1):
        driver.acquire(name)
        waits(stage, number)
    stage.server.restart(how)
    waits(stage, 3, 14)
    stage.server.give_back(held)
    for name in "abc":
        driver.granted(name)
        driver.release(name)
    check(len({request.key for request in stage.proxy.seen("POST /leases")}) == 3, "three keys")
    driver.finish()


@scenario(store="sqlite", seconds=6)
def waits_over_a_restart_that_drains(stage):
    """Who waits while the server is restarted in order is served in the old order."""
    waits_over_a_restart(stage, signal.SIGTERM)


@scenario(store="sqlite", seconds=6)
def waits_over_a_crash(stage):
    """Who waits while the server is killed and started again is served in the old order."""
    waits_over_a_restart(stage, signal.SIGKILL)


# --- Behind nginx

@scenario(nginx=True, any_way=False, seconds=8)
def five_in_line_behind_nginx(stage):
    """Five that wait behind an nginx that cuts them again and again are served in their order."""
    held = stage.server.take()
    driver = stage.driver()
    keys = {}

    def polls(name):
        return [request for request in stage.proxy.seen("POST /leases") if request.key == keys[name]]

    def fresh(name):
        """It is attached and will be for a while: one who is absent just then is passed over, and rightly."""
        last = polls(name)[-1]
        return last.pending and 0.2 < time.monotonic() - last.at < 1.5

    for number, name in enumerate("abcde", 1):
        driver.acquire(name)
        waits(stage, number)
        keys[name] = stage.proxy.seen("POST /leases")[-1].key
    until(lambda: all(len(polls(name)) > 1 for name in keys), "each was cut", 12)
    for name in keys:
        until(lambda: fresh(name), f"{name} is attached", 12)
        if held:
            stage.server.give_back(held)
        else:
            driver.release(previous)
        driver.granted(name)
        held, previous = None, name
    driver.release("e")
    check(set(keys.values()) == {request.key for request in stage.proxy.seen("POST /leases")}, "five keys")
    nothing_left(stage)
    driver.finish()


# --- How clients speak

@scenario()
def environment(stage):
    """FAIRSHARE_URL, FAIRSHARE_TENANT and FAIRSHARE_POOL fill in what the program does not say; FAIRSHARE_TOKEN goes with every
    request as bearer."""
    stage.server.register("carol", pool="other")
    driver = stage.start_driver(FAIRSHARE_URL=stage.url, FAIRSHARE_TENANT="carol", FAIRSHARE_POOL="other", FAIRSHARE_TOKEN="s3cret")
    driver.tell("open", ttl=2)
    driver.expect("opened")
    lease = driver.take("a")
    check((lease["tenant_id"], lease["pool"]) == ("carol", "other"), f"the lease is {lease}")
    until(lambda: beats(stage), "a heartbeat")
    driver.finish()
    sent = [request.headers.get("Authorization") for request in stage.proxy.seen()]
    check(set(sent) == {"Bearer s3cret"}, f"Authorization was {sent}")


@scenario()
def program_over_environment(stage):
    """What the program says goes before the environment."""
    stage.server.register("alice")
    driver = stage.start_driver(FAIRSHARE_URL="http://127.0.0.1:1", FAIRSHARE_TENANT="carol", FAIRSHARE_POOL="other")
    driver.tell("open", url=stage.url, tenant="alice", pool="default")
    driver.expect("opened")
    lease = driver.take("a")
    check((lease["tenant_id"], lease["pool"]) == ("alice", "default"), f"the lease is {lease}")
    driver.finish()


@scenario()
def who_asks(stage):
    """Every request has the client's User-Agent; without a token there is no Authorization."""
    driver = stage.driver(ttl=2)
    driver.take("a")
    until(lambda: beats(stage), "a heartbeat")
    driver.finish()
    agents = {request.headers.get("User-Agent", "") for request in stage.proxy.seen()}
    check(len(agents) == 1 and re.fullmatch(r"fairshare-[a-z]+/\d+\.\d+\.\d+", *agents), f"User-Agent was {agents}")
    check(not any("Authorization" in request.headers for request in stage.proxy.seen()), "no Authorization")


@scenario("--max-slots", "2")
def label(stage):
    """A lease is labelled host:pid unless the program says otherwise."""
    first = stage.driver()
    first.take("a")
    label_by_default = stage.server.leases()[0]["label"]
    check(first.is_named(label_by_default), f"the label is {label_by_default!r}")
    stage.driver(label="nightly build: Zürich").take("b")
    check(stage.server.leases()[1]["label"] == "nightly build: Zürich", "the label is the program's")


@scenario(needs=["unix"], any_way=False)
def unix_socket(stage):
    """unix:/path is a server's Unix socket."""
    driver = stage.driver(ttl=2, url="unix:" + stage.proxy.unix_path)
    lease = driver.take("a")
    until(lambda: beats_of(stage, lease), "a heartbeat")
    driver.finish()
    nothing_left(stage)


@scenario(needs=["unix"], any_way=False)
def unix_socket_of_the_server(stage):
    """Nothing has to stand in between: a server listens on a Unix socket itself."""
    url = stage.server.start_on_socket()
    first, second = stage.driver(ttl=2, url=url), stage.driver(ttl=2, url=url)
    first.take("a")
    second.acquire("b", timeout=0.5)
    second.expect("no-slot", name="b")
    second.acquire("c")
    first.release("a")
    second.granted("c")
    second.finish()


@scenario("--max-slots", "2")
def url_with_a_path(stage):
    """A server behind a path is found under that path, with or without a slash at its end."""
    stage.proxy.prefix = "/fair/share"
    for slash in ("", "/"):
        driver = stage.driver(ttl=2, url=f"{stage.url}/fair/share{slash}")
        lease = driver.take("a")
        until(lambda: beats_of(stage, lease), "a heartbeat")
        driver.finish()
    # A beat that the end of the client cuts has no status.
    check({request.status for request in stage.proxy.seen()} <= {200, 201, 204, None}, "each request met the server")
    nothing_left(stage)
