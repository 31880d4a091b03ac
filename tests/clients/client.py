# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Calls netbroker with the package varlink of PyPI. The arguments are a way to connect (address, bridge or activate), the
address or the command, and a number for the MTU to set. tests/clients/run has made what is asked for here, and compares
with the kernel what was set."""

import json
import sys

import varlink

way, to, mtu = sys.argv[1], sys.argv[2], int(sys.argv[3])


def connected():
    if way == "address":
        return varlink.Client.new_with_address(to)
    if way == "bridge":
        return varlink.Client.new_with_bridge(to.split())
    assert way == "activate", way
    return varlink.Client.new_with_activate(to.split())


def refused(call, *arguments, **parameters):
    """The name and the parameters of the error of a call."""
    try:
        answer = call(*arguments, **parameters)
    except varlink.VarlinkError as error:
        return error.error(), error.parameters()
    raise AssertionError(f"not refused: {answer}")


def send(connection, method, **parameters):
    connection._send_message(json.dumps({"method": method, "parameters": parameters}).encode())


with connected() as client:
    # Each of these makes a connection of its own, which is closed after it.
    interfaces = client.get_interfaces()
    assert client.info["vendor"] == client.info["product"] == "netbroker", client.info
    methods = 0
    for name in interfaces:
        interface = client.get_interface(name)
        assert interface.name == name
        methods += sum(isinstance(member, varlink.scanner._Method) for member in interface.members.values())
    print(f"Python by {way}: {len(interfaces)} interfaces with {methods} methods")
    assert len(interfaces) > 10 and methods > 50
    error, parameters = refused(client.get_interface, "io.netbroker.Bird")
    assert (error, parameters["interface"]) == ("org.varlink.service.InterfaceNotFound", "io.netbroker.Bird")

    with client.open("io.netbroker.Link") as link, client.open("io.netbroker.Netns") as netns:
        # Several calls on one connection, beside those on another.
        for value in mtu - 2, mtu - 1:
            assert link.Set(netns="@host", link="v0", mtu=value) == {}
            (found,) = link.List(netns="@host", link="v0")["links"]
            assert found["mtu"] == value and found["kind"] == "veth", found
            assert netns.Get(netns="c-1")["ready"] is True

        # Errors, with their fields.
        error, parameters = refused(link.Set, netns="@host", link="eth0", mtu=1400)
        assert error == "io.netbroker.Link.Denied", error
        assert (parameters["call"], parameters["field"], len(parameters["request"])) == ("Link.Set", "link", 32)
        error, parameters = refused(netns.Get, netns="c-absent")
        assert error == "io.netbroker.Netns.NoSuchNetns", error
        assert (parameters["name"], parameters["errno_name"]) == ("c-absent", "ENOENT"), parameters
        error, parameters = refused(link.Set, netns="@host", link="v0", mtu=-1)
        assert (error, parameters["field"]) == ("io.netbroker.Link.InvalidRequest", "mtu"), parameters

        # Without a reply: the next one is that of the next call.
        assert link.Set(netns="@host", link="v0", mtu=mtu, _oneway=True) is None
        assert link.List(netns="@host", link="v0")["links"][0]["mtu"] == mtu

        # Pipelined: all are sent before the first reply is read.
        for value in range(1300, 1320):
            send(link, "io.netbroker.Link.Set", netns="@host", link="v1", mtu=value)
        send(link, "io.netbroker.Link.Fly")
        send(link, "org.varlink.service.GetInfo")
        send(link, "io.netbroker.Link.Set", netns="@host", link="v1", mtu=mtu)
        for value in range(1300, 1320):
            assert link._next_varlink_message() == ({}, False)
        assert refused(link._next_varlink_message) == ("org.varlink.service.MethodNotFound", {"method": "Fly"})
        assert link._next_varlink_message()[0]["product"] == "netbroker"
        assert link._next_varlink_message() == ({}, False)

    # A stream, and another interface on the same connection after it.
    connection = client.open_connection()
    address = client.open("io.netbroker.Address", connection=connection)
    parts = [part["addresses"] for part in address.List(netns="@host", link="v0", _more=True)]
    print(f"Python by {way}: {sum(map(len, parts))} addresses in {len(parts)} replies")
    assert len(parts) > 1 and sum(map(len, parts)) > 500
    assert sum(parts, []) == address.List(netns="@host", link="v0")["addresses"]
    names = client.open("io.netbroker.Netns", connection=connection).List(netns="@host")["namespaces"]
    assert [entry["netns"] for entry in names] == ["c-1"], names
    connection.close()
