"""Stories that count loads, commands or round trips, and the story of the demo."""

import os
import re
import socket
import subprocess
import tempfile
import threading

from world import ENTRY, PATIENT, Proxy, answer_automatically, eventually, two

# Processes wait for each other's loads as long as a story needs.
WAITING = (*PATIENT, "l2.wait_ms=19000")


def t19_a_hit_costs_one_command_and_a_miss_one_more_for_its_lease(world):
    server, a, b = two(world)
    answer_automatically(a, b)
    a.fetch_many(64)
    a.filled(64)
    sets = server.executed("set")
    reads = server.executed("mget")
    assert all(result == ("l2", "from_a") for result in b.fetch_many(64))
    assert server.executed("mget") - reads == b.l2()["reads"], "one command for each look"
    assert server.executed("set") == sets, "hits take no leases"
    looks = a.l2()["reads"]
    assert looks <= 64 and a.state()["leases"] == 64


def t01_in_the_demo_of_a_cluster_no_fetch_fails_and_nothing_old_stays(world):
    with tempfile.TemporaryDirectory(prefix="kvl-redis-") as folder:
        demo = subprocess.run([os.environ["KVL_REDIS_DEMO"], "4", "3"], capture_output=True, text=True, timeout=100, env={**os.environ, "TMPDIR": folder})
        assert os.listdir(folder) == [], "the demo removes what it has made"
    assert demo.returncode == 0, demo
    assert "failed fetches: 0\n" in demo.stdout and "old versions: none, " in demo.stdout, demo
    assert "killed" in demo.stdout and len(re.findall(r"^[012] +[1-9]", demo.stdout, re.M)) >= 3, demo


def t10_a_hundred_processes_load_one_cold_key_once(world):
    server = world.server()
    # On a busy machine a hundred processes make each other wait.
    url = server.url(lease_ms=60000, command_ms=20000, connect_ms=20000)
    workers = [world.worker(url, *WAITING, "l2.wait_ms=60000", "timeout_ms=120000", wait=False) for _ in range(100)]
    for worker in workers:
        worker.connected()
    for worker in workers:
        worker.tell("fetch x")
    eventually("all but one have found that another one loads it", lambda: sum(worker.state()["busy"] > 0 for worker in workers) == 99, patience=60.0)
    loading = [worker for worker in workers if worker.has_said("load x")]
    assert len(loading) == 1, len(loading)
    loading[0].tell("answer x 1")
    assert loading[0].result("x") == ("provider", "1")
    for worker in workers:
        if worker is not loading[0]:
            assert worker.result("x") == ("l2", "1")
    assert sum(worker.has_said("load") for worker in workers) == 1, "nobody else has loaded it"


# ---- Round trips


class Turnstile(Proxy):
    """Counts the round trips of processes, except reads of the log, and lets through only as many as a story allows."""

    def __init__(self, server):
        self.changed = threading.Condition()
        self.turns, self.allowed = 0, None
        # For each connection of a process: whether the server spoke last.
        self.server_spoke = {}
        # The connections by which processes read the log.
        self.logs = set()
        super().__init__(server)

    def let_through(self, turns):
        """Lets this many round trips through from now on, or all of them if it is None."""
        with self.changed:
            self.turns, self.allowed = 0, turns
            self.changed.notify_all()

    def passed(self):
        with self.changed:
            return self.turns

    def pump(self, source, target, gate):
        client = target if gate is None else source
        try:
            while data := source.recv(65536):
                with self.changed:
                    if gate is None:
                        self.server_spoke[client] = True
                    else:
                        self.enter(client, data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the process or the server has closed the connection

    def enter(self, client, data):
        if b"XREAD" in data or b"XRANGE" in data:
            self.logs.add(client)
        if client in self.logs or not self.server_spoke.pop(client, True):
            return
        self.server_spoke[client] = False
        self.changed.wait_for(lambda: self.allowed is None or self.turns < self.allowed)
        self.turns += 1


def behind_a_turnstile(world):
    """A server with the entry x, a turnstile, and a process that reaches the server through it."""
    server = world.server()
    a = world.worker(server.url(), *PATIENT)
    answer_automatically(a)
    a.fetch("x")
    a.filled()
    turnstile = Turnstile(server)
    world.started.append(turnstile)
    b = world.worker(turnstile.url(command_ms=60000), *PATIENT, "l2.write_timeout_ms=60000")
    answer_automatically(b)
    return server, turnstile, b


def t19_a_hit_is_one_round_trip(world):
    _, turnstile, b = behind_a_turnstile(world)
    turnstile.let_through(1)
    assert b.fetch("x") == ("l2", "from_a") and turnstile.passed() == 1
    assert b.fetch("x") == ("store", "from_a") and turnstile.passed() == 1, "a hit in the store is no round trip"


def t19_t15_a_miss_is_two_round_trips_and_the_fill_follows_the_answer(world):
    server, turnstile, b = behind_a_turnstile(world)
    turnstile.let_through(2)
    # The fill needs a third round trip, which is let through only after the caller has its answer.
    assert b.fetch("y") == ("provider", "from_a") and turnstile.passed() == 2
    assert b.l2()["fills"] == 0
    turnstile.let_through(None)
    b.filled()
    eventually("the entry is in the server", lambda: server.call("GET", ENTRY + "y").endswith(b"from_a"))
    assert turnstile.passed() == 1


def t19_t15_a_write_is_no_round_trip_for_the_caller(world):
    _, turnstile, b = behind_a_turnstile(world)
    turnstile.let_through(0)
    assert b.do("put x new") == 0 and b.fetch("x") == ("store", "new")
    assert b.do("remove y") >= 0 and b.do("clear") == 0
    assert turnstile.passed() == 0 and b.l2()["writes"] == 0
    turnstile.let_through(None)
    b.synced()
