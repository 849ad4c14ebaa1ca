"""A proxy in front of the servers of a cluster, for faults of the network between them and the processes that use them.

The proxy listens on the servers' ports, at another address of the loopback interface. Servers that announce that address to their clients are reached
through the proxy, and reach each other without it.
"""

import asyncio
import logging
import os
import socket
import struct
import threading

ADDRESS = "127.0.0.2"
# The settings by which a server announces the proxy's address to its clients.
ANNOUNCED = ("--cluster-announce-hostname", ADDRESS, "--cluster-preferred-endpoint-type", "hostname")
# The interval, in seconds, at which a connection that is held up checks whether the fault has ended.
TICK = 0.02
# Connections that end while a task waits for them are expected here.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)


class Fault:
    """What happens to connections: `cut` (they are reset, and new ones refused), `half_open` (no data gets through, and neither end is notified), or `slow`
    (each piece of data is late by `delay` seconds, and `rate` bytes a second get through). `processes` are the pids whose connections are affected; None
    means all."""

    def __init__(self, kind, processes=None, delay=0.0, rate=None):
        self.kind, self.processes, self.delay, self.rate = kind, processes, delay, rate

    def concerns(self, connection):
        return self.processes is None or connection.process in self.processes

    def look_at(self, connections):
        """Finds out which connections belong to the processes of the fault."""
        if self.processes is not None:
            found = owners([connection.port for connection in connections], self.processes)
            for connection in connections:
                connection.process = found.get(connection.port)


class Connection:
    def __init__(self, client):
        self.port = client.get_extra_info("peername")[1]
        self.process, self.client, self.server = None, client, None

    def reset(self):
        for writer in (self.client, self.server):
            if writer is not None and not writer.transport.is_closing():
                # With a linger time of 0, the other end is sent a reset.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()


class FaultProxy:
    def __init__(self, ports):
        self.fault = None
        self.connections = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.do(self.listen(ports))

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    async def listen(self, ports):
        self.servers = [await asyncio.start_server(lambda r, w, port=port: self.serve(r, w, port), ADDRESS, port) for port in ports]

    def set(self, fault):
        """Begins a fault; None ends it."""
        self.do(self.begin(fault))

    async def begin(self, fault):
        if fault is not None:
            fault.look_at(self.connections)
        self.fault = fault
        if fault is not None and fault.kind == "cut":
            for connection in [connection for connection in self.connections if fault.concerns(connection)]:
                connection.reset()

    def is_under(self, kind, connection):
        return self.fault is not None and self.fault.kind == kind and self.fault.concerns(connection)

    async def serve(self, reader, writer, port):
        connection = Connection(writer)
        if self.fault is not None:
            self.fault.look_at([connection])
        self.connections.add(connection)
        pumps, left = [], []
        try:
            while self.is_under("half_open", connection):
                await asyncio.sleep(TICK)
            if not self.is_under("cut", connection):
                answers, connection.server = await asyncio.open_connection("127.0.0.1", port)
                directions = [(reader, connection.server), (answers, writer)]
                pumps = [asyncio.ensure_future(self.pump(source, target, connection)) for source, target in directions]
                # When one direction ends, so does the other.
                _, left = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            left = pumps  # one end is gone, or the proxy ends
        finally:
            for pump in left:
                pump.cancel()
            connection.reset()
            self.connections.discard(connection)

    async def pump(self, reader, writer, connection):
        try:
            while data := await reader.read(65536):
                while self.is_under("half_open", connection):
                    await asyncio.sleep(TICK)
                fault = self.fault
                if fault is not None and fault.kind == "slow" and fault.concerns(connection):
                    await asyncio.sleep(fault.delay + (len(data) / fault.rate if fault.rate else 0.0))
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one end is gone

    def end(self):
        self.do(self.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def close(self):
        for server in self.servers:
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=10)


def owners(ports, processes):
    """Maps the port of each connection to the pid at its other end, if that is one of `processes`."""
    wanted = {f"{port:04X}": port for port in ports}
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    inodes = {f"socket:[{row[9]}]": wanted[row[1][-4:]] for row in rows if row[1][-4:] in wanted and row[9] != "0"}
    found = {}
    for process in processes:
        try:
            links = [os.readlink(f"/proc/{process}/fd/{descriptor}") for descriptor in os.listdir(f"/proc/{process}/fd")]
        except OSError:
            continue  # the process has ended, or has just closed a descriptor
        found.update({inodes[link]: process for link in links if link in inodes})
    return found
