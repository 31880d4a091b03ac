# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A client in Python for `tests/bench --socket`: a resident of socket_client.c.

    socket_client.py kept|each REQUEST SOCKET
    socket_client.py exec REQUEST PROGRAM
    socket_client.py rootwrap NETNS LINK MTU COMMAND...
    socket_client.py privsep NETNS LINK MTU COMMAND...

It makes one call after another and measures each. `kept` uses one connection for all calls, `each` one for each call. `exec`
starts the program by the module subprocess. `rootwrap` has `ip` started by the daemon of oslo.rootwrap. `privsep` calls
Neutron's own set_link_attribute(), which its daemon of oslo.privsep executes. COMMAND starts the daemon as root.
"""

import array
import os
import socket
import subprocess
import sys
import time

SUCCESS = b'{"parameters":{}}\0'


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def ask(connection, request):
    connection.sendall(request)
    reply = connection.recv(4096)
    while reply[-1:] != b"\0":
        more = connection.recv(4096)
        if not more:
            break
        reply += more
    return reply


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    return connection


def kept(request, path):
    request, connection = contents(request), connect(path)
    return lambda: ask(connection, request)


def each(request, path):
    request = contents(request)

    def call():
        with connect(path) as connection:
            return ask(connection, request)

    return call


def run(request, program):
    request = contents(request)
    return lambda: subprocess.run([program], input=request, stdout=subprocess.PIPE, check=True).stdout


def rootwrap(netns, link, mtu, *command):
    from oslo_rootwrap import client

    daemon = client.Client(list(command))

    def call():
        status, _, complaint = daemon.execute(["ip", "-n", netns, "link", "set", link, "mtu", mtu])
        return complaint.encode() if status else SUCCESS

    return call


def privsep(netns, link, mtu, *command):
    import shlex

    from neutron import privileged
    from neutron.privileged.agent.linux import ip_lib
    from oslo_config import cfg

    cfg.CONF([], project="neutron", default_config_files=[], default_config_dirs=[])
    # Every context that could serve the call: which one it is depends on Neutron's version.
    for context in (privileged.default, getattr(privileged, "link_cmd", privileged.default)):
        cfg.CONF.set_override("helper_command", shlex.join(command), group=context.cfg_section)

    def call():
        ip_lib.set_link_attribute(link, netns, mtu=int(mtu))
        return SUCCESS

    return call


WAYS = {"kept": kept, "each": each, "exec": run, "rootwrap": rootwrap, "privsep": privsep}


def measure(call, most, longest):
    took = array.array("Q")
    at = began = time.monotonic_ns()
    while len(took) < most and at < began + longest:
        reply = call()
        if reply != SUCCESS:
            sys.exit(f"socket_client.py {sys.argv[1]}: {reply}")
        now = time.monotonic_ns()
        took.append(now - at)
        at = now
    return array.array("Q", [len(took), began, at]) + took


def main():
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries and daemons may write there, too
    call = WAYS[sys.argv[1]](*sys.argv[2:])
    if sys.argv[1] in ("rootwrap", "privsep"):
        measure(call, 1, 1)  # the first call starts the daemon
    out.write(b"ready\n")
    out.flush()
    for line in sys.stdin:
        out.write(measure(call, *map(int, line.split())).tobytes())
        out.flush()


main()
