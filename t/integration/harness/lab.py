# SPDX-License-Identifier: Apache-2.0
"""What all tests of a run share: keys, certificates, the trap, a scratch folder."""

import pathlib
import shutil
import tempfile

from .forge import Keys
from .pki import Pki
from .trap import Trap


class Lab:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="oidc-it-"))
        # Workers must reach files below when they do not run as the test's user.
        self.folder.chmod(0o755)
        self.keys = Keys()
        self.pki = Pki(self.folder / "pki")
        self.trap = Trap()
        self._redis = None

    @property
    def redis(self):
        """A Redis server for all sites, started when it is first asked for."""
        if self._redis is None:
            from .redis_server import RedisServer
            self._redis = RedisServer(self.folder / "redis")
        return self._redis

    def close(self, keep):
        if self._redis is not None:
            self._redis.stop()
        if keep:
            print(f"\nkept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
