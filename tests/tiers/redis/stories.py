"""Stories of processes that share a server: engines with libkvlight_redis, and a real server that is killed, stopped, emptied and filled up.

    stories.py [PART_OF_A_NAME ...]

A story's name begins with the rule that it proves (docs/CONTRACT.md). The last line of the output says how many passed and failed.
"""

import binascii
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

import costs
from world import ENTRY, LOG, OPTIONS, PATIENCE, PATIENT, World, answer_automatically, certificates, eventually, kill_all, leaves, on_free_port, packed, two


# ---- What one process has loaded, the others find


def t15_what_one_process_has_loaded_another_finds(world):
    _, a, b = two(world)
    answer_automatically(a, b)
    assert a.fetch("x") == ("provider", "from_a")
    a.filled()
    assert b.fetch("x") == ("l2", "from_a")
    assert b.fetch("x") == ("store", "from_a")


def t15_the_example_finds_what_it_has_loaded_before(world):
    server = world.server()
    said = [subprocess.run([os.environ["KVL_REDIS_EXAMPLE"], server.url()], capture_output=True, text=True, timeout=PATIENCE) for _ in range(2)]
    for run, how in zip(said, ("loaded", "found")):
        assert run.returncode == 0 and run.stdout == "".join(f"the page of {user} ({how})\n" for user in ("ann", "bob", "eve")), run
    wrong = subprocess.run([os.environ["KVL_REDIS_EXAMPLE"], "redis://localhost/"], capture_output=True, text=True, timeout=PATIENCE)
    assert wrong.returncode == 1 and "needs the option prefix" in wrong.stderr


def t02_a_program_whose_values_are_objects_serves_through_the_server(world):
    server = world.server()
    valgrind = ["valgrind", "-q", "--leak-check=full", "--errors-for-leak-kinds=all", "--error-exitcode=9", "--fair-sched=yes"]
    url = server.url(command_ms=60000, connect_ms=60000, lease_ms=60000, blind_ms=-1)
    said = subprocess.run([*valgrind, os.environ["KVL_REDIS_SERVES"], url], capture_output=True, text=True, timeout=4 * PATIENCE)
    assert said.returncode == 0 and said.stdout == "found\nheard\nrefused\nclosed\n", said


def t13_a_large_value_is_compressed_and_found_by_those_that_compress_nothing(world):
    server = world.server()
    a, b = world.worker(server.url(compress_min=1000), *PATIENT), world.worker(server.url(), *PATIENT)
    large, small = "a_page_of_the_shop" * 1000, "a_page_of_the_shop" * 10
    a.do(f"put large {large}")
    a.do(f"put small {small}")
    a.synced()
    assert server.call("STRLEN", ENTRY + "large") < len(large) / 20
    assert server.call("GETRANGE", ENTRY + "large", 1, 1) == b"\x03" and server.call("GETRANGE", ENTRY + "small", 1, 1) == b"\x02"
    # A notice that arrived during a lookup would overtake the lookup.
    eventually("b has received both", lambda: b.state()["heard"] == 2)
    assert b.fetch("large") == ("l2", large) and b.fetch("small") == ("l2", small)
    b.do(f"put large {large}")
    b.synced()
    assert server.call("STRLEN", ENTRY + "large") > len(large)
    eventually("a has received the notice", lambda: a.state()["heard"] == 1)
    assert a.fetch("large") == ("l2", large)


def t13_a_compressed_value_that_is_damaged_or_too_long_is_a_miss(world):
    server = world.server()
    a, b = world.worker(server.url(compress_min=1000), *PATIENT), world.worker(server.url(compress_min=1000, plain_max=10000), *PATIENT)
    answer_automatically(a, b)
    large = "a_page_of_the_shop" * 1000
    for key in ("long", "cut", "bomb"):
        a.do(f"put {key} {large}")
    a.synced()
    entry = server.call("GET", ENTRY + "cut")
    server.call("SET", ENTRY + "cut", entry[:-10])
    # The entry now says that it is 4 GiB long once it is unpacked.
    server.call("SETRANGE", ENTRY + "bomb", 34, b"\xff\xff\xff\xff")
    c = world.worker(server.url(), *PATIENT)
    answer_automatically(c)
    assert c.fetch("long") == ("l2", large)
    assert c.fetch("cut")[0] == "provider" and c.fetch("bomb")[0] == "provider"
    assert b.fetch("long") == ("provider", "from_b"), "the value is longer than this process accepts"
    b.do(f"put whole {large}")
    b.synced()
    assert server.call("STRLEN", ENTRY + "whole") > len(large)


def t03_only_the_process_with_the_lease_fills(world):
    server = world.server()
    a, b = (world.worker(server.url(), *PATIENT, "l2.single_flight=false") for _ in range(2))
    a.start_load("x")
    b.start_load("x")
    b.tell("answer x of_b")
    assert b.result("x") == ("provider", "of_b")
    a.tell("answer x of_a")
    assert a.result("x") == ("provider", "of_a")
    a.filled()
    assert a.state()["leases"] == 1 and b.state()["busy"] == 1 and b.state()["leases"] == 0
    assert b.l2()["fills"] == 0
    c = world.worker(server.url(), *PATIENT)
    assert c.fetch("x") == ("l2", "of_a")


def t03_a_load_that_fails_leaves_a_lease_that_ends(world):
    server = world.server()
    a = world.worker(server.url(lease_ms=50), *PATIENT)
    b = world.worker(server.url(), *PATIENT)
    a.start_load("x")
    a.tell("fail x")
    a.expect("done x")
    eventually("the lease has ended", lambda: not server.call("EXISTS", ENTRY + "x"))
    answer_automatically(b)
    assert b.fetch("x") == ("provider", "from_a")
    b.filled()
    assert b.l2()["fills"] == 1


def t03_a_fill_after_the_lease_is_refused(world):
    server, a, b = two(world, lease_ms=50)
    a.start_load("x")
    eventually("the lease has ended", lambda: not server.call("EXISTS", ENTRY + "x"))
    a.tell("answer x late")
    assert a.result("x") == ("provider", "late")
    a.filled()
    assert a.l2()["fills_refused"] == 1 and not server.call("EXISTS", ENTRY + "x")


# ---- One load for a cold key

# Processes wait for each other's loads as long as a story needs.
WAITING = (*PATIENT, "l2.wait_ms=15000")


def t10_a_key_that_another_process_loads_is_waited_for(world):
    server = world.server()
    a, b = (world.worker(server.url(), *WAITING) for _ in range(2))
    a.start_load("x")
    b.tell("fetch x")
    eventually("the other one has looked", lambda: b.state()["busy"] >= 1)
    a.tell("answer x of_a")
    assert b.result("x") == ("l2", "of_a")
    assert not b.has_said("load")


def t10_many_processes_load_each_cold_key_once(world):
    server = world.server()
    workers = [world.worker(server.url(), *WAITING) for _ in range(6)]
    answer_automatically(*workers)
    for worker in workers:
        worker.tell("many 0 100")
    for worker in workers:
        for nth in range(100):
            worker.result(f"k{nth}")
    loads = sum(sum(line.startswith("loaded ") for line in worker.unread) for worker in workers)
    assert loads == 100, loads


def t10_a_process_that_has_died_is_waited_for_no_longer_than_l2_wait_ms(world):
    server = world.server()
    a, b = (world.worker(server.url(lease_ms=60000), *PATIENT, "l2.wait_ms=200") for _ in range(2))
    a.start_load("x")
    a.kill()
    answer_automatically(b)
    assert b.fetch("x") == ("provider", "from_a")
    b.filled()
    assert b.l2()["fills"] == 1, "b has taken the lease over"


def t10_a_process_does_not_wait_for_its_own_load_that_has_failed(world):
    server = world.server()
    a, b = (world.worker(server.url(lease_ms=60000), *WAITING) for _ in range(2))
    for _ in range(3):
        a.start_load("x")
        a.tell("fail x")
        a.expect("done x")
    assert (a.state()["leases"], a.state()["busy"]) == (3, 0)
    a.start_load("x")
    b.tell("fetch x")
    eventually("the other one has looked", lambda: b.state()["busy"] >= 1)
    a.tell("answer x of_a")
    assert b.result("x") == ("l2", "of_a") and not b.has_said("load")


def t10_a_lease_that_ends_while_it_is_waited_for_is_taken_over(world):
    server = world.server()
    a = world.worker(server.url(lease_ms=300), *PATIENT)
    b = world.worker(server.url(), *WAITING)
    a.start_load("x")
    answer_automatically(b)
    assert b.fetch("x") == ("provider", "from_a")
    b.filled()
    assert b.l2()["fills"] == 1 and b.state()["leases"] == 1


def t10_a_lease_is_given_back_when_another_process_overtakes_its_load(world):
    server = world.server()
    a, b = (world.worker(server.url(lease_ms=600000), *WAITING) for _ in range(2))
    a.start_load("x")
    server.call("XADD", LOG, "*", "k", "x")
    eventually("the lease is given back", lambda: not server.call("EXISTS", ENTRY + "x"))
    # Otherwise the notice would overtake the load of b too.
    eventually("b has received the notice", lambda: b.state()["heard"] == 1)
    answer_automatically(b)
    assert b.fetch("x") == ("provider", "from_a")
    b.filled()
    a.tell("answer x old")
    assert a.result("x") == ("provider", "old")
    assert b.state()["busy"] == 0 and b.l2()["fills"] == 1
    # A clear overtakes all loads.
    a.start_load("y")
    assert b.do("clear") == 0
    b.synced()
    eventually("the lease is given back", lambda: not server.call("EXISTS", ENTRY + "y"))


def t10_a_lease_that_was_granted_too_late_is_given_back(world):
    server = world.server()
    a = world.worker(server.url(lease_ms=600000, command_ms=20000, connect_ms=20000), "l2.timeout_ms=100", "timeout_ms=20000")
    server.pause()
    a.start_load("x")
    a.tell("answer x 1")
    assert a.result("x") == ("provider", "1")
    server.go_on()
    eventually("the lease was granted and given back", lambda: a.state()["leases"] == 1 and not server.call("EXISTS", ENTRY + "x"))


def t10_a_lease_of_a_lookup_that_was_overtaken_is_given_back(world):
    server = world.server()
    a = world.worker(server.url(lease_ms=600000, command_ms=20000, connect_ms=20000), *PATIENT)
    server.pause()
    a.tell("fetch x")
    eventually("x is looked up", lambda: a.l2()["reads"] == 1)
    assert a.do("invalidate") == 0
    server.go_on()
    a.expect("load x")
    eventually("the lease was granted and given back", lambda: a.state()["leases"] == 1 and not server.call("EXISTS", ENTRY + "x"))
    a.tell("answer x 1")
    assert a.result("x") == ("provider", "1")


def t10_a_key_that_is_waited_for_delays_no_other(world):
    server = world.server()
    a, b = (world.worker(server.url(), *WAITING) for _ in range(2))
    answer_automatically(a)
    a.fetch("k1")
    a.filled()
    a.do("ask")
    a.start_load("k0")
    b.tell("many 0 2")
    assert b.result("k1") == ("l2", "from_a")
    assert not b.has_said("done k0")
    a.tell("answer k0 late")
    assert b.result("k0") == ("l2", "late")


# ---- A write beats an older load


def t03_a_put_of_another_process_beats_an_older_load(world):
    server, a, b = two(world)
    a.start_load("x")
    assert b.do("put x new") == 0
    b.synced()
    a.tell("answer x old")
    assert a.result("x") == ("provider", "old")
    c = world.worker(server.url(), *PATIENT)
    assert c.fetch("x") == ("l2", "new")
    eventually("the old value has left the process that loaded it", lambda: a.fetch("x")[1] == "new")
    assert b.fetch("x")[1] == "new"
    assert a.l2()["fills"] == 0


def t03_a_removal_of_another_process_beats_an_older_load(world):
    server, a, b = two(world)
    a.start_load("x")
    b.do("remove x")
    b.synced()
    eventually("the removal is received", lambda: a.state()["heard"] >= 1)
    a.tell("answer x old")
    assert a.result("x") == ("provider", "old")
    answer_automatically(a, b)
    assert b.fetch("x") == ("provider", "from_b")
    b.filled()
    assert a.fetch("x")[1] != "old", "the removal was received before the answer"
    assert a.l2()["fills"] == 0


def t03_a_clear_of_another_process_beats_an_older_load(world):
    server, a, b = two(world)
    a.start_load("x")
    assert b.do("clear") == 0
    b.synced()
    a.tell("answer x old")
    assert a.result("x") == ("provider", "old")
    c = world.worker(server.url(), *PATIENT)
    answer_automatically(c)
    assert c.fetch("x") == ("provider", "from_a"), "what was loaded before the clear has not filled the server"


def t03_no_process_ever_goes_back_to_an_older_value(world):
    """Processes write keys that all of them read, while the server is killed, stopped, emptied and cut off. No process ever sees an older value of a key
    than it has seen before, and in the end all of them see the last write."""
    server = world.server()
    options = {"reconnect_cap_ms": 50, "command_ms": 200, "connect_ms": 200, "blind_ms": 500}
    settings = ("l2.timeout_ms=100", "l2.break_ms=20", "l2.break_cap_ms=50", "l2.wait_ms=100", "timeout_ms=20000")
    workers = [world.worker(server.url(**options), *settings) for _ in range(3)]
    chance = random.Random(20)
    keys = ["x", "y", "z"]
    seen = {(worker, key): 0 for worker in workers for key in keys}

    def look(worker, key):
        version = int(worker.fetch(key)[1])
        assert version >= seen[worker, key], f"{key}: {version} after {seen[worker, key]}"
        seen[worker, key] = version
        return version

    for version in range(1, 61):
        fault = chance.choice(["none", "none", "none", "kill", "stop", "empty", "cut"])
        # The source, from which the providers answer, changes before the write announces the change.
        for worker in workers:
            worker.do(f"auto {version}")
        if fault == "kill":
            server.kill()
        elif fault == "stop":
            server.pause()
        elif fault == "empty":
            server.call("FLUSHALL")
        elif fault == "cut":
            server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        writer = chance.choice(workers)
        for key in keys:
            assert writer.do(f"put {key} {version}" if chance.random() < 0.7 else f"remove {key}") >= 0
        for worker in workers:
            look(worker, chance.choice(keys))
        if fault == "kill":
            server.start()
        server.go_on()
        writer.synced()
        for worker in workers:
            for key in keys:
                eventually("every process sees the last write", lambda: look(worker, key) == version)


# ---- What others write is invalidated


def t04_the_notice_follows_the_change(world):
    server, a, _ = two(world)
    monitor = socket.socket(socket.AF_UNIX)
    monitor.settimeout(PATIENCE)
    monitor.connect(server.socket)
    with monitor, monitor.makefile("rb") as lines:
        monitor.sendall(packed(["MONITOR"]))
        lines.readline()
        for command, change in (("put x 1", f'"SET" "{ENTRY}x"'), ("remove x", f'"UNLINK" "{ENTRY}x"'), ("clear", f'"SET" "{LOG}:epoch"')):
            a.do(command)
            a.synced()
            seen = []
            while not seen or b'"XADD"' not in seen[-1]:
                seen.append(lines.readline())
            assert any(change.encode() in line for line in seen[:-1]), seen


def t05_what_another_process_writes_is_invalidated(world):
    _, a, b = two(world)
    answer_automatically(a, b)
    assert a.fetch("x") == ("provider", "from_a")
    a.filled()
    assert b.fetch("x") == ("l2", "from_a")
    # b may call its provider, since a lookup that a notice overtakes is not used: so the provider has the new value too.
    b.do("auto new")
    assert a.do("put x new") == 0
    a.synced()
    eventually("the other process has the new value", lambda: b.fetch("x")[1] == "new")
    b.do("auto newer")
    eventually("a has received its own write", lambda: a.state()["own"] == 1)
    assert a.fetch("x") == ("store", "new"), "its own write is skipped"
    assert a.do("remove x") >= 0
    a.synced()
    eventually("the other process has nothing", lambda: b.fetch("x")[1] != "new")


def t08_what_was_loaded_before_the_engine_was_attached_is_looked_up_again(world):
    server = world.server()
    a = world.worker(server.url(), *PATIENT)
    b = world.worker(server.url(), *PATIENT, environment={"KVL_REDIS_LATE": "1"})
    answer_automatically(a, b)
    assert b.fetch("x") == ("provider", "from_b")
    b.filled()
    assert a.do("put x new") == 0
    a.synced()
    eventually("the write is read from the log", lambda: b.state()["heard"] == 1)
    assert b.fetch("x") == ("store", "from_b")
    assert b.do("attach") == 0
    assert b.fetch("x") == ("l2", "new")


def t08_what_is_loaded_from_a_file_is_looked_up_if_that_comes_before_the_attachment_or_is_expired_after_it(world):
    server, a, b = two(world)
    answer_automatically(a, b)
    saved = f"{os.path.dirname(server.socket)}/saved"
    assert a.do("put x old") == 0
    a.synced()
    assert a.do(f"save {saved}") == 0
    assert b.do("put x new") == 0
    b.synced()
    early = world.worker(server.url(), *PATIENT, environment={"KVL_REDIS_LATE": "1"})
    late = world.worker(server.url(), *PATIENT)
    answer_automatically(early, late)
    assert early.do(f"load {saved}") == 0 and early.do("attach") == 0
    assert early.fetch("x") == ("l2", "new")
    eventually("the log is read", lambda: late.state()["listening"])
    assert late.do(f"load {saved}") == 0 and late.do("expire") == 0
    assert late.fetch("x") == ("l2", "new")


def t05_a_clear_reaches_the_other_processes(world):
    server, a, b = two(world)
    answer_automatically(a, b)
    a.fetch_many(20)
    a.filled(20)
    assert b.fetch("k3") == ("l2", "from_a")
    assert b.do("clear") == 0
    b.synced()
    eventually("the other process has nothing", lambda: a.fetch("k7")[0] == "provider")
    c = world.worker(server.url(), *PATIENT)
    answer_automatically(c)
    assert c.fetch("k5") == ("provider", "from_a"), "and the server has nothing"


def t05_another_program_can_announce_its_writes(world):
    server, a, b = two(world)
    answer_automatically(a, b)
    a.fetch("x")
    a.filled()
    server.call("DEL", ENTRY + "x")
    server.call("XADD", LOG, "MAXLEN", "~", 100000, "*", "k", "x")
    eventually("the notice is received", lambda: a.state()["heard"] == 1)
    assert a.fetch("x") == ("provider", "from_a")


# ---- The server fails


def t01_without_a_server_keys_are_loaded(world):
    a = world.worker("unix:///nowhere/redis.sock?prefix=p", *PATIENT, wait=False)
    answer_automatically(a)
    for nth in range(20):
        assert a.fetch(f"k{nth}") == ("provider", "from_a")
    assert a.do("put x 1") == 0 and a.fetch("x") == ("store", "1")
    state = a.state()
    assert not state["connected"] and "Is the server running" in state["problem"], state


def t01_a_server_that_is_killed_is_no_error(world):
    server, a, b = two(world, reconnect_cap_ms=50)
    answer_automatically(a, b)
    assert a.fetch("x") == ("provider", "from_a")
    a.filled()
    server.kill()
    for nth in range(50):
        assert a.fetch(f"k{nth}")[0] == "provider"
    assert a.do("put y written_meanwhile") == 0
    server.start()
    a.connected()
    b.connected()
    a.synced()
    c = world.worker(server.url(), *PATIENT)
    c.do("auto written_meanwhile")
    assert c.fetch("y")[1] == "written_meanwhile", "what was written meanwhile is there, or removed (T07)"
    assert a.state()["sessions"] >= 2


def t07_a_server_that_restarts_with_old_data_gets_the_last_writes_again(world):
    server, a, b = two(world, reconnect_cap_ms=50)
    answer_automatically(a, b)
    assert a.do("put x old") == 0
    a.synced()
    server.call("SET", "witness", 1)
    server.call("SAVE")
    assert a.do("put x new") == 0
    a.synced()
    server.kill()
    server.start()
    assert server.call("EXISTS", "witness"), "the server has the old copy"
    a.connected()
    eventually("the last write is repeated", lambda: not server.call("EXISTS", ENTRY + "x"))
    c = world.worker(server.url(), *PATIENT)
    answer_automatically(c)
    assert c.fetch("x") == ("provider", "from_a")


def old_copy_returns(world, **options):
    """A server restarts with data from before writes that no process repeats any more. Returns the server, and two processes that had used it."""
    server, a, b = two(world, reconnect_cap_ms=50, journal_ms=0, **options)
    for key in ("x", "y", "z"):
        assert a.do(f"put {key} old") == 0
    a.synced()
    server.call("SAVE")
    for key in ("x", "y", "z"):
        assert a.do(f"put {key} new") == 0
    a.synced()
    eventually("the writes are received", lambda: b.state()["heard"] >= 6)
    sessions = [worker.state()["sessions"] for worker in (a, b)]
    server.kill()
    server.start()
    assert server.call("GET", ENTRY + "y").endswith(b"old"), "the server has the old copy"
    for worker, before in zip((a, b), sessions):
        eventually("the worker is connected again", lambda: worker.state()["sessions"] > before)
        worker.connected()
    return server, a, b


def t07_a_server_that_returns_with_an_old_copy_is_not_believed(world):
    server, a, b = old_copy_returns(world)
    b.do("auto new")
    for key in ("x", "y", "z"):
        assert b.fetch(key)[1] == "new"
    assert len([key for key in server.keys() if key.startswith(LOG.encode() + b":") and not key.endswith(b":epoch")]) == 1
    before = server.call("GET", LOG + ":epoch")
    c = world.worker(server.url(), *PATIENT)
    c.do("auto new")
    assert c.fetch("x")[1] == "new"
    assert server.call("GET", LOG + ":epoch") == before, "the epoch changes only once"


def t07_a_server_with_an_old_copy_is_believed_if_the_program_says_so(world):
    server, a, b = old_copy_returns(world, on_restart="trust")
    c = world.worker(server.url(), *PATIENT)
    assert c.fetch("y") == ("l2", "old")


def t01_a_server_that_stands_still_is_no_error(world):
    server = world.server()
    fast = world.worker(server.url(command_ms=100, connect_ms=100, reconnect_cap_ms=50), "l2.timeout_ms=20", "l2.break_ms=20", "l2.break_cap_ms=50")
    answer_automatically(fast)
    fast.fetch("x")
    server.pause()
    for nth in range(20):
        assert fast.fetch(f"k{nth}") == ("provider", "from_a")
    eventually("the connection is given up", lambda: not fast.state()["connected"])
    server.go_on()
    fast.connected()
    assert fast.fetch("x")[1] == "from_a"


def t07_the_last_of_several_writes_stays_though_the_server_stood_still(world):
    server = world.server()
    settings = (*PATIENT, "l2.break_ms=10", "l2.break_cap_ms=20")
    writer = world.worker(server.url(command_ms=50, connect_ms=50, reconnect_cap_ms=20), *settings)
    server.pause()
    # Each write is sent over a connection that is then given up; the write's bytes are still on their way to the server.
    for nth in range(5):
        assert writer.do(f"put x {nth}") == 0
        eventually("the write has failed", lambda: writer.l2()["write_errors"] > nth)
    assert writer.do("put x last") == 0
    server.go_on()
    writer.synced()
    c = world.worker(server.url(), *PATIENT)
    # A value that could not be written three times is removed instead, and the provider is called.
    c.do("auto last")
    assert c.fetch("x")[1] == "last"


def t07_what_a_connection_that_was_given_up_still_sends_is_not_carried_out(world):
    server = world.server()
    proxy = world.proxy(server)
    a = world.worker(proxy.url(command_ms=200, reconnect_cap_ms=50), *PATIENT, "l2.break_ms=20", "l2.break_cap_ms=50")
    assert a.do("put x first") == 0
    a.synced()
    proxy.hold()
    assert a.do("put x old") == 0
    eventually("the connection is given up", lambda: a.state()["sessions"] >= 2)
    assert a.do("put x new") == 0
    a.synced()
    proxy.release()
    # Once the server has noticed the end of its connections, everything that was kept back has arrived.
    eventually("the old connections have ended", lambda: len(server.call("CLIENT", "LIST").splitlines()) <= 3)
    assert server.call("GET", ENTRY + "x").endswith(b"new")
    assert a.fetch("x") == ("store", "new")


def t01_an_emptied_server_is_no_error(world):
    server, a, b = two(world)
    answer_automatically(a, b)
    a.fetch("x")
    a.filled()
    server.call("FLUSHALL")
    assert b.fetch("x") == ("provider", "from_b")
    b.filled()
    c = world.worker(server.url(), *PATIENT)
    assert c.fetch("x") == ("l2", "from_b")
    b.do("auto new")
    assert a.do("put x new") == 0
    a.synced()
    eventually("writes are received again", lambda: b.fetch("x")[1] == "new")
    c = world.worker(server.url(), *PATIENT)
    assert c.fetch("x") == ("l2", "new")


def t01_a_full_server_is_no_error(world):
    server = world.server("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    a = world.worker(server.url(), *PATIENT)
    a.do("auto " + "v" * 20000)
    assert all(result[0] == "provider" for result in a.fetch_many(300))
    eventually("some values do not fit", lambda: a.l2()["errors"] + a.l2()["write_errors"] + a.l2()["fills_refused"] > 0)
    assert a.do("put x 1") == 0 and a.fetch("x") == ("store", "1")
    server.call("CONFIG", "SET", "maxmemory", "100mb")
    a.synced()


def t03_evictions_bring_nothing_old_back(world):
    server, a, b = two(world, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
    a.start_load("x")
    b.do("put x new")
    b.synced()
    b.do("auto " + "v" * 20000)
    assert all(result[0] == "provider" for result in b.fetch_many(300))
    a.tell("answer x old")
    a.result("x")
    c = world.worker(server.url(), *PATIENT)
    answer_automatically(c)
    assert c.fetch("x")[1] != "old"


def t18_a_wrong_password_is_reported_in_a_sentence_that_does_not_name_it(world):
    server = world.server("--requirepass", "right")
    for url, says in ((server.url(**{"pass": "secret"}), "refused user and password"), (server.url(), "asks for a password")):
        a = world.worker(url, *PATIENT, wait=False)
        answer_automatically(a)
        assert a.fetch("key_of_the_program") == ("provider", "from_a")
        eventually("the worker says why", lambda: says in (a.state()["problem"] or ""))
        problem = a.state()["problem"]
        assert "secret" not in problem and "key_of_the_program" not in problem, problem
    b = world.worker(server.url(**{"pass": "right"}), *PATIENT)
    assert b.state()["problem"] is None


def t18_a_database_that_the_server_lacks_is_reported_in_a_sentence_that_names_the_option(world):
    server = world.server()
    a = world.worker(server.url(db=99), *PATIENT, wait=False)
    answer_automatically(a)
    assert a.fetch("x") == ("provider", "from_a")
    eventually("the worker says why", lambda: "the option db" in (a.state()["problem"] or ""))
    assert "TLS" not in a.state()["problem"], a.state()


def t18_what_the_server_quotes_is_not_reported(world):
    server = world.server("--rename-command", "XREAD", "")
    a = world.worker(server.url(), *PATIENT, wait=False)
    answer_automatically(a)
    assert a.fetch("x") == ("provider", "from_a")
    eventually("the worker says why", lambda: "unknown command" in (a.state()["problem"] or ""))
    assert "p:1:" not in a.state()["problem"], a.state()


def t18_a_user_without_rights_is_reported_in_a_sentence(world):
    server = world.server()
    rights = ["+hello", "+client", "+info", "+time", "+script", "+get", "+mget", "+xread", "+xrange", "+multi", "+exec", "~p:*"]
    server.call("ACL", "SETUSER", "poor", "on", ">pw", *rights)
    a = world.worker(server.url(user="poor", **{"pass": "pw"}), *PATIENT, wait=False)
    answer_automatically(a)
    assert a.fetch("x") == ("provider", "from_a")
    eventually("the worker says why", lambda: "ACL" in (a.state()["problem"] or ""))
    server.call("ACL", "SETUSER", "poor", "+set", "+unlink", "+getrange", "+xadd", "+evalsha", "+ping")
    a.connected()
    assert a.do("put x 1") == 0
    a.synced()
    assert a.state()["problem"] is None, a.state()


def t18_a_connection_may_be_encrypted_and_a_certificate_must_be_trusted(world):
    folder = certificates()
    files = [f"{folder}/server.pem", f"{folder}/server.key", f"{folder}/ca.pem"]
    options = zip(("--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file"), files)
    files = [word for option in options for word in option]

    def start(port):
        world.server("--tls-port", str(port), "--tls-auth-clients", "no", *files)
        return port

    port = on_free_port(start)
    url = f"rediss://localhost:{port}/?" + "&".join(f"{name}={value}" for name, value in OPTIONS.items())
    trusting = {"SSL_CERT_FILE": f"{folder}/ca.pem"}
    a, b = (world.worker(url, *PATIENT, environment=trusting) for _ in range(2))
    answer_automatically(a, b)
    assert a.fetch("x") == ("provider", "from_a")
    a.filled()
    assert b.fetch("x") == ("l2", "from_a")
    stranger = world.worker(url, *PATIENT, wait=False)
    answer_automatically(stranger)
    assert stranger.fetch("x") == ("provider", "from_a")
    eventually("the worker says why", lambda: "is not trusted" in (stranger.state()["problem"] or ""))
    shutil.rmtree(folder)


def t13_a_bad_url_is_reported_in_a_sentence(world):
    a = world.worker("redis://:secret@localhost/", wait=False)
    assert a.first.startswith("refused -4 The URL needs the option prefix"), a.first
    assert "secret" not in a.first


# ---- The log


def t08_what_was_written_while_a_process_slept_is_caught_up(world):
    _, a, b = two(world)
    answer_automatically(a, b)
    for key in ("x", "y"):
        b.fetch(key)
    b.process.send_signal(signal.SIGSTOP)
    for nth in range(5):
        a.do(f"put x new_{nth}")
        a.synced()
    b.process.send_signal(signal.SIGCONT)
    eventually("the notice is received", lambda: b.state()["heard"] >= 5)
    assert b.fetch("x")[1] == "new_4"
    assert b.fetch("y") == ("store", "from_b"), "no other entry has left"
    assert b.state()["gaps"] == 0


def t08_a_gap_in_the_log_makes_everything_be_looked_up_again(world):
    server, a, b = two(world, log_entries=1)
    answer_automatically(a, b)
    assert b.fetch("x") == ("provider", "from_b")
    b.filled()
    b.process.send_signal(signal.SIGSTOP)
    assert a.do("put x new") == 0
    a.synced()
    for nth in range(300):
        a.do(f"put other {nth}")
        a.synced()
    b.process.send_signal(signal.SIGCONT)
    eventually("the gap is noticed", lambda: b.state()["gaps"] >= 1)
    assert b.fetch("x")[1] == "new"


def t09_after_a_gap_nothing_is_answered_without_a_lookup(world):
    server, a, b = two(world)
    answer_automatically(a, b)
    b.fetch_many(50)
    b.filled(50)
    server.call("DEL", LOG)
    server.call("XADD", LOG, "*", "s", "nobody")
    eventually("the gap is noticed", lambda: b.state()["gaps"] >= 1 and b.state()["listening"])
    for nth in range(50):
        assert b.fetch(f"k{nth}") == ("l2", "from_b"), "the entry is still in the server"


def t08_a_process_that_cannot_read_the_log_looks_up_again(world):
    server = world.server()
    a = world.worker(server.url(blind_ms=100, connect_ms=50), *PATIENT)
    answer_automatically(a)
    assert a.fetch("x") == ("provider", "from_a")
    assert a.fetch("x") == ("store", "from_a")
    # Not 0: on a busy machine the first connection may have taken so long that the worker was blind already.
    before = a.state()["blind"]
    server.kill()
    eventually("the worker knows that it cannot read the log", lambda: a.state()["blind"] > before)
    assert a.fetch("x") == ("provider", "from_a")
    # What a has loaded since then may be outdated as well.
    before = a.state()["blind"]
    eventually("the worker is blind for longer", lambda: a.state()["blind"] > before)
    assert a.fetch("x") == ("provider", "from_a")


def t08_a_log_that_may_not_be_read_is_reported_and_everything_is_looked_up_again(world):
    server = world.server()
    rights = ["+@all", "-xrange", "~p:*"]
    server.call("ACL", "SETUSER", "poor", "on", ">pw", *rights)
    a = world.worker(server.url(user="poor", blind_ms=2000, **{"pass": "pw"}), *PATIENT, wait=False)
    answer_automatically(a)
    eventually("a is connected", lambda: a.state()["connected"])
    assert a.fetch("x")[1] == "from_a"
    eventually("the worker knows that it cannot read the log", lambda: a.state()["blind"] > 0)
    eventually("the worker says why", lambda: "XRANGE" in (a.state()["problem"] or ""))
    server.call("DEL", ENTRY + "x")
    assert a.fetch("x") == ("provider", "from_a"), "the entry that it had has expired"
    state = a.state()
    assert not state["listening"], state
    tries = server.executed("xadd") + server.executed("multi")
    assert tries < 30, f"the pauses grow: {tries}"
    server.call("ACL", "SETUSER", "poor", "-xread", "+xrange")
    eventually("the worker says why", lambda: "XREAD" in (a.state()["problem"] or ""))
    server.call("ACL", "SETUSER", "poor", "+xread")
    a.connected()
    assert a.state()["problem"] is None, a.state()


# ---- What is under the keys


def t13_whatever_is_under_a_key_is_a_miss_at_most(world):
    server, a, b = two(world)
    answer_automatically(a)
    a.fetch("x")
    a.filled()
    whole = server.call("GET", ENTRY + "x")
    damages = [b"", b"text", whole[:10], whole[:26], whole[:33], whole[:-1], whole + b"x", b"\0" * len(whole)]
    damages += [whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :] for at in range(len(whole))]
    for damage in damages:
        server.call("SET", ENTRY + "x", damage)
        b.do("invalidate")
        answer_automatically(b)
        fills = b.l2()["fills"]
        assert b.fetch("x") == ("provider", "from_a"), damage
        b.filled(fills + 1)
        b.do("invalidate")
        assert b.fetch("x")[0] == "l2", f"the entry is repaired: {damage}"


def t13_another_version_of_the_format_has_keys_of_its_own(world):
    server, a, _ = two(world)
    answer_automatically(a)
    server.call("SET", "p:2:k:x", "of a later version")
    assert a.fetch("x") == ("provider", "from_a")
    a.filled()
    assert server.call("GET", "p:2:k:x") == b"of a later version"
    assert server.keys() == {b"p:2:k:x", (ENTRY + "x").encode(), LOG.encode(), f"{LOG}:epoch".encode()}


def t11_a_failure_of_one_key_does_not_affect_the_others(world):
    server, a, b = two(world)
    answer_automatically(a, b)
    a.fetch_many(10)
    a.filled(10)
    server.call("DEL", ENTRY + "k4")
    server.call("LPUSH", ENTRY + "k4", "a list")
    assert b.fetch_many(10) == [("l2", "from_a") if nth != 4 else ("provider", "from_b") for nth in range(10)]


def t14_entries_expire_by_the_clock_of_the_server(world):
    server, a, b = two(world)
    assert a.do("touch x 60000") == 0
    a.synced()
    stored = server.call("GET", ENTRY + "x")
    expires_at = int.from_bytes(stored[26:32], "little")
    # Each is the server's time plus the TTL. They differ by the time that the command took to arrive.
    assert abs(expires_at - server.call("PEXPIRETIME", ENTRY + "x")) < 30000
    eventually("the notice is received", lambda: b.state()["heard"] == 1)
    assert b.fetch("x") == ("l2", "short")
    late = stored[:26] + (1).to_bytes(6, "little")
    late += binascii.crc_hqx(late, 0).to_bytes(2, "little") + stored[34:]
    server.call("SET", ENTRY + "x", late)
    b.do("invalidate")
    answer_automatically(b)
    assert b.fetch("x") == ("provider", "from_a"), "the entry had expired long ago by the server's clock"


# ---- A cluster


def spread(count=60):
    return [f"k{nth}" for nth in range(count)]


def t15_a_cluster_is_used_like_one_server(world):
    cluster = world.cluster(3)
    a, b = (world.worker(cluster.url(), *PATIENT) for _ in range(2))
    answer_automatically(a, b)
    a.tell("many 0 60")
    for key in spread():
        assert a.result(key) == ("provider", "from_a")
    a.filled(60)
    assert all(node.call("DBSIZE") > 1 for node in cluster.nodes), "each server has some of the entries"
    b.tell("many 0 60")
    for key in spread():
        assert b.result(key) == ("l2", "from_a")
    b.do("auto new")
    for key in spread(10):
        assert a.do(f"put {key} new") == 0
    a.synced()
    for key in spread(10):
        eventually("the notice is received", lambda: b.fetch(key)[1] == "new")
    assert a.do("clear") == 0
    a.synced()
    eventually("the clear is received", lambda: b.fetch("k50")[1] == "new")
    c = world.worker(cluster.url(), *PATIENT)
    answer_automatically(c)
    assert c.fetch("k55") == ("provider", "from_a")


def t03_a_put_beats_an_older_load_in_a_cluster(world):
    cluster = world.cluster(3)
    a, b = (world.worker(cluster.url(), *PATIENT, "tasks.max_running=64") for _ in range(2))
    a.tell("many 0 12")
    for key in spread(12):
        a.expect(f"load {key}")
        assert b.do(f"put {key} new") == 0
    b.synced()
    for key in spread(12):
        a.tell(f"answer {key} old")
        assert a.result(key) == ("provider", "old")
    c = world.worker(cluster.url(), *PATIENT)
    for key in spread(12):
        assert c.fetch(key) == ("l2", "new")
    assert a.l2()["fills"] == 0


def t08_a_clear_that_was_missed_is_known_after_the_gap_in_a_cluster(world):
    cluster = world.cluster(1)
    node = cluster.nodes[0]
    a, b = (world.worker(cluster.url(), *PATIENT) for _ in range(2))
    answer_automatically(a, b)
    b.fetch("x")
    b.filled()
    b.process.send_signal(signal.SIGSTOP)
    a.do("clear")
    a.synced()
    node.call("DEL", LOG)
    node.call("XADD", LOG, "*", "s", "nobody")
    b.process.send_signal(signal.SIGCONT)
    eventually("the gap is noticed", lambda: b.state()["gaps"] >= 1 and b.state()["listening"])
    eventually("the other one goes on", lambda: a.state()["gaps"] >= 1 and a.state()["listening"])
    a.do("put y new")
    a.synced()
    eventually("the notice is received", lambda: b.state()["heard"] >= 1)
    assert b.fetch("y") == ("l2", "new")


def t08_the_last_of_two_clears_counts_in_a_cluster(world):
    cluster = world.cluster(1)
    # a reads the log so rarely that one read returns both clears.
    a = world.worker(cluster.url(notify_ms=1000), *PATIENT)
    b = world.worker(cluster.url(), *PATIENT)
    b.do("put y 1")
    b.do("clear")
    b.synced()
    a.do("clear")
    a.synced()
    eventually("both are received", lambda: a.state()["heard"] >= 1)
    b.do("put x new")
    b.synced()
    eventually("the notice is received", lambda: a.state()["heard"] >= 2)
    assert a.fetch("x") == ("l2", "new")


def t15_an_evicted_epoch_is_replaced_for_all_in_a_cluster(world):
    cluster = world.cluster(1)
    a, b = (world.worker(cluster.url(), *PATIENT) for _ in range(2))
    answer_automatically(a, b)
    b.fetch("x")
    b.filled()
    assert a.do("put z 1") == 0
    eventually("a has received everything before its put, and the epoch too", lambda: a.state()["own"] == 1)
    assert a.fetch("x") == ("l2", "from_b")
    cluster.nodes[0].call("DEL", LOG + ":epoch")
    assert a.do("put y new") == 0
    a.synced()
    # y is written twice: the first time under the epoch that no longer existed.
    eventually("the notice is received", lambda: b.state()["heard"] >= 3)
    assert b.fetch("y") == ("l2", "new")


def t11_a_server_of_a_cluster_that_is_down_affects_its_own_keys_alone(world):
    cluster = world.cluster(3)
    a, b = (world.worker(cluster.url(), *PATIENT, "l2.break_after=0") for _ in range(2))
    answer_automatically(a, b)
    a.tell("many 0 60")
    for key in spread():
        a.result(key)
    a.filled(60)
    # The log must stay available, so another server is killed.
    victim = next(node for node in cluster.primaries if node is not cluster.node_of(LOG))
    lost = {key for key in spread() if cluster.node_of(ENTRY + key) is victim}
    assert 0 < len(lost) < 60
    victim.kill()
    for attempt in range(2):
        b.tell("many 0 60")
        for key in spread():
            source, value = b.result(key)
            assert source == ("provider" if key in lost else "l2"), f"{key}: {source}"
        b.do("invalidate")
    victim.start()
    eventually("the server is used again", lambda: b.state()["connected"])


def t11_keys_that_move_to_another_server_are_misses_at_most(world):
    cluster = world.cluster(2)
    a, b = (world.worker(cluster.url(), *PATIENT, "l2.break_after=0") for _ in range(2))
    answer_automatically(a, b)
    assert a.fetch("x") == ("provider", "from_a")
    a.filled()
    key = ENTRY + "x"
    slot = cluster.nodes[0].call("CLUSTER", "KEYSLOT", key)
    source = cluster.node_of(key)
    target = next(node for node in cluster.nodes if node is not source)
    cluster.begin_move(slot, source, target)
    source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 10000, "KEYS", key)
    b.fetch("x")
    b.do("invalidate")
    cluster.end_move(slot, source, target)

    def found():
        b.do("invalidate")
        return b.fetch("x")[0] == "l2"

    eventually("x is found in the other server", found)
    assert a.do("put x new") == 0
    a.synced()
    c = world.worker(cluster.url(), *PATIENT)
    assert c.fetch("x")[1] == "new"


def a_copy_takes_over(world, more=lambda writer: None, **options):
    """A replica that lacks the last writes takes over from a server that does not have the log. `more` makes further writes that the replica lacks."""
    cluster = world.cluster(3, 3)
    a, b = (world.worker(cluster.url(connect_ms=1000, reconnect_cap_ms=50, **options), *PATIENT, "l2.break_ms=50", "l2.break_cap_ms=50") for _ in range(2))
    keys = spread(12)
    for key in keys:
        assert a.do(f"put {key} old") == 0
    a.synced()
    victim = next(node for node in cluster.primaries if node is not cluster.node_of(LOG))
    copy = cluster.nodes[3 + cluster.primaries.index(victim)]
    eventually("the replica has everything", lambda: copy.call("DBSIZE") == victim.call("DBSIZE"))
    # From now on the replica receives nothing, like one that lags behind.
    victim.call("CLIENT", "KILL", "TYPE", "replica")
    copy.pause()
    for key in keys:
        assert a.do(f"put {key} new") == 0
    more(a)
    a.synced()
    sessions = a.state()["sessions"]
    victim.kill()
    copy.go_on()
    eventually("the replica takes over", lambda: b"role:master" in copy.call("INFO", "replication"))
    eventually("the process knows the new primary", lambda: a.state()["sessions"] > sessions and a.state()["connected"])
    b.do("auto new")

    def is_new(key):
        b.do("invalidate")
        return b.fetch(key)[1] == "new"

    for key in keys:
        eventually("nothing old is left", lambda: is_new(key))
    c = world.worker(cluster.url(connect_ms=1000), *PATIENT, wait=False)
    c.do("auto new")
    eventually("a new process works with the servers that are left", lambda: c.state()["connected"])
    for key in keys:
        assert c.fetch(key)[1] == "new"


def t07_a_replica_that_takes_over_gets_the_last_writes_again(world):
    a_copy_takes_over(world)


def t07_a_replica_that_takes_over_is_not_used_if_the_last_writes_were_too_many_to_remember(world):
    def more(writer):
        # The keys of these writes are more bytes than the journal has room for.
        for nth in range(9 * 1024 // 60):
            assert writer.do(f"put {nth}{'k' * 60_000} 1") == 0
            if nth % 10 == 0:
                writer.synced()

    a_copy_takes_over(world, more, journal_ms=60000)


def t07_t08_a_copy_of_the_log_that_takes_over_is_told_again_of_all_keys(world):
    cluster = world.cluster(3, 3)
    a, b = (world.worker(cluster.url(connect_ms=1000, reconnect_cap_ms=50), *PATIENT, "l2.break_ms=50", "l2.break_cap_ms=50") for _ in range(2))
    victim = cluster.node_of(LOG)
    copy = cluster.nodes[3 + cluster.primaries.index(victim)]
    # These keys are in other servers, which lose nothing.
    keys = [key for key in spread() if cluster.node_of(ENTRY + key) is not victim][:8]
    for key in keys:
        assert a.do(f"put {key} old") == 0
    a.synced()
    eventually("the writes are received", lambda: b.state()["heard"] >= len(keys))
    for key in keys:
        assert b.fetch(key) == ("l2", "old")
    # The replica has what was written until now. It receives nothing of what follows.
    assert victim.call("WAIT", 1, 15000) == 1
    # A repeated notice may overtake a lookup of b, which then calls its provider.
    b.do("auto new")
    b.process.send_signal(signal.SIGSTOP)
    victim.call("CLIENT", "KILL", "TYPE", "replica")
    copy.pause()
    for key in keys:
        assert a.do(f"put {key} new") == 0
    a.synced()
    sessions = a.state()["sessions"]
    victim.kill()
    copy.go_on()
    eventually("the replica takes over", copy.is_primary)
    eventually("the process knows the new primary", lambda: a.state()["sessions"] > sessions and a.state()["connected"])
    b.process.send_signal(signal.SIGCONT)
    for key in keys:
        eventually("the other process is notified of the write", lambda: b.fetch(key) != ("store", "old"))
        assert b.fetch(key)[1] == "new"


# ---- The end


def t17_nothing_is_left_after_the_end(world):
    server, a, _ = two(world)
    answer_automatically(a)
    a.fetch("x")
    leaves(a, a.sockets, 3)
    assert a.fetch("y") == ("provider", "from_a"), "the engine works without its server"


def t17_a_child_of_a_fork_uses_nothing(world):
    server = world.server()
    a = world.worker(server.url(), *PATIENT)
    assert a.do("child") == 0 and a.do("misuse") == 0
    answer_automatically(a)
    assert a.fetch("x") == ("provider", "from_a"), "the parent goes on"
    a.filled()
    assert a.l2()["fills"] == 1


def t17_no_byte_is_left_at_exit(world):
    server = world.server()
    valgrind = ["valgrind", "--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all", "--error-exitcode=9", "--fair-sched=yes"]
    a = world.worker(server.url(command_ms=20000, connect_ms=20000, lease_ms=60000), *PATIENT, under=valgrind)
    a.start_load("x")
    a.tell("answer x 1")
    a.result("x")
    a.filled()
    a.do("invalidate")
    assert a.fetch("x") == ("l2", "1")
    a.do("put y 2")
    a.do("remove x")
    a.do("clear")
    a.synced()
    server.kill()
    a.start_load("z")
    assert "in use at exit: 0 bytes in 0 blocks" in a.end()


# ---- Sentinel


def has_role(server, role):
    """Whether a server has this role. While the role changes, the server closes its connections."""
    try:
        return b"role:" + role.encode() in server.call("INFO", "replication")
    except OSError:
        return False


def t07_sentinel_names_the_primary_and_a_failover_is_followed(world):
    watched = world.watched()
    a, b = (world.worker(watched.url(), *PATIENT) for _ in range(2))
    answer_automatically(a, b)
    assert a.fetch("x") == ("provider", "from_a")
    a.filled()
    assert b.fetch("x") == ("l2", "from_a")
    a.do("put y before")
    a.synced()
    eventually("b has received the notice", lambda: b.state()["heard"] == 1)
    watched.primary.kill()
    # No caller sees an error while there is no primary.
    assert a.fetch("z1")[1] == "from_a" and b.fetch("z2")[1] == "from_b"
    eventually("the replica takes over", lambda: has_role(watched.replica, "master"))
    for worker in (a, b):
        eventually("the worker uses the new primary", lambda: all(worker.state()[name] for name in ("connected", "listening")))
    a.do("put w after")
    a.synced()
    eventually("b has the answer", lambda: b.fetch("w")[1] == "after")
    c = world.worker(watched.url(), *PATIENT)
    answer_automatically(c)
    assert c.fetch("w") == ("l2", "after")
    assert c.fetch("y")[1] != "before" or watched.replica.executed("unlink") == 0, "the last writes were repeated: what the copy had of them is gone"


def t07_the_former_primary_that_returns_as_a_replica_is_not_used(world):
    watched = world.watched(sentinels=1)
    a = world.worker(watched.url(), *PATIENT)
    watched.primary.kill()
    eventually("the replica takes over", lambda: has_role(watched.replica, "master"))
    a.connected()
    watched.primary.start()
    eventually("the former primary follows", lambda: has_role(watched.primary, "slave"))
    a.do("put x 1")
    a.synced()
    assert watched.replica.call("EXISTS", ENTRY + "x") == 1
    eventually("no problem is left", lambda: a.state()["problem"] is None)


def t05_the_log_is_read_in_the_primary_though_the_former_one_still_answers(world):
    watched = world.watched(sentinels=1)
    (sentinel,) = watched.sentinels
    a, b = (world.worker(watched.url(), *PATIENT) for _ in range(2))
    answer_automatically(a, b)
    assert a.fetch("x") == ("provider", "from_a")
    a.filled()
    assert b.fetch("x") == ("l2", "from_a")
    sessions = [worker.state()["sessions"] for worker in (a, b)]
    # As if the primary were cut off from the Sentinel, but not from the processes.
    sentinel.call("SENTINEL", "REMOVE", "shop")
    watched.replica.call("REPLICAOF", "NO", "ONE")
    sentinel.call("SENTINEL", "MONITOR", "shop", "127.0.0.1", watched.replica.port, 1)
    for worker, before in zip((a, b), sessions):
        eventually("the other primary is used", lambda: worker.state()["sessions"] > before)
    assert a.do("put x new") == 0
    a.synced()
    assert watched.replica.call("EXISTS", ENTRY + "x") == 1 and has_role(watched.primary, "master")
    eventually("the other process is notified of the write", lambda: b.fetch("x")[1] == "new")


def t18_sentinels_and_servers_have_passwords_of_their_own(world):
    watched = world.watched(sentinels=1, password="of_the_server", own_password="of_the_sentinel")
    a = world.worker(watched.url(user=":of_the_server@", sentinel_pass="of_the_sentinel"), *PATIENT)
    answer_automatically(a)
    assert a.fetch("x") == ("provider", "from_a")
    a.filled()
    wrong = world.worker(watched.url(user=":of_the_server@", sentinel_pass="wrong"), *PATIENT, wait=False)
    eventually("the worker says what is wrong", lambda: "password" in (wrong.state()["problem"] or ""))
    unknown = world.worker(watched.url(user=":of_the_server@", sentinel_pass="of_the_sentinel", sentinel="other"), *PATIENT, wait=False)
    eventually("the worker says what is wrong", lambda: "option sentinel" in (unknown.state()["problem"] or ""))
    for worker in (wrong, unknown):
        assert "of_the_" not in json.dumps(worker.state())


def t07_when_a_server_of_a_cluster_is_used_again_connections_left_there_are_ended_first(world):
    cluster = world.cluster(2)
    first, second = cluster.nodes
    for node in cluster.nodes:
        # A primary that has given all its slots away stays a primary.
        node.call("CONFIG", "SET", "cluster-allow-replica-migration", "no")
    a = world.worker(cluster.url(), *PATIENT)
    key = next(f"k{nth}" for nth in range(100) if cluster.node_of(ENTRY + f"k{nth}") is second)
    a.do(f"put {key} 1")
    a.synced()
    log_slot = first.call("CLUSTER", "KEYSLOT", LOG)
    # The log's slot first: once the giver is emptied, a process soon writes the log again.
    slots = sorted(range(8192, 16384), key=lambda slot: slot != log_slot)

    def give(server, giver):
        """Gives a server all slots that the second one had at first. A slot with keys cannot be given away, so the giver is emptied."""
        owner = server.call("CLUSTER", "MYID")
        commands = [("CLUSTER", "SETSLOT", slot, "NODE", owner) for slot in slots]
        server.call_all(*commands)
        giver.call_all(("FLUSHALL",), *commands)
        server.call("CLUSTER", "BUMPEPOCH")

        def is_settled():
            # A message that was on its way between the servers may have taken a slot back.
            return server.call_all(*commands) and all(node.is_ok() for node in cluster.nodes)

        eventually("all slots are given", is_settled)

    give(first, second)
    eventually("the second server is left", lambda: a.do(f"put {key} 2") == 0 and first.call("EXISTS", ENTRY + key) == 1)
    # Only this story's own connection is left, since the log has moved too.
    eventually("the links to the second server are closed", lambda: second.call("CLIENT", "LIST").count(b"cmd=") == 1)
    before = second.executed("client|kill")
    give(second, first)
    eventually("the second server is used again", lambda: a.do(f"put {key} 3") == 0 and second.call("EXISTS", ENTRY + key) == 1)
    assert second.executed("client|kill") > before


def stories():
    known = {**globals(), **vars(costs)}
    return [(name, story) for name, story in known.items() if name[0] == "t" and name[1:3].isdigit()]


def run(name_and_story):
    name, story = name_and_story
    try:
        with World() as world:
            story(world)
        return name, None
    except Exception:  # the other stories continue
        return name, traceback.format_exc()


def main():
    signal.signal(signal.SIGTERM, kill_all)
    wanted = [item for item in stories() if len(sys.argv) < 2 or any(part in item[0] for part in sys.argv[1:])]
    failed = 0
    with ThreadPoolExecutor(4) as pool:
        for name, problem in pool.map(run, wanted):
            failed += problem is not None
            print(f"not ok {name}\n{problem}" if problem else f"ok {name}", flush=True)
    print(f"{len(wanted) - failed} passed, {failed} failed")
    return 1 if failed or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
