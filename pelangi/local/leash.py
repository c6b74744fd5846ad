"""Run a command that cannot outlive the process that started it: `python leash.py PARENT_PID COMMAND…`.

The kernel kills the command when its starter dies, also of kill -9, when no handler of ours runs any more. It is a
wrapper and not a `preexec_fn`, because Python between fork and exec can hang in a starter that has threads (tests do).
The kernel watches the *thread* that started the child: start children from the main thread or one as long-lived.
Only the standard library is used, so that the file can run with `-I -S`, in a few milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command; the signal setting survives exec."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call above: nobody would tell us any more
            sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell is the point
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
