"""Eight processes read and write at random, while the servers they share are killed, stopped, emptied, filled up, moved and cut off.

    crowd.py [SECONDS [SEED]]      each kind of damage once, or repeatedly for that many seconds; SEED is random by default

Each process runs tests/programs/redis/crowd.c, which checks each answer. This program does the damage, and prints a table. The same SEED does the same
damage to the same servers.
"""

import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from proxy import ADDRESS, ANNOUNCED, Fault, FaultProxy
from world import ENTRY, PATIENCE, Cluster, eventually, kill_all, started

PROGRAM = os.environ["KVL_REDIS_CROWD"]
PROCESSES = 8
RECORDS = 400
# By how much an answer may be outdated while there is no fault (see crowd.c).
ALLOWED_MS = 50
# For how long processes remember their writes in order to repeat them. They must recover from a fault within the same time.
JOURNAL_MS = 2000
OPTIONS = f"prefix=p&blind_ms=1000&journal_ms={JOURNAL_MS}&lease_ms=2000&command_ms=500&connect_ms=1000&reconnect_cap_ms=250"
SETTINGS = ("timeout_ms=20000", "l2.wait_ms=300", "l2.break_ms=50", "l2.break_cap_ms=400")
WORK, SETTLE, CHECK, END = 1, 2, 3, 4
HEADER = ["phase", "processes", "allowed_ns", "heal_ns", "fault_from", "fault_until", "server_stall_ns", "unused"]
REPORT = ["fetches", "writes", "acknowledged", "failed", "violations", "old_in_faults", "oldest_ns", "oldest_in_faults_ns", "old", "settled", "connected", "loads"]
REPORT += ["found", "stall_ns", "rounds", "unused"]


class Board:
    """The file that the processes share: `struct board` of crowd.c."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "board")
        # Room for 16 reports, and 18 numbers for each record.
        size = 8 * (len(HEADER) + 16 * len(REPORT) + RECORDS * 18)
        with open(self.path, "wb") as file:
            file.truncate(size)
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), size)

    def set(self, name, value):
        struct.pack_into("<Q", self.memory, 8 * HEADER.index(name), value)

    def read(self, process, name):
        return struct.unpack_from("<Q", self.memory, 8 * (len(HEADER) + process * len(REPORT) + REPORT.index(name)))[0]

    def all(self, name):
        return [self.read(process, name) for process in range(PROCESSES)]


class Crowd:
    def __init__(self, folder, seed):
        self.chance = random.Random(seed)
        self.board = Board(folder)
        self.board.set("processes", PROCESSES)
        self.board.set("allowed_ns", ALLOWED_MS * 1_000_000)
        self.board.set("heal_ns", JOURNAL_MS * 1_000_000)
        self.parts = []
        self.is_over = False
        self.done = []

    def start(self):
        self.cluster = Cluster(3, 3, ANNOUNCED)
        self.parts.append(self.cluster)
        self.proxy = FaultProxy([node.port for node in self.cluster.nodes])
        self.parts.append(self.proxy)
        url = f"redis://{','.join(f'{ADDRESS}:{node.port}' for node in self.cluster.nodes)}/?{OPTIONS}"
        arguments = [[PROGRAM, self.board.path, str(nth), str(self.chance.randrange(1 << 30)), url, *SETTINGS] for nth in range(PROCESSES)]
        self.processes = [started(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)) for words in arguments]
        self.said = [[] for _ in self.processes]
        self.readers = [threading.Thread(target=self.read, args=(nth,), daemon=True) for nth in range(PROCESSES)]
        self.readers.append(threading.Thread(target=self.measure, daemon=True))
        for reader in self.readers:
            reader.start()
        eventually("all are connected", self.are_connected)

    def read(self, nth):
        self.said[nth].extend(line.rstrip("\n") for line in self.processes[nth].stdout)

    def measure(self):
        """Keeps reporting the longest time, in the last two seconds, that a server let a client wait."""
        times = []
        while not self.is_over:
            for node in self.cluster.nodes:
                began = time.monotonic()
                try:
                    node.call("PING")
                except (OSError, RuntimeError):
                    continue  # the server was killed, or refuses the password
                times.append((time.monotonic(), time.monotonic() - began))
            times = [(at, took) for at, took in times if at > time.monotonic() - 2]
            self.board.set("server_stall_ns", int(max((took for _, took in times), default=0) * 1e9))
            time.sleep(0.02)

    def are_connected(self):
        assert all(process.poll() is None for process in self.processes), "a process has ended"
        return all(self.board.all("connected"))

    def end(self):
        self.is_over = True
        for process in getattr(self, "processes", []):
            if process.poll() is None:
                process.kill()
        for part in reversed(self.parts):
            part.end()

    # ---- The servers

    def primaries(self):
        return [node for node in self.cluster.nodes if node.is_primary()]

    def primary_of(self, slot):
        for first, last, (host, port, *_), *_ in self.cluster.nodes[0].call("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.cluster.nodes if node.port == port)
        return None

    def is_whole(self):
        """Whether all servers say the same of each other, three have the slots, and the others are replicas."""
        try:
            roles = [node.call("INFO", "replication") for node in self.cluster.nodes]
            following = sum(b"master_link_status:up" in role for role in roles)
            slots = self.cluster.nodes[0].call("CLUSTER", "SLOTS")
            is_known = all(node.is_ok() for node in self.cluster.nodes) and self.cluster.agrees()
            return following == 3 and is_known and all(len(entry) >= 4 for entry in slots)
        except (OSError, RuntimeError):
            return False  # a server was killed, or is loading its primary's data

    def await_whole(self):
        try:
            eventually("the cluster is whole", self.is_whole)
        except AssertionError:
            for node in self.cluster.nodes:
                try:
                    said = "says:\n" + node.call("CLUSTER", "NODES").decode()
                except (OSError, RuntimeError) as error:
                    said = f"does not answer: {error}"
                print(f"   {node.port} {said}")
            raise

    # ---- Faults from which processes have to recover: something may have been lost, or they lost their connection

    def kill_a_primary(self):
        victim = self.chance.choice(self.primaries())
        primaries = self.primaries()
        victim.kill()
        others = [node for node in self.cluster.nodes if node is not victim]
        eventually("a copy takes over", lambda: any(node.is_primary() and node not in primaries for node in others))
        self.start_empty(victim)

    def restart_a_primary_empty(self):
        victim = self.chance.choice(self.primaries())
        victim.kill()
        self.start_empty(victim)

    def restart_a_primary_with_an_old_copy(self):
        """The copy lacks writes that the processes no longer repeat."""
        victim = self.chance.choice(self.primaries())
        victim.call("SAVE")
        time.sleep(JOURNAL_MS / 1000 + 0.5)
        victim.kill()
        victim.start()

    def start_empty(self, node):
        """Starts a server without data: it would load the file that it may have received as a replica long ago."""
        copy = os.path.join(node.folder, "dump.rdb")
        if os.path.exists(copy):
            os.remove(copy)
        node.start()

    def stop_a_primary(self):
        victim = self.chance.choice(self.primaries())
        victim.pause()
        time.sleep(self.chance.uniform(0.5, 3.0))
        victim.go_on()

    def cut_half_of_the_processes_off(self):
        self.disturb(Fault("cut", self.half()))

    def let_nothing_through_to_half_of_the_processes(self):
        self.disturb(Fault("half_open", self.half()))

    def be_slow(self):
        self.disturb(Fault("slow", None, delay=0.08, rate=50_000))

    def reset_connections(self):
        for _ in range(5):
            self.proxy.set(Fault("cut"))
            self.proxy.set(None)
            time.sleep(0.3)

    def refuse_the_password(self):
        """Sets another password for a time and closes the clients' connections, so that their own password is refused."""
        sockets = []
        for node in self.cluster.nodes:
            client = node.connected()
            sockets.append(client)
            for command in (("CONFIG", "SET", "masterauth", "other", "requirepass", "other"), ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")):
                client.ask(*command)
        time.sleep(1.5)
        for client in sockets:
            client.ask("CONFIG", "SET", "masterauth", "", "requirepass", "")
            client.close()

    def half(self):
        """The pids of half of the processes."""
        return {process.pid for process in self.chance.sample(self.processes, PROCESSES // 2)}

    def disturb(self, fault):
        self.proxy.set(fault)
        time.sleep(1.6)
        self.proxy.set(None)

    # ---- Changes of the data. Evicting and flushing may lose the log; a move must not be seen in any answer.

    def move_slots(self):
        """Moves slots with records to another server, a key at a time."""
        primaries = self.primaries()
        for record in self.chance.sample(range(RECORDS), 25):
            slot = primaries[0].call("CLUSTER", "KEYSLOT", f"{ENTRY}r{record}")
            source = self.primary_of(slot)
            target = self.chance.choice([node for node in primaries if node is not source])
            self.cluster.begin_move(slot, source, target)
            while keys := source.call("CLUSTER", "GETKEYSINSLOT", slot, 10):
                source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 10000, "REPLACE", "KEYS", *keys)
            self.cluster.end_move(slot, source, target, [node for node in primaries if node not in (source, target)])

    def evict(self):
        """Leaves room for only a part of the entries, so that the servers evict the rest."""
        for node in self.primaries():
            used = int(node.call("INFO", "memory").decode().split("used_memory:")[1].split("\r\n")[0])
            node.call("CONFIG", "SET", "maxmemory-policy", self.chance.choice(["allkeys-lru", "allkeys-random"]))
            node.call("CONFIG", "SET", "maxmemory", used - 30_000)
        time.sleep(1.5)
        for node in self.cluster.nodes:
            node.call("CONFIG", "SET", "maxmemory", 0)

    def flush(self):
        for node in self.primaries():
            node.call("FLUSHALL")

    # ---- The run

    def suffer(self, fault, must_heal):
        self.await_whole()
        eventually("all are connected", self.are_connected)
        began = time.monotonic()
        if must_heal:
            self.board.set("fault_until", 0)
            self.board.set("fault_from", time.monotonic_ns())
        fault()
        if must_heal:
            self.board.set("fault_until", time.monotonic_ns())
            time.sleep(JOURNAL_MS / 1000)
        self.done.append((fault.__name__, began, time.monotonic()))
        # For a time there is no fault, and every answer must be current.
        time.sleep(1)
        assert sum(self.board.all("violations")) == 0, f"an answer was old after {fault.__name__}"

    def run(self, seconds):
        self.board.set("phase", WORK)
        until = time.monotonic() + seconds
        time.sleep(1)
        healing = [self.kill_a_primary, self.stop_a_primary, self.cut_half_of_the_processes_off, self.refuse_the_password, self.restart_a_primary_empty]
        # The log may be evicted, and is flushed: the processes notice that when they read it next.
        healing += [self.evict, self.flush]
        healing += [self.let_nothing_through_to_half_of_the_processes, self.be_slow, self.reset_connections, self.restart_a_primary_with_an_old_copy]
        faults = [(fault, True) for fault in healing] + [(fault, False) for fault in (self.move_slots,)]
        while True:
            self.chance.shuffle(faults)
            for fault, must_heal in faults:
                self.suffer(fault, must_heal)
            if time.monotonic() > until:
                break
        self.await_whole()
        self.board.set("phase", SETTLE)
        eventually("all writes are acknowledged", lambda: self.are_connected() and all(self.board.all("settled")))
        self.board.set("phase", CHECK)
        rounds = self.board.all("rounds")
        have_looked = lambda: all(now > before for now, before in zip(self.board.all("rounds"), rounds))
        eventually("nobody has anything old", lambda: have_looked() and not any(self.board.all("old")))
        self.board.set("phase", END)
        for process in self.processes:
            assert process.wait(PATIENCE) == 0, "a process has failed"

    def table(self):
        total = lambda name: sum(self.board.all(name))
        worst = lambda name: max(self.board.all(name)) / 1e6
        for name, began, ended in self.done[-12:]:
            print(f"   {name}: from {began:.3f} s, for {ended - began:.1f} s")
        print(f"   {total('fetches')} fetches, {total('loads')} loads, {total('found')} found in the servers, {total('acknowledged')} of {total('writes')} writes acknowledged")
        print(f"   failed fetches: {total('failed')}; violations: {total('violations')}; oldest answer without a fault: {worst('oldest_ns'):.0f} ms")
        print(f"   old answers in a fault and until {JOURNAL_MS} ms after it: {total('old_in_faults')}, the oldest {worst('oldest_in_faults_ns'):.0f} ms", flush=True)


def t01_t03_t07_t08_t09_no_answer_lacks_a_write_that_was_acknowledged_before(seconds, seed):
    with tempfile.TemporaryDirectory(prefix="kvl-redis-") as folder:
        crowd = Crowd(folder, seed)
        try:
            crowd.start()
            crowd.run(seconds)
        finally:
            crowd.table()
            crowd.end()
            for reader in crowd.readers:
                reader.join(PATIENCE)
            said = [f"process {nth}: {line}" for nth, lines in enumerate(crowd.said) for line in lines]
            print("\n".join(said[:40]), end="\n" if said else "")
        assert sum(crowd.board.all("failed")) == 0 and sum(crowd.board.all("violations")) == 0
        assert sum(crowd.board.all("acknowledged")) > 20 and sum(crowd.board.all("found")) > 20


def main():
    signal.signal(signal.SIGTERM, kill_all)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    story = t01_t03_t07_t08_t09_no_answer_lacks_a_write_that_was_acknowledged_before
    try:
        story(seconds, seed)
        print(f"ok {story.__name__} ({seed})\n1 passed, 0 failed")
        return 0
    except Exception:
        print(f"not ok {story.__name__} ({seed})\n{traceback.format_exc()}\n0 passed, 1 failed")
        return 1


if __name__ == "__main__":
    sys.exit(main())
