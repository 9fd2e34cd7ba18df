"""Becomes the program it is given, in a session of its own that dies with the process that asked for it.

Run as a script: ``launcher.py PARENT_PID UID GID DEATH_SIGNAL PROGRAM ARG...``; a UID of -1 keeps the
user. On Linux the kernel sends DEATH_SIGNAL when the parent (strictly: the thread that started this) is
gone, also after SIGKILL; elsewhere nothing stands in for it. Imports only what starts fast.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    parent, uid, gid, death_signal = (int(argument) for argument in arguments[:4])
    argv = arguments[4:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of user, which clears it. The parent may be gone already: then nobody tells us.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(f"{argv[0]} is not started: the process that asked for it has ended")
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
