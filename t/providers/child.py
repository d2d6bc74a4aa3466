# SPDX-License-Identifier: Apache-2.0
"""A provider's process: started, waited for, ended by its id, and gone when the tests are."""

import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1


def _end_with_the_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Child:
    def __init__(self, command, log_file, ready, environment=None, cwd=None, timeout=240):
        """`ready()` says whether it answers; until then OSError counts as no. `environment` comes
        on top of this process's."""
        self.log_file = log_file
        self._command = [str(word) for word in command]
        self._environment = {**os.environ, **(environment or {})}
        self._ready, self._cwd, self._timeout = ready, cwd, timeout
        self._start()

    def _start(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._cwd,
                env=self._environment, start_new_session=True, preexec_fn=_end_with_the_parent)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def restart(self):
        """For what it reads when it starts only."""
        self.stop()
        self._start()

    def _wait(self):
        end = time.monotonic() + self._timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args[0]} ended by itself:\n{self.log()}")
            try:
                if self._ready():
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"{self.process.args[0]} does not answer:\n{self.log()}")

    def log(self):
        return self.log_file.read_text(errors="replace")[-4000:]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                # With what a script has started.
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
