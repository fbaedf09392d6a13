"""A port that somebody else has is found before anything is stopped, with its owner and the next free one."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.app.containers import Containers
from mldeploy.app.listeners import ENGINE_DNS, TABLES, ListeningSocket, list_sockets, parse_socket_tables
from mldeploy.core.errors import ExitCode
from mldeploy.image.labels import APP
from mldeploy.providers.errors import AddressError, PortTakenError
from tests.local.world import BASE, World


@pytest.mark.engine
@pytest.mark.parametrize("app", ["", "other"])
def test_port_of_a_container(world: World, app: str) -> None:
    client, port = world.engine.client, world.settings.port
    assert port
    binding = client.create_host_config(port_bindings={80: ("127.0.0.1", port)})
    labels = {APP: f"{app}{world.name}"} if app else {}
    name = f"squatter-{world.name}"
    made = client.create_container(BASE, ["sleep", "600"], name=name, ports=[80], host_config=binding, labels=labels)[
        "Id"
    ]
    try:
        client.start(made)
        error = world.fail()
    finally:
        client.remove_container(made, force=True)
    owner = f"the container {name} of the app other{world.name}" if app else f"the container {name}"
    assert isinstance(error, PortTakenError)
    assert (error.port, error.owner, error.exit_code) == (port, owner, ExitCode.FAILED)
    assert world.containers == ()


@pytest.mark.engine
def test_port_of_a_process_while_another_version_serves(world: World, free_port: Callable[[], int]) -> None:
    world.deploy()
    before = world.serving
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        port = listener.getsockname()[1]
        world.target(port=port)
        error = world.fail()
        assert isinstance(error, PortTakenError)
        assert error.owner.startswith(f"process {os.getpid()}, {psutil.Process().cmdline()[0]}")
        assert error.free_port
        assert f"--port {error.free_port}" in error.todo
    assert world.serving == before

    world.target(port=error.free_port)
    world.deploy()
    assert world.version == "1"


@pytest.mark.engine
def test_same_port_at_another_address_is_not_taken(world: World) -> None:
    with socket.create_server(("127.0.0.2", world.settings.port or 0)):
        world.deploy()
    assert world.version == "1"


@pytest.mark.engine
@pytest.mark.parametrize("port", [0, 5000])
def test_address_that_this_machine_does_not_have(world: World, port: int) -> None:
    world.target(host="192.0.2.1", port=port)  # RFC 5737: nobody has it
    error = world.fail()
    assert isinstance(error, AddressError)
    assert "target.local.host: this machine has no address 192.0.2.1" in str(error)
    assert error.exit_code is ExitCode.CONFIG
    assert world.containers == ()


@pytest.mark.engine
def test_sockets_of_a_container_are_the_same_seen_from_inside_and_from_here(world: World) -> None:
    world.deploy()
    containers = Containers(world.engine, world.name)
    inside = parse_socket_tables(containers.file(world.serving.id, *TABLES).splitlines())
    assert inside.listeners == (ListeningSocket("0.0.0.0", 8000),)
    seen = list_sockets(containers, world.serving)
    assert seen
    assert seen.listeners == inside.listeners


ports = st.integers(0, 65535)
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
states = st.sampled_from(["01", "02", "06", "0A"])


@given(st.lists(st.tuples(addresses, ports, addresses, ports, states)))
def test_kernel_tables_are_read_back(rows: list[tuple[object, int, object, int, str]]) -> None:
    lines = ["  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"]
    for slot, (local, port, remote, other, state) in enumerate(rows):
        lines.append(
            f"  {slot}: {kernel(local)}:{port:04X} {kernel(remote)}:{other:04X} {state} 00000000:00000000 00:0"
        )
    seen = parse_socket_tables(lines)
    assert set(seen.listeners) == {
        ListeningSocket(str(local), port)
        for local, port, _, _, state in rows
        if state == "0A" and str(local) != ENGINE_DNS
    }
    loopback = {ListeningSocket(str(remote), 0) for _, _, remote, _, state in rows if state in ("01", "02")}
    assert seen.talking == any(not each.is_loopback for each in loopback)


def kernel(address: object) -> str:
    """An address as the kernel writes it on a little-endian machine: words of four bytes, each reversed."""
    packed: bytes = address.packed  # type: ignore[attr-defined]  # IPv4Address and IPv6Address have it
    return "".join(packed[start : start + 4][::-1].hex().upper() for start in range(0, len(packed), 4))


@pytest.mark.parametrize(
    ("address", "reached"),
    [("0.0.0.0", True), ("172.17.0.2", True), ("127.0.0.1", False), ("::", True), ("::1", False)],
)
def test_who_is_reached_from_outside(address: str, reached: bool) -> None:
    seen = parse_socket_tables(["0: 00000000:0000 00000000:0000 06"])
    assert not seen.only_elsewhere(8000)
    assert ListeningSocket(address, 8000).reaches(8000) is reached
    assert not ListeningSocket(address, 8000).reaches(8001)
