# SPDX-License-Identifier: Apache-2.0
"""Processes of a run: JSON lines over their standard input and output. A child ends when its input
does, so that none outlives the run."""

import asyncio
import itertools
import json
import os
import sys

from . import FOLDER

LIMIT = 1 << 26


class Child:
    """The supervisor's end. `report` is called with every message that answers no command."""

    def __init__(self, module, report=None):
        self.module = module
        self.report = report or (lambda message: None)
        self.numbers = itertools.count(1)
        self.waiting = {}
        self.process = None
        self.reader = None

    async def start(self, **arguments):
        env = {**os.environ, "PYTHONPATH": str(FOLDER.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        env.pop("LD_PRELOAD", None)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"chaos.{self.module}", json.dumps(arguments), env=env,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LIMIT)
        self.reader = asyncio.create_task(self._read())
        return await self._answer(0)

    async def _read(self):
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            waiter = self.waiting.pop(message.pop("answer", None), None)
            if waiter is None:
                self.report(message)
            elif not waiter.done():
                waiter.set_result(message)
        for waiter in self.waiting.values():
            if not waiter.done():
                waiter.set_exception(RuntimeError(f"{self.module} has ended"))

    async def _answer(self, number):
        self.waiting[number] = asyncio.get_running_loop().create_future()
        return await self.waiting[number]

    async def call(self, command, **arguments):
        number = next(self.numbers)
        line = json.dumps({"command": command, "number": number, **arguments})
        self.process.stdin.write(line.encode() + b"\n")
        return await self._answer(number)

    async def stop(self):
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), 5)
        except asyncio.TimeoutError:
            self.process.kill()
            await self.process.wait()
        await self.reader


def tell(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def serve(handler, **ready):
    """The child's end: `handler` has a coroutine method for every command."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LIMIT)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tell(answer=0, **ready)
    tasks = set()

    async def run(message):
        number = message.pop("number")
        method = getattr(handler, "do_" + message.pop("command"))
        tell(answer=number, **(await method(**message) or {}))
    while line := await reader.readline():
        task = asyncio.create_task(run(json.loads(line)))
        tasks.add(task)
        task.add_done_callback(_done(tasks))


def _done(tasks):
    def done(task):
        tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # A child with a fault of its own must not look like a quiet one.
            asyncio.get_running_loop().call_exception_handler(
                {"message": "command failed", "exception": task.exception()})
            os._exit(3)
    return done


def arguments():
    return json.loads(sys.argv[1])
