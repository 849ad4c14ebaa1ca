"""What the stories start: servers, clusters, Sentinels, proxies, and workers (processes with an engine). Each is stopped through its own process
handle, never by name."""

import contextlib
import json
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

WORKER = os.environ["KVL_REDIS_WORKER"]
SERVER = os.environ.get("KVL_REDIS_SERVER", "redis-server")
# The longest wait for anything, in seconds. Only a story that fails waits that long.
PATIENCE = 60.0
# A busy machine must not turn hits into misses; stories about time set their own limits.
PATIENT = ("l2.timeout_ms=10000", "timeout_ms=20000")
# On a busy machine a slow server must not count as failed either, hence the long limits; a story that stops a server sets its own.
OPTIONS = {"prefix": "p", "command_ms": 10000, "connect_ms": 10000}
ENTRY = "p:1:k:"
LOG = "p:1:{log}"


# Every process that a story has started, for kill_all.
ALL = []


def started(process):
    """Records a process for kill_all, and returns it."""
    ALL.append(process)
    return process


def kill_all(*_):
    """Handles SIGTERM: kills the processes that this program started, since its stories cannot clean up any more."""
    for process in list(ALL):
        if process.poll() is None:
            process.kill()
    os._exit(1)


class Server:
    """A server on a socket of a temporary folder. `call` speaks to it without any client library."""

    def __init__(self, *settings, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="kvl-redis-")
        self.socket = os.path.join(self.folder, "redis.sock")
        self.settings = settings
        self.process = None
        try:
            self.start()
        except BaseException:
            self.end()
            raise

    def start(self):
        arguments = ["--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", *self.settings]
        log = open(os.path.join(self.folder, "server.log"), "ab")
        self.process = started(subprocess.Popen([SERVER, *arguments], stdout=log, stderr=log))
        log.close()
        self.await_answers()

    def await_answers(self):
        eventually("the server answers or ends", lambda: self.process.poll() is not None or self.answers())
        assert self.process.poll() is None, f"the server has ended: {self.said()}"

    def said(self):
        with open(os.path.join(self.folder, "server.log"), errors="replace") as log:
            return log.read()[-1000:]

    def answers(self):
        try:
            self.call("PING")
            return True
        except OSError:
            return False
        except RuntimeError:
            return True  # the server asks for a password

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        if self.process is not None:
            self.go_on()
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, **options):
        options = {**OPTIONS, **options}
        return f"unix://{self.socket}?" + "&".join(f"{name}={value}" for name, value in options.items())

    def call(self, *arguments):
        """Sends a command, and returns its reply."""
        with self.connected() as client:
            return client.ask(*arguments)

    def connected(self):
        return Client(self.socket)

    def call_all(self, *commands):
        """Sends commands together on one connection, and returns their replies."""
        with self.connected() as client:
            return client.ask_all(*commands)

    def call_with_password(self, password, *arguments):
        """Sends a command after the password, if there is one, and returns its reply."""
        with self.connected() as client:
            if password:
                client.ask("AUTH", password)
            return client.ask(*arguments)

    def executed(self, command):
        """How often the server has executed a command."""
        for line in self.call("INFO", "commandstats").decode().splitlines():
            if line.startswith(f"cmdstat_{command}:"):
                return int(line.split("calls=")[1].split(",")[0])
        return 0

    def keys(self):
        return set(self.call("KEYS", "*"))

    def known_servers(self):
        """How many servers of its cluster this server knows, itself included."""
        return len(self.call("CLUSTER", "NODES").splitlines())

    def is_ok(self):
        """Whether this server knows the owner of each slot. Its state alone would be "ok" earlier, since full coverage is not required."""
        about = self.call("CLUSTER", "INFO")
        return b"cluster_state:ok" in about and b"cluster_slots_assigned:16384" in about


class Client:
    """A connection to a server."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.settimeout(PATIENCE)
            self.socket.connect(path)
            self.replies = self.socket.makefile("rb")
        except BaseException:
            self.socket.close()
            raise

    def ask(self, *arguments):
        return self.ask_all(arguments)[0]

    def ask_all(self, *commands):
        self.socket.sendall(b"".join(packed(command) for command in commands))
        return [read_reply(self.replies) for _ in commands]

    def close(self):
        self.replies.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def packed(arguments):
    """A command as the bytes of the protocol."""
    parts = [argument if isinstance(argument, bytes) else str(argument).encode() for argument in arguments]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def read_reply(replies):
    line = replies.readline()
    if not line:
        raise OSError("the server has closed the connection")
    kind, rest = line[:1], line[1:].rstrip(b"\r\n")
    if kind == b"-":
        raise RuntimeError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else replies.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return None if rest == b"-1" else [read_reply(replies) for _ in range(int(rest))]
    return rest


def certificates():
    """Makes a folder with the certificate of an authority (ca.pem), and one that it has signed for localhost, with its key (server.pem, server.key)."""
    folder = tempfile.mkdtemp(prefix="kvl-redis-")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=an authority")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    with open(os.path.join(folder, "extensions"), "w") as file:
        file.write("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", "server.pem")
    return folder


class ClusterNode(Server):
    """A server of a cluster, on a port of the loopback interface."""

    def __init__(self, port, timeout_ms, settings):
        self.port = port
        cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(timeout_ms), "--cluster-require-full-coverage", "no"]
        super().__init__("--port", str(port), "--bind", "127.0.0.1", *cluster, *settings)

    def is_primary(self):
        return b"role:master" in self.call("INFO", "replication")


class Cluster:
    """Primaries with the slots shared out among them, and replicas of the first ones."""

    def __init__(self, primaries, replicas=0, settings=()):
        self.nodes = []
        try:
            self.start(primaries, replicas, settings)
        except BaseException:
            self.end()
            raise

    def start(self, primaries, replicas, settings):
        # Clusters with replicas are for stories about a failover, which begins after this time. Without replicas it is long, so that a busy machine
        # does not look like an outage.
        timeout_ms = 2000 if replicas else 15000
        while len(self.nodes) < primaries + replicas:
            self.nodes.append(on_free_port(lambda port: ClusterNode(port, timeout_ms, settings)))
        self.primaries = self.nodes[:primaries]
        for nth, node in enumerate(self.primaries):
            first, last = 16384 * nth // primaries, 16384 * (nth + 1) // primaries - 1
            node.call("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.call("CLUSTER", "SET-CONFIG-EPOCH", nth + 1)
        for node in self.nodes[1:]:
            self.nodes[0].call("CLUSTER", "MEET", "127.0.0.1", node.port)
        eventually("all servers know each other", lambda: all(node.known_servers() == len(self.nodes) and node.is_ok() for node in self.nodes))
        for nth, node in enumerate(self.nodes[primaries:]):
            node.call("CLUSTER", "REPLICATE", self.nodes[nth].call("CLUSTER", "MYID"))
            eventually("the replica follows", lambda: b"master_link_status:up" in node.call("INFO", "replication"))

    def agrees(self):
        """Whether all servers say the same of the cluster: which of them are primaries, their epochs and their slots, and that no slot is moving."""
        def known(node):
            lines = [line.split() for line in node.call("CLUSTER", "NODES").decode().splitlines()]
            return sorted((name, flags.removeprefix("myself,"), of, epoch, *slots) for name, _, flags, of, _, _, epoch, _, *slots in lines)

        first, *others = (known(node) for node in self.nodes)
        return all(other == first for other in others)

    def begin_move(self, slot, source, target):
        """Begins to move a slot: until `end_move`, each of its keys is in one of the two servers, and MIGRATE moves a key."""
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.call("CLUSTER", "MYID"))
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target.call("CLUSTER", "MYID"))

    def end_move(self, slot, source, target, others=()):
        """Ends a move: tells the new owner, the old one and `others`, in the order in which an operator would.

        A server gives up a slot that another one claims with a higher epoch. Its new owner takes an epoch above all that it has heard of; so before
        the next slot moves, all servers must have heard of this move. Otherwise a late message with an epoch unknown to the new owner takes the slot
        from it, in favour of the server that is giving it up. Then each of the two names the other as the owner, and Redis never repairs that.
        """
        owner = target.call("CLUSTER", "MYID")
        for node in (target, source, *others):
            node.call("CLUSTER", "SETSLOT", slot, "NODE", owner)
        eventually("all servers know of the move", self.agrees)

    def url(self, **options):
        options = {**OPTIONS, **options}
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"redis://{hosts}?" + "&".join(f"{name}={value}" for name, value in options.items())

    def node_of(self, key):
        """The primary that had a key's slot when the cluster began."""
        slot = self.nodes[-1].call("CLUSTER", "KEYSLOT", key)
        return self.primaries[next(nth for nth in range(len(self.primaries)) if slot < 16384 * (nth + 1) // len(self.primaries))]

    def end(self):
        for node in self.nodes:
            node.end()


class PortServer(Server):
    """A server on a port of the loopback interface, as a primary or as a replica of another one."""

    def __init__(self, *settings, of=None):
        follows = () if of is None else ("--replicaof", f"127.0.0.1 {of.port}", "--repl-diskless-sync-delay", "0")

        def start(port):
            self.port = port
            Server.__init__(self, "--port", str(port), "--bind", "127.0.0.1", *follows, *settings)

        on_free_port(start)


class SentinelServer(Server):
    """A Sentinel, which watches a primary by the name "shop"."""

    def __init__(self, primary, quorum, password=None, own_password=None):
        self.lines = [
            "bind 127.0.0.1", "sentinel resolve-hostnames no", f"sentinel monitor shop 127.0.0.1 {primary.port} {quorum}",
            "sentinel down-after-milliseconds shop 500", "sentinel failover-timeout shop 3000",
        ]
        self.lines += [f"sentinel auth-pass shop {password}"] if password else []
        self.lines += [f"requirepass {own_password}", f"sentinel sentinel-pass {own_password}"] if own_password else []

        def start(port):
            self.port = port
            Server.__init__(self)

        on_free_port(start)

    def start(self):
        # A Sentinel writes what it learns into its configuration file, so the file is made only once.
        file = os.path.join(self.folder, "sentinel.conf")
        if not os.path.exists(file):
            with open(file, "w") as out:
                out.write("\n".join([*self.lines, f"port {self.port}", f"unixsocket {self.socket}", f"dir {self.folder}"]) + "\n")
        log = open(os.path.join(self.folder, "server.log"), "ab")
        self.process = started(subprocess.Popen([SERVER, file, "--sentinel"], stdout=log, stderr=log))
        log.close()
        self.await_answers()


class Watched:
    """A primary with a replica, and Sentinels that watch them."""

    def __init__(self, sentinels=3, password=None, own_password=None):
        self.own_password = own_password
        self.password = password
        own = ("--requirepass", password, "--masterauth", password) if password else ()
        self.servers = []
        try:
            self.servers.append(PortServer(*own))
            self.servers.append(PortServer(*own, of=self.servers[0]))
            self.primary, self.replica = self.servers
            eventually("the replica follows", lambda: b"master_link_status:up" in self.ask(self.replica, "INFO", "replication"))
            self.sentinels = [SentinelServer(self.primary, sentinels // 2 + 1, password, own_password) for _ in range(sentinels)]
            self.servers += self.sentinels
            # A failover needs a majority of the Sentinels that know of each other, and a replica known to them.
            eventually("the Sentinels know each other", lambda: all(self.knows(sentinel) for sentinel in self.sentinels))
        except BaseException:
            self.end()
            raise

    def ask(self, server, *command):
        password = self.own_password if server in self.servers[2:] else self.password
        return server.call_with_password(password, *command)

    def knows(self, sentinel):
        said = self.ask(sentinel, "SENTINEL", "MASTER", "shop")
        about = dict(zip(said[::2], said[1::2]))
        return about[b"num-other-sentinels"] == b"%d" % (len(self.sentinels) - 1) and about[b"num-slaves"] == b"1" and about[b"flags"] == b"master"

    def url(self, user="", **options):
        options = {**OPTIONS, "sentinel": "shop", **options}
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis://{user}{hosts}?" + "&".join(f"{name}={value}" for name, value in options.items())

    def end(self):
        for server in self.servers:
            server.end()


class Proxy:
    """Stands between processes and a server, and can keep back what they send."""

    def __init__(self, server):
        self.folder = tempfile.mkdtemp(prefix="kvl-redis-")
        self.socket = os.path.join(self.folder, "proxy.sock")
        self.server = server
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket)
        self.listener.listen(100)
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(self.server.socket)
            passes = threading.Event()
            passes.set()
            self.connections.append((client, upstream, passes))
            for source, target, gate in ((client, upstream, passes), (upstream, client, None)):
                threading.Thread(target=self.pump, args=(source, target, gate), daemon=True).start()

    @staticmethod
    def pump(source, target, gate):
        try:
            while data := source.recv(65536):
                if gate is not None:
                    gate.wait()
                target.sendall(data)
            if gate is not None:
                gate.wait()
                target.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one end has closed the connection

    def hold(self):
        """Keeps back what the present connections send from now on, even after they are closed."""
        self.held = list(self.connections)
        for _, _, passes in self.held:
            passes.clear()

    def release(self):
        for _, _, passes in self.held:
            passes.set()

    def url(self, **options):
        options = {**OPTIONS, **options}
        return f"unix://{self.socket}?" + "&".join(f"{name}={value}" for name, value in options.items())

    def end(self):
        self.listener.close()
        for client, upstream, passes in self.connections:
            passes.set()
            client.close()
            upstream.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def on_free_port(start):
    """Calls `start` with a free port and returns its result. If another process has taken the port meanwhile, tries another port, five times in all."""
    for left in reversed(range(5)):
        try:
            return start(free_port())
        except AssertionError:
            if not left:
                raise


def free_port():
    """A free port that the system gives to no client: a client must not get the port of a server that is down."""
    ports = ports_for_servers()
    for _ in range(1000):
        port = random.choice(ports)
        if is_free(port) and is_free(port + BUS):
            return port
    raise OSError("no port for a server is free")


# The bus of a cluster has a port of its own, above the server's by this much.
BUS = 10_000


def ports_for_servers():
    """The ports that the system gives to no client, and whose ports for the bus it gives to none either. If there are no such ports,
    all ports: a client may then take that of a server that is down."""
    first, last = 32_768, 60_999
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as limits:
            first, last = (int(limit) for limit in limits.read().split())
    except OSError:
        pass  # only Linux has this file
    all_ports = range(1_024, 65_536 - BUS)
    return [port for port in all_ports if not any(first <= of <= last for of in (port, port + BUS))] or all_ports


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Worker:
    """A process with an engine: worker.c, or another program that takes the same commands."""

    def __init__(self, url, *settings, wait=True, under=(), environment=None, command=(WORKER,)):
        pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
        environment = {**os.environ, **(environment or {})}
        self.process = started(subprocess.Popen([*under, *command, url, *settings], env=environment, text=True, errors="replace", **pipes))
        self.lines = queue.Queue()
        self.unread = []
        threading.Thread(target=self.read, daemon=True).start()
        try:
            self.first = self.expect(lambda line: line.split(" ")[0] in ("ready", "refused"))
            if wait:
                self.connected()
        except BaseException:
            self.kill()
            raise

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def start_load(self, key):
        """Fetches a key, and returns when this worker's provider is asked for it."""
        self.tell(f"fetch {key}")
        self.expect(f"load {key}")

    def expect(self, is_wanted, patience=PATIENCE):
        """Returns the next line that matches; the lines before it are kept for later calls."""
        if isinstance(is_wanted, str):
            start = is_wanted
            is_wanted = lambda line: line == start or line.startswith(start + " ")
        for at, line in enumerate(self.unread):
            if is_wanted(line):
                return self.unread.pop(at)
        until = time.monotonic() + patience
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"nothing of the kind came; so far: {self.unread[-20:]}") from None
            if line is None:
                raise AssertionError(f"the process has ended: {self.process.stderr.read()}; so far: {self.unread[-20:]}")
            if is_wanted(line):
                return line
            self.unread.append(line)

    def has_said(self, start):
        while not self.lines.empty():
            self.unread.append(self.lines.get())
        return any(line is not None and line.startswith(start) for line in self.unread)

    def do(self, line):
        """Sends the worker a command that it answers with a status, and returns the status."""
        self.tell(line)
        return int(self.expect("ok").split(" ")[1])

    def fetch(self, key):
        """Fetches a key that is found, or whose load the worker answers automatically. Returns the source and the value."""
        self.tell(f"fetch {key}")
        return self.result(key)

    def fetch_many(self, count):
        """Fetches the keys k0, k1 and so on in one call. Returns the source and the value of each."""
        self.tell(f"many 0 {count}")
        return [self.result(f"k{nth}") for nth in range(count)]

    def result(self, key):
        _, _, status, source, value = (self.expect(f"done {key}") + " ").split(" ")[:5]
        assert int(status) >= 0, f"{key}: {status} {source}"
        return source, value

    def stats(self):
        self.tell("stats")
        return json.loads(self.expect("stats").split(" ", 1)[1])

    def l2(self):
        return self.stats()["l2"]

    def state(self):
        self.tell("state")
        return json.loads(self.expect("state").split(" ", 1)[1])

    def connected(self):
        eventually("the worker is connected", lambda: all(self.state()[name] for name in ("connected", "listening")))

    def filled(self, count=1):
        """Waits until the answers of `count` loads are in the server or were refused there."""
        eventually("what was loaded is in the server", lambda: self.l2()["fills"] + self.l2()["fills_refused"] >= count)

    def synced(self):
        assert self.do("sync 20000") == 0

    def own(self, what, read):
        """Yields what `read` returns for the path of each of the worker's threads (`task`) or descriptors (`fd`). If the process is a launcher, the worker is
        one of its children, so these count too."""
        all_of_it = [self.process.pid, *children_of(self.process.pid)]
        for path in (path for pid in all_of_it for path in listed(f"/proc/{pid}/{what}")):
            try:
                yield read(path)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended since it was listed

    def threads(self):
        """The names of the worker's threads that serve connections."""
        return [name for name in self.own("task", name_of_thread) if name == "kvl-redis"]

    def sockets(self):
        """The worker's descriptors for connections, as links of /proc."""
        return [link for link in self.own("fd", os.readlink) if link.startswith("socket:") or "eventpoll" in link]

    def end(self):
        """Ends the worker, checks that its status is 0, and returns what it wrote to stderr."""
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        said = self.process.stderr.read()
        assert status == 0, f"the worker ended with {status}: {said}"
        return said

    def kill(self):
        self.process.kill()
        self.process.wait()


def listed(folder):
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]
    except OSError:
        return []  # the process has ended


def name_of_thread(task):
    with open(f"{task}/comm") as file:
        return file.read().strip()


def children_of(pid):
    """The processes that a process has started, and those that they have started."""
    found = []
    for task in listed(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"{task}/children") as file:
            for child in map(int, file.read().split()):
                found += [child, *children_of(child)]
    return found


def eventually(what, holds, patience=PATIENCE):
    until = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < until, f"this did not happen: {what}"
        time.sleep(0.005)


def leaves(worker, sockets, least, ending="leave"):
    """Tells a worker by the command `ending` to leave its server. Before that, the worker has a thread `kvl-redis`, and `sockets` returns at least `least`
    sockets; afterwards all are gone."""
    # On a busy machine a connection may just be reconnecting.
    eventually("the worker has a thread and sockets", lambda: len(worker.threads()) == 1 and len(sockets()) >= least)
    assert worker.do(ending) == 0
    # The kernel removes a thread a little after others have seen its end; and a thread of the engine may just be handing it a request.
    eventually("thread and sockets have left", lambda: worker.threads() == [] and sockets() == [])


class World:
    """Everything that a story has started; all of it is stopped, however the story ends."""

    def __init__(self):
        self.started = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        problem = None
        for thing in reversed(self.started):
            try:
                if isinstance(thing, (Server, Cluster, Watched, Proxy)):
                    thing.end()
                elif thing.process.poll() is None:
                    if kind is None and problem is None:
                        thing.end()
                    else:
                        thing.kill()
            except Exception as why:  # the others are ended nevertheless
                problem = problem or why
                if isinstance(thing, Worker):
                    thing.kill()
        if kind is None and problem is not None:
            raise problem

    def server(self, *settings):
        server = Server(*settings)
        self.started.append(server)
        return server

    def watched(self, **how):
        watched = Watched(**how)
        self.started.append(watched)
        return watched

    def cluster(self, *nodes):
        cluster = Cluster(*nodes)
        self.started.append(cluster)
        return cluster

    def proxy(self, server):
        proxy = Proxy(server)
        self.started.append(proxy)
        return proxy

    def worker(self, url, *settings, **how):
        worker = Worker(url, *settings, **how)
        self.started.append(worker)
        return worker


def two(world, *server_settings, **options):
    """A server, and two workers on it."""
    server = world.server(*server_settings)
    return server, world.worker(server.url(**options), *PATIENT), world.worker(server.url(**options), *PATIENT)


def answer_automatically(*workers):
    """Lets each worker's provider answer every load at once: with `from_a` in the first worker, `from_b` in the second one, and so on."""
    for nth, worker in enumerate(workers):
        assert worker.do(f"auto from_{'abcdefgh'[nth]}") == 0
