# SPDX-License-Identifier: Apache-2.0
"""Two Redis servers, one a replica of the other, behind proxies that delay and stall. Nothing that
was acknowledged is lost: each writes an append-only file, and a replica has everything before it is
made the primary."""

import asyncio
import contextlib
import pathlib
import signal
import subprocess
import time

from harness.nginx import SLOW
from harness.ports import free_port

USER, PASSWORD = "sessions", "canary-redis-password-7e13"
CONFIG = """\
bind 127.0.0.1
port {port}
dir {folder}
logfile {folder}/log
daemonize no
save ""
appendonly yes
appendfsync everysec
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-ping-replica-period 1
# A default user without rights could not read transactions back from the append-only file.
user default off ~* &* +@all
user {user} on >{password} ~* &* +@all
masteruser {user}
masterauth {password}
"""


class Server:
    def __init__(self, folder, proxy):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.port, self.proxy_port = free_port(), free_port()
        self.proxy = proxy
        self.process = None
        self.config = self.folder / "redis.conf"

    async def start(self, replica_of=None):
        text = CONFIG.format(port=self.port, folder=self.folder, user=USER, password=PASSWORD)
        if replica_of is not None:
            # What cuts nginx off from a primary cuts its replica off as well.
            text += f"replicaof 127.0.0.1 {replica_of.proxy_port}\n"
        self.config.write_text(text)
        self.process = subprocess.Popen(["redis-server", str(self.config)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        await self.wait("PING", lambda reply: reply == "PONG", "redis to answer")

    def end(self, how=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(5 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    async def ask(self, *words):
        """The reply's first line, or the text of a bulk one."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for command in (("AUTH", USER, PASSWORD), words):
                writer.write(b"*%d\r\n" % len(command) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(str(w)), str(w).encode()) for w in command))
                line = (await asyncio.wait_for(reader.readline(), 5 * SLOW)).decode().strip()
                if line.startswith("-"):
                    raise RuntimeError(f"redis: {command[0]}: {line}")
            if line.startswith("$"):
                return (await reader.readexactly(int(line[1:]))).decode()
            return line[1:]
        finally:
            writer.close()

    async def wait(self, command, good, what, seconds=15):
        end = time.monotonic() + seconds * SLOW
        while True:
            with contextlib.suppress(OSError, RuntimeError, asyncio.IncompleteReadError,
                                     asyncio.TimeoutError):
                if good(await self.ask(*command.split())):
                    return
            if time.monotonic() > end:
                raise RuntimeError(f"not within {seconds * SLOW} s: {what}")
            await asyncio.sleep(0.02)

    async def replication(self):
        text = await self.ask("INFO", "replication")
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


class Redis:
    EVENTS = ("stopped", "killed", "slowed", "lossy", "stalled", "cut_off", "failed_over",
              "replaced")

    def __init__(self, folder, new_child):
        self.folder, self.new_child = pathlib.Path(folder), new_child
        self.primary = self.replica = None

    async def start(self):
        servers = []
        for name in ("one", "two"):
            server = Server(self.folder / name, None)
            servers.append(server)
            server.proxy = await self.new_child("proxy", port=server.proxy_port,
                                                target=server.port)
        self.primary, self.replica = servers
        await self.primary.start()
        await self.replica.start(self.primary)
        self.password = self.folder / "password"
        self.password.write_text(PASSWORD + "\n")
        self.password.chmod(0o600)
        self.addresses = " ".join(f"127.0.0.1:{s.proxy_port}" for s in servers)
        await self.in_step()

    def directives(self):
        return f" server {self.addresses}; username {USER}; password_file {self.password};"

    async def in_step(self):
        """Waits until the replica has what the primary has."""
        await self.replica.wait("INFO replication", lambda text: "master_link_status:up" in text,
                                "the replica to follow")

    async def stop(self):
        for server in (self.primary, self.replica):
            if server is not None:
                server.end()

    async def unannounced_stop(self):
        self.primary.end(signal.SIGKILL)
        self.replica.end(signal.SIGKILL)

    # ---- events ------------------------------------------------------------------------------

    async def stopped(self, rng, rest, how=signal.SIGTERM):
        self.primary.end(how)
        await rest(rng, 0.2, 4)
        await self.primary.start()

    async def killed(self, rng, rest):
        await self.stopped(rng, rest, signal.SIGKILL)

    async def proxied(self, rng, rest, mode, low, high, **arguments):
        await self.primary.proxy.call("mode", mode=mode, **arguments)
        await rest(rng, low, high)
        await self.primary.proxy.call("mode", mode="good")

    async def slowed(self, rng, rest):
        await self.proxied(rng, rest, "slow", 1, 6, delay=rng.choice((0.3, 2.0, 5.0)))

    async def lossy(self, rng, rest):
        await self.proxied(rng, rest, "loss", 1, 4)

    async def stalled(self, rng, rest):
        await self.proxied(rng, rest, "stall", 0.5, 4)

    async def cut_off(self, rng, rest):
        await self.proxied(rng, rest, "cut", 0.2, 3)

    async def failed_over(self, _rng, _rest):
        """As an operator does it: the replica takes over with everything written so far."""
        await self.in_step()
        await self.primary.ask("FAILOVER", "TO", "127.0.0.1", self.replica.port)
        await self.replica.wait("INFO replication", lambda text: "role:master" in text,
                                "the replica to take over")
        self.primary, self.replica = self.replica, self.primary
        await self.replica.ask("REPLICAOF", "127.0.0.1", self.primary.proxy_port)
        await self.in_step()

    async def replaced(self, rng, rest):
        """The primary dies; what it had written is on the replica, which takes over."""
        await self.in_step()
        await self.primary.ask("CLIENT", "PAUSE", 10000, "WRITE")
        wanted = int((await self.primary.replication())["master_repl_offset"])
        await self.replica.wait(
            "INFO replication",
            lambda text: int(text.partition("slave_repl_offset:")[2].split()[0]) >= wanted,
            "the replica to have it all")
        self.primary.end(signal.SIGKILL)
        await rest(rng, 0.1, 2)
        await self.replica.ask("REPLICAOF", "NO", "ONE")
        self.primary, self.replica = self.replica, self.primary
        await rest(rng, 0.1, 2)
        await self.replica.start(self.primary)
        await self.in_step()
