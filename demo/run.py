# SPDX-License-Identifier: Apache-2.0
"""Starts the demo: run.py --nginx BINARY [--module FILE] [--check]. Started by `build.sh demo`.

Without --module the nginx has the module built in."""

import argparse
import pathlib
import signal
import sys
import threading

sys.dont_write_bytecode = True
# The provider, the client and the sign-in drivers are those of the integration tests.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "t" / "integration"))

from check import Check  # noqa: E402
from stage import USERS, Stage, StageError  # noqa: E402

HELP = """
The demo is running.

  Open         {site}/
  Users        {users}
  Certificate  Your browser will warn: the authority was made for this demo and knows nothing but
               localhost and 127.0.0.1. Accept it for {site} and
               for {provider}, or let a throw-away browser profile trust
               {ca}
  nginx.conf   {config}
  Stop         Ctrl-C; the folder goes with it
"""


def show(stage, stopped):
    users = f"\n{' ' * 15}".join(
        f"{name} / {user['password']}   ({user['name']}: {', '.join(user['groups'])})"
        for name, user in USERS.items())
    print(HELP.format(site=stage.origin, provider=stage.provider.origin, users=users,
                      ca=stage.ca_file, config=stage.config), flush=True)
    while not stopped.wait(0.5):
        if not stage.nginx.alive():
            raise StageError(f"nginx has ended:\n{stage.nginx.log()}")


def main():
    parser = argparse.ArgumentParser(prog="build.sh demo")
    parser.add_argument("--check", action="store_true", help="sign in without a browser and exit")
    parser.add_argument("--nginx", required=True)
    parser.add_argument("--module")
    arguments = parser.parse_args()

    # The first signal ends the demo, wherever it is; further ones cannot interrupt the clean-up.
    stopped = threading.Event()

    def on_signal(*unused):
        if not stopped.is_set():
            stopped.set()
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        with Stage(arguments.nginx, arguments.module, not arguments.check) as stage:
            if not arguments.check:
                show(stage, stopped)
                return 0
            wrong = Check(stage).run()
            print(f"\n{'The sign-in works.' if wrong == 0 else f'{wrong} facts are wrong.'}")
            return 0 if wrong == 0 else 1
    except KeyboardInterrupt:
        print("\nThe demo has ended.")
        return 130 if arguments.check else 0
    except StageError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
