"""Becomes another program that runs as a given user and ends when its parent ends.

Run as a script (`python -I -S launch.py UID GID PARENT PROGRAM ARGUMENT...`), never imported: what has
to happen between fork and exec happens here, in a process of its own, since Python code in a forked
copy of a process with threads can deadlock. UID -1 keeps the user. PARENT is the starter's process id.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(user: int, group: int, parent: int, command: list[str]) -> None:
    if user >= 0:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if sys.platform == "linux":
        # After setuid, which clears it. SIGINT is PostgreSQL's fast shutdown.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            sys.exit("the starting process has ended")
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
