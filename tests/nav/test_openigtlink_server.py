"""The OpenIGTLink server over real sockets: independent clients, and peers that misbehave."""

import contextlib
import gc
import json
import socket
import struct
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.nav import openigtlink as igtl
from efield.nav.openigtlink import Message
from efield.nav.openigtlink_server import Limits, OpenIGTLinkServer


def test_pyigtl_sends_a_pose_and_gets_the_measures(server, basis, pose):
    pyigtl = pytest.importorskip("pyigtl", reason="needs pyigtl (extra test)")
    client = pyigtl.OpenIGTLinkClient("127.0.0.1", server.port)
    try:
        client.send_message(pyigtl.TransformMessage(pose.matrix, device_name="NavigationTransform"), wait=True)
        answer = json.loads(client.wait_for_message("efield", timeout=10).string)
    finally:
        client.stop()
    assert answer["status"] == "ok"
    assert answer["device"] == "NavigationTransform"
    expected = basis.measures([pose], 2e6)["mean_magnitude"][0]
    # Their matrices are in single precision.
    assert answer["measures"]["mean_magnitude"] == pytest.approx(expected, rel=1e-5)
    assert answer["engine_ms"] <= answer["age_ms"] < 5000


def test_each_transform_is_answered_in_the_version_it_came_in(server, connect, poses, as_transform):
    client = connect(server.port)
    client.send(as_transform(poses[0].matrix))
    kind, device, version, _ = client.receive()
    assert (kind, device, version) == ("STRING", "efield", 1)
    for number, pose in enumerate(poses, start=7):
        client.send(as_transform(pose.matrix, version=2, number=number))
        kind, _, version, body = client.receive()
        assert (kind, version) == ("STRING", 2)
        # The number of the message comes back in the header and in the text.
        assert struct.unpack(">HHII", body[:12])[3] == number
        answer = json.loads(body[16:-2])
        assert answer["number"] == number
        np.testing.assert_allclose(answer["center_mm"], pose.center_mm, rtol=1e-6)


def test_other_transforms_are_not_the_coil(server, serving, connect, pose, as_transform):
    client = connect(server.port)
    client.send(as_transform(pose.matrix, device="Pointer") + as_transform(pose.matrix, number=1))
    assert json.loads(client.text())["device"] == "CoilToRefe"
    assert server.hub.waiting.received == 1
    anybody = serving(devices=())
    client = connect(anybody.port)
    client.send(as_transform(pose.matrix, device="Pointer"))
    assert json.loads(client.text())["device"] == "Pointer"


def test_axes_and_frame_of_others_are_turned(serving, connect, pose, engine, as_transform):
    from efield.io.poses.axes import to_theirs

    server = serving(axes="brainsight", frame="LPS")
    client = connect(server.port)
    client.send(as_transform(to_theirs(pose.matrix[None], "brainsight", "LPS")[0]))
    answer = json.loads(client.text())
    np.testing.assert_allclose(answer["center_mm"], pose.center_mm, rtol=1e-6)
    assert answer["status"] == "ok"
    with pytest.raises(InputError, match="axes"):
        OpenIGTLinkServer(server.hub, axes="nobody")


def test_status_and_capability_are_told_on_request(server, connect, pose, as_transform):
    client = connect(server.port)
    client.send(igtl.packed(Message("GET_CAPABIL", "")))
    kind, _, _, body = client.receive()
    assert kind == "CAPABILITY"
    assert len(body) % 12 == 0
    assert b"TRANSFORM\0\0\0" in body
    client.send(igtl.packed(Message("GET_STRING", "")))
    kind, _, _, body = client.receive()
    assert (kind, struct.unpack(">H", body[:2])[0]) == ("STATUS", igtl.NOT_FOUND)
    client.send(as_transform(pose.matrix))
    client.receive()
    client.send(igtl.packed(Message("GET_STATUS", "")))
    kind, _, _, body = client.receive()
    code, _, name = struct.unpack(">Hq20s", body[:30])
    assert (kind, code, name.rstrip(b"\0")) == ("STATUS", igtl.OK, b"OK")
    report = json.loads(body[30:-1])
    assert report["answered"] == report["ok"] == 1
    assert report["latency_ms"]["p50"] >= report["engine_ms"]["p50"] > 0
    client.send(as_transform(pose.moved((0.0, 0.0, -60.0)).matrix))
    client.receive()
    client.send(igtl.packed(Message("GET_IMAGE", "")))
    _, _, _, body = client.receive()
    assert body[30:].startswith(b"the latest pose has no field: ")


def test_who_watches_gets_every_answer_with_the_age_it_has(server, connect, pose, until, as_transform):
    coil, watcher, other = (connect(server.port) for _ in range(3))
    watcher.send(igtl.packed(Message("STT_STRING", "")))
    until(lambda: any(client.streams for client in server.clients.values()))
    coil.send(as_transform(pose.matrix))
    assert json.loads(coil.text())["id"] == json.loads(watcher.text())["id"] == 1
    time.sleep(0.2)
    other.send(igtl.packed(Message("GET_STRING", "")))
    late = json.loads(other.text())
    assert late["id"] == 1
    assert late["age_ms"] > 200
    watcher.send(igtl.packed(Message("STP_STRING", "")))
    until(lambda: not any(client.streams for client in server.clients.values()))


def test_a_flood_is_survived_and_its_last_pose_is_answered(server, connect, poses, until, as_transform):
    client, calm = connect(server.port), connect(server.port)
    flood = [as_transform(poses[k % 12].matrix, version=2, number=k + 1) for k in range(10_000)]
    calm.send(as_transform(poses[3].matrix))
    for first in range(0, len(flood), 500):
        client.send(b"".join(flood[first : first + 500]))
    answers = [json.loads(client.text())]
    while answers[-1]["number"] < 10_000:
        answers.append(json.loads(client.text()))
    numbers = [answer["number"] for answer in answers]
    assert numbers == sorted(set(numbers))
    np.testing.assert_allclose(answers[-1]["center_mm"], poses[9_999 % 12].center_mm, rtol=1e-6)
    waiting = server.hub.waiting
    until(lambda: server.hub.latency.answered + waiting.replaced == waiting.received)
    assert waiting.received == 10_001
    assert json.loads(calm.text())["status"] == "ok"


def test_every_client_is_answered_while_another_pours(server, connect, poses, until, as_transform):
    pouring, calm = connect(server.port), connect(server.port)
    flood = b"".join(as_transform(poses[k % 12].matrix, version=2, number=k + 1) for k in range(2000))
    stopped, behind = threading.Event(), {}
    server.hub.listen(lambda answer: behind.update({answer.id: server.hub.waiting.received - answer.id}))

    def pour():
        while not stopped.is_set():
            pouring.send(flood)
            pouring.text()

    thread = threading.Thread(target=pour)
    thread.start()
    try:
        for number in range(1, 21):
            calm.send(as_transform(poses[number % 12].matrix, version=2, number=number))
            answer = json.loads(calm.text())
            assert answer["number"] == number
            # A hundred poses are read of the other in a turn, and one is answered: this one's turn is the next.
            until(lambda said=answer["id"]: said in behind)
            assert behind[answer["id"]] < 500
        assert thread.is_alive()
    finally:
        stopped.set()
        thread.join(10)
    assert server.hub.waiting.replaced > 20


def test_who_sends_too_fast_is_sent_away(serving, connect, pose, as_transform):

    server = serving(limits=Limits(messages_per_s=100))
    client = connect(server.port)
    client.send(as_transform(pose.matrix) * 500)
    assert client.ended()


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n",
        bytes(range(256)) * 8,
        struct.pack(">H12s20sQQQ", 1, b"TRANSFORM", b"CoilToRefe", 0, 1 << 63, 0),
        struct.pack(">H12s20sQQQ", 1, b"IMAGE", b"MagVec", 0, 1 << 50, 0),
    ],
    ids=["http", "bytes", "huge transform", "huge image"],
)
def test_junk_ends_its_own_connection_only(server, connect, pose, junk, as_transform):
    good, bad = connect(server.port), connect(server.port)
    bad.send(junk)
    kind, _, _, body = bad.receive()
    assert (kind, struct.unpack(">H", body[:2])[0]) == ("STATUS", igtl.UNKNOWN)
    assert bad.ended()
    good.send(as_transform(pose.matrix))
    assert json.loads(good.text())["status"] == "ok"


def test_damage_is_told_and_the_next_message_is_read(server, connect, pose, as_transform):
    client = connect(server.port)
    damaged = bytearray(as_transform(pose.matrix))
    damaged[70] ^= 1
    client.send(bytes(damaged) + as_transform(pose.matrix))
    kind, _, _, body = client.receive()
    assert (kind, struct.unpack(">H", body[:2])[0]) == ("STATUS", igtl.CHECKSUM)
    assert json.loads(client.text())["status"] == "ok"
    client.send(igtl.packed(Message("TRANSFORM", "CoilToRefe", b"x" * 40)))
    kind, _, _, body = client.receive()
    assert (kind, b"48 bytes" in body) == ("STATUS", True)


def test_half_a_message_is_not_awaited_for_ever(server, connect, pose, until, as_transform):
    slow, whole = connect(server.port), connect(server.port)
    whole.send(as_transform(pose.matrix))
    assert whole.text()
    for byte in as_transform(pose.matrix)[:20]:
        slow.send(bytes([byte]))
    kind, _, _, body = slow.receive()
    assert (kind, struct.unpack(">H", body[:2])[0]) == ("STATUS", igtl.TIMED_OUT)
    assert slow.ended()
    # Who is only silent stays.
    assert len(server.clients) == 1


def test_a_client_that_leaves_in_the_middle_is_forgotten(server, connect, pose, until, as_transform):
    for _ in range(5):
        client = connect(server.port)
        client.send(as_transform(pose.matrix) + as_transform(pose.matrix)[:77])
        client.close()
        until(lambda: not server.clients)
    until(lambda: not server.hub.waiting._waiting)


def test_a_peer_that_never_reads_costs_nothing_and_is_dropped(serving, connect, pose, until, as_transform):
    # Patient until answers are skipped, however busy the machine is, and then no longer.
    server = serving(limits=Limits(clients=3, patience_s=60.0, messages_per_s=50_000.0))
    mute, good = connect(server.port), connect(server.port)
    mute.send(igtl.packed(Message("STT_POLYDATA", "")) + igtl.packed(Message("STT_STRING", "")))
    until(lambda: any(client.streams for client in server.clients.values()))
    (name,) = [name for name, client in server.clients.items() if client.streams]
    client, most = server.clients[name], 0
    end = time.monotonic() + 20
    while name in server.clients:
        assert time.monotonic() < end, f"it was not dropped; {client.skipped} answers were skipped"
        good.send(as_transform(pose.matrix))
        assert json.loads(good.text())["status"] == "ok"
        most = max(most, client.transport.get_write_buffer_size())
        if client.skipped:
            client.limits = replace(client.limits, patience_s=0.4)
    assert client.skipped > 0
    # What waits never exceeds the limit by more than one message.
    assert most < server.limits.waiting_bytes + 1_000_000


def test_too_many_clients_are_told_so(server, connect, until, pose, as_transform):
    clients = [connect(server.port) for _ in range(3)]
    until(lambda: len(server.clients) == 3)
    late = connect(server.port)
    kind, _, _, body = late.receive()
    assert (kind, struct.unpack(">H", body[:2])[0]) == ("STATUS", igtl.BUSY)
    assert late.ended()
    clients[0].close()
    until(lambda: len(server.clients) == 2)
    again = connect(server.port)
    again.send(as_transform(pose.matrix))
    assert again.text()


def test_who_connects_while_it_ends_is_hung_up_on(serving, loop):
    server = serving()
    loop.loop.call_soon_threadsafe(time.sleep, 0.3)  # busy while they come
    callers = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    loop(server.close())
    for caller in callers:
        caller.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            while caller.recv(1 << 10):
                pass
        caller.close()
    gc.collect()  # an open connection that nobody has is an error of this test


def test_two_servers_on_one_port_are_an_error_that_says_what_to_do(server, hub, loop):
    second = OpenIGTLinkServer(hub)
    with pytest.raises(InputError, match="another server may run there"):
        loop(second.start("127.0.0.1", server.port))
    with pytest.raises(InputError, match="OpenIGTLink must listen"):
        loop(second.start("203.0.113.7", 0))


def test_the_end_is_told(serving, connect, loop, until):
    server = serving()
    client = connect(server.port)
    until(lambda: server.clients)
    loop(server.close())
    kind, _, _, body = client.receive()
    assert (kind, struct.unpack(">H", body[:2])[0]) == ("STATUS", igtl.ENDING)
    assert client.ended()
