"""Stands in for ssh: runs the command on this machine, and writes how many bytes went to it into a file.

``counting_ssh.py FILE HOST COMMAND...``; a script, so that it starts fast.
"""

import os
import subprocess
import sys
from pathlib import Path


def main(counted: str, command: list[str]) -> int:
    # casync hands over a pipe that does not block.
    os.set_blocking(0, True)
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin is not None
    sent_bytes = 0
    while data := os.read(0, 1 << 18):
        sent_bytes += len(data)
        process.stdin.write(data)
        process.stdin.flush()
    process.stdin.close()
    Path(counted).write_text(str(sent_bytes))
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[3:]))
