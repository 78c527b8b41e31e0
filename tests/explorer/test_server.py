"""The explorer's server over real sockets: frames, what is refused, poses that come and go."""

import asyncio
import base64
import json
import zlib
from contextlib import suppress
from io import BytesIO
from types import SimpleNamespace
from urllib.parse import urlsplit
from zipfile import ZipFile

import numpy as np
import pytest

from efield.explorer.doorway import Doorway
from efield.explorer.explore import explore, live_engine
from efield.explorer.explorer import Explorer
from efield.explorer.session import Output
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.io.poses.formats import FORMATS, WRITTEN
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import read_poses
from efield.nav.latest import Latest
from efield.nav.mouse import _told
from efield.nav.sources import source_of
from efield.targeting.naming import target_of

aiohttp = pytest.importorskip("aiohttp", reason="needs aiohttp (extra live)")
pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_wish_is_answered_with_numbers_and_picture_of_the_same_pose(talk, explorer, basis):
    async def turn(client):
        await client.send(do="hold", wish={"angle_deg": 20.0})
        return client.first, await client.frame()

    first, frame = talk(turn)
    assert (frame["status"], frame["engine"]) == ("ok", "reduced")
    assert frame["placement"]["angle_deg"] == pytest.approx(20.0)
    pose = Pose(np.reshape(frame["pose"], (4, 4)))
    exact = {name: float(value[0]) for name, value in basis.measures([pose], 2e6).items()}
    assert frame["measures"] == pytest.approx(exact, rel=1e-9)
    magnitude = explorer._session.engine.painted(pose)["values"]
    np.testing.assert_allclose(frame["values"], magnitude, atol=frame["high"] / 65534)
    assert frame["measures"] != first["measures"]
    assert np.abs(frame["values"] - first["values"]).max() > 0.01 * first["high"]


def test_a_mouse_in_the_page_is_a_source_of_poses(talk, explorer):
    offered, events = [], []
    hub = SimpleNamespace(offer=offered.append, waiting=Latest())

    async def turned(client):
        following = asyncio.ensure_future(source_of(explorer.url).run(hub, events.append))
        while not offered:  # where the coil is
            await asyncio.sleep(0.01)
        await client.send(do="hold", wish={"angle_deg": 25.0})
        frame = await client.frame()
        while offered[-1].number != frame["id"]:
            await asyncio.sleep(0.01)
        following.cancel()
        return frame

    frame = talk(turned)
    np.testing.assert_array_equal(offered[-1].matrix, np.reshape(frame["pose"], (4, 4)))
    assert (offered[-1].source, offered[-1].device) == ("explorer", "mouse")
    assert [event["event"] for event in events] == ["following"]


def test_what_is_no_page_is_no_source(explorer):
    with pytest.raises(InputError, match="whole address"):
        source_of("http://127.0.0.1:8000")
    with pytest.raises(InputError, match="a page of `efield view`"):
        _told(b"\x02\0\0\0{}")
    events = []

    async def awaited():
        following = asyncio.ensure_future(source_of(explorer.url[:-4] + "none/").run(None, events.append))
        while not events:
            await asyncio.sleep(0.01)
        following.cancel()

    asyncio.run(awaited())
    assert (events[0]["event"], "404" in events[0]["reason"]) == ("waiting", True)


def test_the_picture_is_the_field_of_a_full_solve(explorer, at_start, sim, start, coil):
    canvas = explorer._session.engine.canvas
    e = sim.solve(coil, start, 2e6).recovered.on_nodes(canvas.surface.nodes[canvas.live], 2)
    exact = np.linalg.norm(e, axis=1)
    painted = explorer._session.engine.painted(start)["values"]
    assert np.abs(painted - exact).max() < 0.03 * exact.max()


def test_of_many_wishes_the_latest_counts_and_none_is_lost(talk):
    async def hurry(client):
        await client.send(do="hold", wish={"tilt_x_deg": 1.5})
        for angle in range(60):
            await client.send(do="hold", wish={"angle_deg": float(angle)})
        frames = [await client.frame()]
        while frames[-1]["placement"]["angle_deg"] < 58.99:
            frames.append(await client.frame())
        return frames

    frames = talk(hurry)
    assert len(frames) < 50
    assert frames[-1]["placement"]["tilt_x_deg"] == pytest.approx(1.5, abs=0.01)


def test_a_page_that_does_not_draw_is_not_sent_what_would_be_old(talk):
    async def sleep(client):
        for angle in range(12):
            await client.send(do="hold", wish={"angle_deg": float(angle)})
            await asyncio.sleep(0.03)
        unseen = []
        with suppress(TimeoutError):
            while True:
                unseen.append(await asyncio.wait_for(client.receive(seen=False), 0.4))
        await client.send(do="seen")
        return unseen, await client.frame()

    unseen, latest = talk(sleep)
    assert len(unseen) <= 2
    assert latest["placement"]["angle_deg"] == pytest.approx(11.0)


def test_where_there_is_no_field_none_is_shown(talk):
    async def wander(client):
        await client.send(do="hold", wish={"distance_mm": -2.0})
        inside = await client.frame()
        await client.send(do="hold", wish={"distance_mm": 4.5, "u_mm": -20.0})
        outside = await client.frame()
        await client.send(do="home")
        return inside, outside, await client.frame()

    inside, outside, home = talk(wander)
    assert (inside["status"], outside["status"], home["status"]) == ("collision", "outside", "ok")
    assert "in the head" in inside["reason"]
    assert "beyond the edge" in outside["reason"]
    for frame in (inside, outside):
        assert frame["measures"] == {}
        assert not len(frame["values"])
        assert frame["peak"] is None
        assert frame["pose"] is not None
    assert inside["off_plan_mm"] > 5
    assert home["off_plan_mm"] == 0.0


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[",
        "[]",
        '"x"',
        '{"do": "fly"}',
        '{"do": "hold", "wish": {"angle_deg": "north"}}',
        '{"do": "hold", "wish": {"distance_mm": 1e12}}',
        '{"do": "hold", "wish": {"foot_mm": [null, 1, 2]}}',
        '{"do": "drive", "didt": 0}',
        '{"do": "drive", "didt": NaN}',
        '{"do": "aim", "name": "/etc/passwd"}',
        '{"do": "aim", "at_mm": "here"}',
        '{"do": "aim", "at_mm": [500, 0, 0]}',
        '{"do": "aim"}',
        '{"do": "recorded", "number": 0}',
        "[" * 5000,
    ],
)
def test_what_cannot_be_done_is_refused_and_the_page_goes_on(talk, message):
    async def ask(client):
        await client.raw(message)
        refused = await client.event("refused")
        await client.send(do="hold", wish={"angle_deg": 33.0})
        return refused, await client.frame()

    refused, frame = talk(ask)
    assert refused["reason"]
    assert frame["placement"]["angle_deg"] == pytest.approx(33.0)


@pytest.mark.parametrize("data", [b"\0\1", "x" * 70_000])
def test_bytes_and_large_messages_end_the_connection(talk, data):
    async def shout(client):
        await client.raw(data)
        while (message := await client.receive()) is not None:
            assert message["event"] == "frame"

    talk(shout)


def test_another_target_is_measured_there_and_one_beyond_the_basis_is_refused(talk, explorer, basis, start, target):
    near = np.asarray(target.center_mm) + np.array([4.0, -3.0, 0.0])

    async def pick(client):
        await client.send(do="aim", at_mm=near.tolist())
        told = await client.event("target")
        frame = await client.frame()
        await client.send(do="aim", at_mm=(-near).tolist())
        return told, frame, await client.event("refused")

    told, frame, refused = talk(pick)
    assert told["center_mm"] == pytest.approx(near.tolist())
    exact = {name: float(v[0]) for name, v in basis.measures([start], 2e6, target_of(basis.sim.head, near)).items()}
    assert frame["measures"] == pytest.approx(exact, rel=1e-6)
    assert told["plan"] == pytest.approx(exact, rel=1e-6)
    assert "region_radius_mm" in refused["reason"]
    np.testing.assert_allclose(explorer.target.center_mm, near)


def test_the_output_scales_the_field(talk, explorer):
    async def drive(client):
        await client.send(do="drive", didt=4e6)
        frame = await client.until(lambda message: message.get("didt") == 4e6 and message["event"] == "frame")
        await client.send(do="drive", didt=2e6)
        await client.event("target")
        return client.first, frame

    first, frame = talk(drive)
    assert frame["measures"]["mean_magnitude"] == pytest.approx(2 * first["measures"]["mean_magnitude"], rel=1e-5)
    assert frame["high"] == pytest.approx(2 * first["high"], rel=1e-5)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_pose_is_saved_in_every_format(fetch, start, name, tmp_path):
    answer = fetch(f"pose?format={name}")
    assert answer.status == 200
    file = answer.headers["Content-Disposition"].split('"')[1]
    if file.endswith(".zip"):
        ZipFile(BytesIO(answer.body)).extractall(tmp_path)
        file = next(path.name for path in tmp_path.iterdir() if path.name.endswith(FORMATS[name].suffixes))
    else:
        (tmp_path / file).write_bytes(answer.body)
    found = read_poses(tmp_path / file, format=name)
    np.testing.assert_allclose(found.matrices[0], start.matrix, atol=2e-3)


def test_a_format_that_is_none_is_refused(fetch):
    answer = fetch("pose?format=../../etc/passwd")
    assert (answer.status, b"format must be one of" in answer.body) == (400, True)


def test_recorded_poses_are_uploaded_chosen_and_told_to_all_pages(talk, fetch, start, tmp_path):
    table = PoseTable([start.moved((0.0, dy, 0.0)).matrix for dy in (0.0, 1.0, 2.0)], ["a", "b", "c"])
    table.write(tmp_path / "session.json")
    content = (tmp_path / "session.json").read_bytes()

    async def play(client):
        async with client.session.post(f"{client.url}poses?name=../../session.json", data=content) as answer:
            assert (answer.status, await answer.json()) == (200, {"poses": 3})
        listed = await client.event("poses")
        await client.send(do="recorded", number=2)
        return listed, await client.frame()

    async def with_url(client):
        client.url = str(client._socket._response.url).removesuffix("live")
        return await play(client)

    listed, frame = talk(with_url)
    assert (listed["count"], listed["names"]) == (3, ["a", "b", "c"])
    assert (frame["source"], frame["device"]) == ("recording", "c")
    np.testing.assert_allclose(np.reshape(frame["pose"], (4, 4)), table.matrices[2], atol=1e-9)
    for name, body in (("x.exe", b"1"), ("x.json", b"{"), ("x.json", b"[]")):
        bad = fetch(f"poses?name={name}", "POST", data=body)
        assert bad.status == 400
        assert bad.body
        assert b"/tmp" not in bad.body


def test_only_who_knows_the_token_and_the_name_is_answered(fetch, explorer):
    parts = urlsplit(explorer.url)
    root = f"{parts.scheme}://{parts.netloc}"
    assert fetch("/", base=root).status == 404
    assert fetch("/x/", base=root).status == 404
    assert fetch("", headers={"Host": f"evil.example:{parts.port}"}).status == 403
    assert fetch("", headers={"Origin": "http://evil.example"}).status == 403
    assert fetch("live", headers={"Origin": "null"}).status == 403
    page = fetch("", headers={"Host": f"localhost:{parts.port}"})
    assert page.status == 200
    assert b"<canvas" in page.body
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert len(parts.path) > 20


def test_from_python_the_coil_is_moved_and_read(at_start, start, basis):
    moved = start.moved((0.0, 2.0, 0.0))
    at_start.pose = moved
    np.testing.assert_allclose(at_start.pose.matrix, moved.matrix, atol=1e-9)
    exact = {name: float(value[0]) for name, value in basis.measures([moved], 2e6).items()}
    assert at_start.measures == pytest.approx(exact, rel=1e-9)
    with pytest.raises(InputError, match="in the head"):
        at_start.pose = start.moved((0.0, 0.0, 20.0))
    assert (at_start.status, at_start.measures) == ("collision", {})
    assert at_start.url in at_start._repr_html_()


def test_with_a_simulator_the_field_follows_when_the_coil_rests(sim, coil, target, start):
    with explore(sim, coil, target, didt=2e6, pose=start, browser=False) as explorer:
        full = explorer.measures
        exact = sim.solve(coil, start, 2e6).summary(target)
        assert full["mean_magnitude"] == pytest.approx(exact["mean_magnitude"], rel=1e-6)
        session = explorer._session
        explorer._door.run(session.obey({"do": "hold", "wish": {"angle_deg": 10.0}, "rough": True}))
        asked = explorer._door.run(_settled(session))
        assert (asked.status, asked.measures, asked.values) == ("moving", {}, None)
        assert asked.placement.angle_deg == pytest.approx(10.0)
    explorer.close()  # again
    assert "closed" in explorer._repr_html_()


async def _settled(session):
    """The answer to what was asked last."""
    while session.shown is None or session.shown.id < session._asked:
        await asyncio.sleep(0.01)
    return session.shown


def test_a_recording_is_followed(basis, start, tmp_path):
    table = PoseTable([start.moved((0.0, dy, 0.0)).matrix for dy in (0.0, 1.0)], ["a", "b"], {"time_s": [0.0, 0.05]})
    table.write(tmp_path / "session.json")
    with explore(basis, follow=str(tmp_path / "session.json"), browser=False) as explorer:
        explorer._door.run(_ended(explorer._session), 20)
        np.testing.assert_allclose(explorer.pose.matrix, table.matrices[1], atol=1e-9)


async def _ended(session):
    while (session.followed or {}).get("state") != "ended":
        await asyncio.sleep(0.01)


def test_what_cannot_be_explored_is_refused(basis, sim, start):
    with pytest.raises(InputError, match="coil must be given"):
        explore(sim, browser=False)
    with pytest.raises(InputError, match="didt and intensity"):
        explore(basis, didt=1e6, intensity=50, browser=False)
    with pytest.raises(InputError, match="is not known"):
        explore(basis, intensity=50, browser=False)
    with pytest.raises(InputError, match="threshold"):
        explore(basis, threshold=-1, browser=False)
    with pytest.raises(InputError, match="must not be 0"):
        explore(basis, didt=0, browser=False)
    with explore(basis, pose=start, browser=False) as first:
        port = urlsplit(first.url).port
        with pytest.raises(InputError, match="free port"):
            explore(basis, pose=start, port=port, browser=False)
    assert json.dumps(str(first)).count("closed") == 1


def test_slices_through_a_place_hold_the_field_of_a_full_solve_and_the_tissues(
    talk, explorer, sim, start, coil, target
):
    at = np.asarray(target.center_mm) + np.array([0.4, 1.3, -0.7])

    async def cut(client):
        await client.send(do="cut", at_mm=at.tolist())
        told = await client.event("cuts")
        return told, await client.until(lambda message: message.get("cuts") == told["number"])

    told, frame = talk(cut)
    assert told["at_mm"] == pytest.approx(at.tolist())
    blob = zlib.decompress(base64.b64decode(told["data"]))
    count = len(explorer._session.engine.canvas.live)
    values, first = frame["values"][count:], 0
    field = sim.solve(coil, start, 2e6)
    for plane in told["planes"]:
        size = plane["rows"] * plane["columns"]
        pixels = np.cumsum(np.frombuffer(blob, np.int32, plane["count"], plane["pixels"]))
        anatomy = np.cumsum(np.frombuffer(blob, np.int16, size, plane["anatomy"]))
        up, across = np.divmod(np.arange(size), plane["columns"])
        places = np.insert(np.column_stack([across, up]) + plane["low"], plane["axis"], at[plane["axis"]], axis=1)
        exact = np.linalg.norm(field.at(places[pixels]), axis=1)
        shown = values[first : first + plane["count"]]
        assert len(shown) > 300
        assert np.percentile(np.abs(shown - exact), 99) < 0.03 * exact.max()
        inside = np.isfinite(field.at(places)[:, 0])
        np.testing.assert_array_equal(anatomy > 0, inside)
        first += plane["count"]
    assert first == len(values)


def test_slices_follow_the_target_and_a_place_beyond_the_head_is_refused(talk, target):
    near = np.asarray(target.center_mm) + np.array([3.0, -2.0, 0.0])

    async def look(client):
        await client.send(do="cut")
        here = await client.event("cuts")
        await client.send(do="aim", at_mm=near.tolist())
        there = await client.event("cuts")
        await client.send(do="cut", at_mm=[500, 0, 0])
        return here, there, await client.event("refused")

    here, there, refused = talk(look)
    assert here["at_mm"] == pytest.approx(list(target.center_mm))
    assert there["at_mm"] == pytest.approx(near.tolist())
    assert there["number"] > here["number"]
    assert "slices must be through the head" in refused["reason"]


def test_a_page_that_waits_is_told_how_far_the_work_is_and_becomes_the_explorer(basis, start):
    door = Doorway(title="Building <a basis>")

    async def get(path):
        async with aiohttp.ClientSession() as session, session.get(door.url + path) as answer:
            return answer.status, await answer.text()

    assert "Building &lt;a basis&gt;" in asyncio.run(get(""))[1]
    assert asyncio.run(get("live"))[0] == 404
    door.tell("solves", 3, 12)
    assert json.loads(asyncio.run(get("progress"))[1]) == {"words": "solves", "done": 3, "total": 12, "ready": False}
    engine = live_engine(basis, None, None)
    with Explorer(engine, start, Output(), door=door) as explorer:
        assert explorer.url == door.url
        assert json.loads(asyncio.run(get("progress"))[1])["ready"]
        assert "<canvas" in asyncio.run(get(""))[1]
