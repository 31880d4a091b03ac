# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A caller of the broker in Python, for `tests/bench --callers`: what caller.c is in C.

    caller.py fork|vfork|posix_spawn MIB REQUEST PROGRAM

For each byte on descriptor 0 it makes one call by the module subprocess, and writes a line with the nanoseconds to
descriptor 1. `vfork` is what subprocess does if nothing prevents it. `fork` is what it does before Python 3.10, and with
`preexec_fn`, `user`, `group` or `extra_groups`. `posix_spawn` is os.posix_spawn(), without the module.
"""

import os
import subprocess
import sys
import time

way, mebibytes, request, program = sys.argv[1:]
memory = [bytes(1000) for _ in range(int(mebibytes) << 10)]  # objects, as an agent has them
with open(request, "rb") as file:
    request = file.read()


def run():
    done = subprocess.run([program], input=request, stdout=subprocess.PIPE, check=True)
    return done.stdout


def spawn():
    (their_input, ours), (output, theirs) = os.pipe(), os.pipe()
    os.write(ours, request)
    os.close(ours)
    child = os.posix_spawn(
        program,
        [program],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, their_input, 0), (os.POSIX_SPAWN_DUP2, theirs, 1)],
    )
    os.close(their_input)
    os.close(theirs)
    with open(output, "rb") as file:
        reply = file.read()
    if os.waitpid(child, 0)[1]:
        sys.exit(f"caller.py: {reply}")
    return reply


if way == "fork":
    subprocess._USE_VFORK = False
call = spawn if way == "posix_spawn" else run
while os.read(0, 1):
    began = time.monotonic_ns()
    reply = call()
    took = time.monotonic_ns() - began
    if b'"error"' in reply:
        sys.exit(f"caller.py: {reply}")
    os.write(1, b"%d\n" % took)
