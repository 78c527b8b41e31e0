"""What is followed: recordings at their own pace, and programs played here by small servers written from documents."""

import asyncio
import json
import socket
import threading
import time

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.io.poses.axes import from_theirs
from efield.io.poses.pose_table import PoseTable
from efield.nav.sources import Replay, Stream, source_of
from efield.nav.streams import Brainsight, Localite


@pytest.fixture
def told(hub):
    """Answers of the hub, and events of sources."""
    found = {"answers": [], "events": []}
    hub.listen(found["answers"].append)
    return found


class Player:
    """A program of one client: plays what it is given once it was asked, then hangs up; again for the next client."""

    def __init__(self, plays):
        self.asked, self._listener = [], socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._plays = plays
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        for pieces in self._plays:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096))
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(0.1)

    def close(self):
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def play():
    players = []

    def start(*plays):
        players.append(Player(plays))
        return players[-1]

    yield start
    for player in players:
        player.close()


def packet(pose_in_brainsight, system="NIfTI:Scanner", serial="coil-7"):
    return {
        "packet-name": "stream:session-polaris-update",
        "serial-number": serial,
        "coordinate-system": system,
        "tool-in-desired": [float(value) for value in np.ravel(pose_in_brainsight)],
    }


def test_a_recording_is_replayed_in_order_and_answered_whole(hub, loop, told, poses):
    # Written out of order: times decide.
    times = np.arange(12)[::-1] * 0.01
    table = PoseTable(poses, [f"p{k}" for k in range(12)], {"time_s": times})
    loop(Replay("recording", table, 0.0).run(hub, told["events"].append))
    assert [answer.pose.device for answer in told["answers"]] == [f"p{k}" for k in range(12)][::-1]
    assert [answer.pose.number for answer in told["answers"]] == list(range(12, 0, -1))
    assert all(answer.status == "ok" for answer in told["answers"])
    assert [event["event"] for event in told["events"]] == ["following", "ended"]


def test_times_of_a_recording_and_its_speed(poses, hub, loop, told):
    table = PoseTable(poses[:3], (), {"time_s": [5.0, 5.1, 5.3]})
    assert Replay("r", table).times() == pytest.approx([0.0, 0.1, 0.3])
    assert Replay("r", PoseTable(poses[:3])).times() == pytest.approx([0.0, 0.1, 0.2])
    loop(Replay("r", table, 10.0).run(hub, told["events"].append))
    at = [answer.pose.at for answer in told["answers"]]
    assert len(at) == 3
    # Never early: 30 ms in all at ten times the speed.
    assert at[-1] - at[0] > 0.029


def test_a_file_is_named_like_everywhere_and_wrong_urls_say_what_there_is(tmp_path, poses):
    PoseTable(poses[:2], ["a", "b"]).write(tmp_path / "poses.json")
    replay = source_of(f"{tmp_path}/poses.json:b", speed=2.0)
    assert (replay.table.names, replay.speed) == (("b",), 2.0)
    stream = source_of("brainsight://192.0.2.1")
    assert (stream.host, stream.port) == ("192.0.2.1", 60000)
    assert source_of("localite://host:77?coil=1").port == 77
    for wrong in ("ftp://x", "brainsight://x:99999", "localite://x?coil=2", "brainsight://x?coil=1", "nofile.txt"):
        with pytest.raises(InputError):
            source_of(wrong)
    with pytest.raises(InputError, match="--speed"):
        source_of(f"{tmp_path}/poses.json", speed=-1.0)


def test_of_targets_and_pulses_the_pulses_are_replayed(tmp_path, poses, hub, loop, told):
    table = PoseTable(poses[:3], ("aim", "first", "second"), {"time_s": [np.nan, 7.0, 7.05]})
    table.write(tmp_path / "session.txt", "brainsight")
    replay = source_of(str(tmp_path / "session.txt"))
    assert (replay.table.names, replay.times()) == (("first", "second"), pytest.approx([0.0, 0.05]))
    loop(replay.run(hub, told["events"].append))
    assert told["events"][0]["without_time"] == 1
    table[:1].write(tmp_path / "target.txt", "brainsight")
    assert source_of(str(tmp_path / "target.txt")).table.names == ("aim",)
    PoseTable(from_theirs(np.eye(4)[None], "localite")).write(tmp_path / "lost.xml")  # the identity: not tracked
    with pytest.raises(InputError, match="none that can be used"):
        source_of(str(tmp_path / "lost.xml"))


def test_brainsight_is_asked_answered_and_found_again(hub, loop, told, play, poses, until):
    # By hand: Brainsight's x and z are ours turned around, its y is ours.
    theirs = [pose.matrix @ np.diag([-1.0, 1.0, -1.0, 1.0]) for pose in poses[:3]]
    packets = [json.dumps(packet(matrix)).encode() + b"\x1e" for matrix in theirs]
    other = json.dumps({"packet-name": "stream:target-selected", "name": "M1"}).encode() + b"\x1e"
    lost = json.dumps(packet(theirs[0]) | {"tool-in-desired": None}).encode() + b"\x1e"
    player = play([other + packets[0][:30], packets[0][30:] + lost], [packets[1]], [packets[2], b"no JSON\x1e"])
    loop.start(Stream("brainsight", "127.0.0.1", player.port, Brainsight).run(hub, told["events"].append))
    until(lambda: len(told["answers"]) == 3, 20)
    for answer, pose in zip(told["answers"], poses, strict=False):
        assert (answer.status, answer.pose.device) == ("ok", "coil-7")
        np.testing.assert_allclose(answer.pose.matrix, pose.matrix)
    until(lambda: [event["event"] for event in told["events"]].count("lost") == 3)
    ask = json.loads(player.asked[0].rstrip(b"\x1e"))
    assert player.asked[0].endswith(b"\x1e")
    assert ask["packet-name"] == "request:set-stream-option"
    assert (ask["stream-name"], ask["stream-value"]) == ("stream:session-polaris-update", True)
    assert "JSON" in [event for event in told["events"] if event["event"] == "lost"][-1]["reason"]


def test_what_cannot_be_used_is_said_once_until_it_can(hub, loop, told, play, pose, until, monkeypatch):
    monkeypatch.setattr("efield.nav.sources._FIRST_S", 0.01)
    monkeypatch.setattr("efield.nav.sources._LONGEST_S", 0.01)
    theirs = pose.matrix @ np.diag([-1.0, 1.0, -1.0, 1.0])
    world, image = (json.dumps(packet(theirs, system)).encode() + b"\x1e" for system in ("World", "NIfTI:S:Scanner"))
    player = play([world], [world], [world], [image], [world])
    loop.start(Stream("brainsight", "127.0.0.1", player.port, Brainsight).run(hub, told["events"].append))
    until(lambda: len(told["events"]) == 6, 20)
    assert [event["event"] for event in told["events"]] == ["following", "lost"] * 3
    assert [event.get("reason", "")[:9] for event in told["events"][1::2]] == ["Brainsigh", "the conne", "Brainsigh"]


def test_coordinates_whose_origin_is_not_known_are_refused_unless_told():
    data = json.dumps(packet(np.eye(4), "Brainsight")).encode() + b"\x1e"
    with pytest.raises(InputError, match="--frame"):
        list(Brainsight().feed(data))
    ((matrix, _, _),) = Brainsight("LPS").feed(data)
    # LPS to RAS turns x and y; Brainsight's coil axes turn x and z.
    np.testing.assert_array_equal(matrix[:3, :3], np.diag([1.0, -1.0, -1.0]))
    assert list(Brainsight("RAS", tool="other").feed(data)) == []


def test_localite_is_asked_again_and_again(hub, loop, told, play, pose, until):
    # By hand: half a turn about z (q0 = 0, qz = 1). Their axes x, y, z are then -x, -y, z of the head; x points into
    # the head, y along the handle, so that ours are z (their z), y = -(-y), z = -x.
    told_pose = {"q0": 0.0, "qx": 0.0, "qy": 0.0, "qz": 1.0, "x": 60.0, "y": 1.0, "z": 2.0}
    messages = [
        b'{"coil_0_status": "BLOCKED"}{"coil_0_position": "None"}',
        b' {"coil_0_pos',
        b'ition": ' + json.dumps(told_pose).encode() + b'}\n{"coil_0_didt": 3}',
    ]
    player = play(messages)
    loop.start(Stream("localite", "127.0.0.1", player.port, Localite).run(hub, told["events"].append))
    until(lambda: told["answers"])
    assert json.loads(player.asked[0][: player.asked[0].index(b"}") + 1]) == {"get": "coil_0_position"}
    matrix = told["answers"][0].pose.matrix
    expected = np.array([[0, 0, -1, 60], [0, 1, 0, 1], [1, 0, 0, 2], [0, 0, 0, 1.0]])
    np.testing.assert_allclose(matrix, expected, atol=1e-12)
    assert told["answers"][0].pose.device == "coil_0"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello", "JSON object"),
        (b'{"coil_0_position": {"q0": 1}}', "q0, qx"),
        (b'{"coil_0_position": {"q0": "x", "qx": 0, "qy": 0, "qz": 0, "x": 0, "y": 0, "z": 0}}', "q0, qx"),
        (b"{" * 70_000, "short"),
        (b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "JSON"),
    ],
)
def test_what_is_none_of_localites_messages_is_refused(data, reason):
    with pytest.raises(InputError, match=reason):
        list(Localite().feed(data))


@pytest.mark.parametrize("data", [b"x" * 70_000, b"[[[\x1e", b"\xff\xfe\x1e"])
def test_what_is_none_of_brainsights_packets_is_refused(data):
    with pytest.raises(InputError, match="Brainsight"):
        list(Brainsight().feed(data))


def test_a_quaternion_that_is_no_turn_is_refused_by_the_engine(engine):
    from efield.nav.latest import Seen

    told_pose = dict.fromkeys(("q0", "qx", "qy", "qz", "x", "y", "z"), 17.0)
    ((matrix, _, _),) = Localite().feed(json.dumps({"coil_0_position": told_pose}).encode())
    answer = engine.answer(1, Seen(matrix, "localite"))
    assert (answer.status, "scaled" in answer.reason) == ("refused", True)


def test_a_program_that_is_not_there_is_awaited_and_said_once(hub, loop, told, until, monkeypatch):
    monkeypatch.setattr("efield.nav.sources._FIRST_S", 0.01)
    monkeypatch.setattr("efield.nav.sources._LONGEST_S", 0.01)
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    running = loop.start(Stream("brainsight", "127.0.0.1", port, Brainsight).run(hub, told["events"].append))
    until(lambda: told["events"])
    loop(asyncio.sleep(0.1))  # looked for several times
    assert [event["event"] for event in told["events"]] == ["waiting"]
    assert told["events"][0]["reason"] == f"127.0.0.1 port {port}: Connection refused"
    assert not running.done()
    running.cancel()
    loop(asyncio.sleep(0))
