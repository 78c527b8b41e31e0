"""A whole session: a recording with its lines, and the command with its signals and wrong options."""

import io
import json
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

from efield.app.cli import main
from efield.ground.errors import InputError
from efield.head.spheres import sphere_head
from efield.io.meshes.gmsh import write_head
from efield.io.poses.pose_table import PoseTable
from efield.nav.alerts import Alert
from efield.nav.engine import LiveEngine
from efield.nav.openigtlink_server import OpenIGTLinkServer
from efield.nav.serve import Session, serve
from efield.targeting.placement import place_coil


def test_a_recording_becomes_lines_and_a_report(basis, coil, target, poses, tmp_path):
    far = poses[0].moved((0.0, 0.0, -40.0))
    PoseTable([*poses, far], [f"p{k}" for k in range(13)]).write(tmp_path / "recorded.json")
    engine = LiveEngine(basis, coil, target, 2e6, plan=poses[0], alerts=(Alert.parse("off_plan_deg>100"),))
    stream, notes, told = io.StringIO(), [], []
    session = Session(follow=str(tmp_path / "recorded.json"), speed=0.0)
    report = serve(engine, session, lines=stream, note=notes.append, told=told.append)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    answers = [line for line in lines if "event" not in line]
    assert events == ["ready", "following", "ended", "end"]
    assert [answer["device"] for answer in answers] == [f"p{k}" for k in range(13)]
    expected = basis.measures(poses, 2e6)["mean_magnitude"]
    np.testing.assert_array_equal([answer["measures"]["mean_magnitude"] for answer in answers[:-1]], expected)
    assert answers[-1]["status"] == "outside"
    # Placements 15 degrees apart: those at 105 degrees and beyond.
    assert [bool(answer["alerts"]) for answer in answers] == [k in range(7, 12) for k in range(13)]
    assert (report["received"], report["ok"], report["outside"], report["replaced"]) == (13, 12, 1, 0)
    assert report["latency_ms"]["p50"] >= report["engine_ms"]["p50"]
    assert len(told) == 13
    assert any("ready" in note for note in notes)


def test_a_taken_port_is_an_error_before_anything_is_served(engine, serving):
    taken = serving().port
    with pytest.raises(InputError, match="another server may run there"):
        serve(engine, Session(openigtlink=taken), note=lambda text: None)


def test_a_session_without_anything_to_do_is_refused():
    with pytest.raises(InputError, match="port to listen on"):
        Session()
    with pytest.raises(InputError, match="65535"):
        Session(openigtlink=70000)


def test_other_machines_are_let_in_with_a_warning_only(engine, tmp_path, poses):
    PoseTable(poses[:1]).write(tmp_path / "one.json")
    notes = []
    serve(engine, Session(host="0.0.0.0", follow=str(tmp_path / "one.json")), note=notes.append)
    assert any("nothing is encrypted" in note for note in notes)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A very coarse sphere, a ring and a pose in files, with the options that name them."""
    folder = tmp_path_factory.mktemp("inputs")
    head = sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=18.0)
    write_head(folder / "head.msh", head)
    (folder / "ring.toml").write_text(
        'type = "circular"\nturns = 3\ninner_diameter_mm = 40\nouter_diameter_mm = 60\n'
        "wire_width_mm = 2\nwire_height_mm = 6\ncasing_mm = 4\n"
    )
    pose = place_coil(head, (0.0, 0.0, 65.0), 0.0, 6.0)
    options = ["--head", str(folder / "head.msh"), "--coil", str(folder / "ring.toml"), "--target", "0,0,65"]
    return options, pose


def test_the_command_answers_a_pose_and_ends_in_order_on_sigterm(inputs, connect, as_transform):
    options, pose = inputs
    command = [sys.executable, "-c", "from efield.app.cli import main; main()", "serve", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--openigtlink", "0", "--json"], **pipes, text=True) as process:
        ready = json.loads(process.stdout.readline())
        assert ready["event"] == "ready"
        client = connect(ready["openigtlink"])
        client.socket.settimeout(60)
        client.send(as_transform(pose.matrix))
        answer = json.loads(client.text())
        assert (answer["status"], answer["engine"]) == ("ok", "full")
        assert answer["measures"]["mean_magnitude"] > 0
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["event"] == "end"
    assert "latency_ms" in err
    assert "efield basis build" in err
    assert client.ended()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alert", "nonsense"], "an alert must be"),
        (["--alert", "mean_magnitude<0.9*plan"], "--plan"),
        (["--follow", "ftp://x"], "--follow must be"),
        (["--follow", "nofile.txt"], "nofile.txt"),
        (["--didt", "80"], "didt"),
        (["--didt", "0"], "must not be 0"),
        (["--openigtlink", "70000"], "65535"),
        (["--no-openigtlink"], "port to listen on"),
        (["--basis", "nowhere"], "nowhere"),
        (["--outside", "maybe"], "--outside"),
        (["--json", "--lines", "x"], "one place"),
        (["--axes", "nobody", "--follow", "brainsight://x"], "axes"),
    ],
)
def test_wrong_options_say_what_to_give(monkeypatch, capsys, inputs, options, message):
    monkeypatch.setattr(sys, "argv", ["efield", "serve", *inputs[0], *options])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2
    assert message in capsys.readouterr().err


def test_a_port_that_is_taken_ends_the_command_with_a_remedy(monkeypatch, capsys, inputs):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(sys, "argv", ["efield", "serve", *inputs[0], "--openigtlink", str(port)])
        with pytest.raises(SystemExit) as leaving:
            main()
    assert leaving.value.code == 2
    said = capsys.readouterr().err
    assert "give another port" in said
    assert "loading head" not in said


def test_the_default_devices_are_those_of_slicers_modules(hub):
    assert OpenIGTLinkServer(hub).devices == {"CoilToRefe", "NavigationTransform"}
