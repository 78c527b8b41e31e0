"""Socket.IO with python-socketio's own client: poses, InVesalius's messages and requests, and a relay."""

import asyncio

import nibabel
import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.nav import invesalius
from efield.nav.invesalius import Space
from efield.nav.pictures import Shapes

socketio = pytest.importorskip("socketio", reason="needs python-socketio (extra live)")
web = pytest.importorskip("aiohttp.web", reason="needs aiohttp (extra live)")

from efield.nav.relay import Desk, SocketClient, SocketServer, client_of  # noqa: E402

#: An image of 2 mm voxels, 100 along y, whose axes are those of the head.
AFFINE = np.array([[2.0, 0, 0, -90], [0, 2, 0, -120], [0, 0, 2, -70], [0, 0, 0, 1]])
SPACE = Space(AFFINE, 100)


def test_a_coil_in_invesalius_space_by_hand():
    # y' = 2 * 99 - 30 = 168; world = (10 - 90, 168 - 120, 40 - 70). Turned by 90 degrees about z: its x points along
    # the head's y. Its axes are x to the front, y to the right, z out: ours are y of theirs, x of theirs, -z.
    pose = SPACE.pose([10, 30, 40, 0, 0, 90])
    np.testing.assert_allclose(pose[:3, 3], [-80, 48, -30])
    np.testing.assert_allclose(pose[:3, :3], np.column_stack([[-1, 0, 0], [0, 1, 0], [0, 0, -1]]), atol=1e-12)


def test_angles_turn_about_fixed_axes_x_first():
    # By hand: 90 degrees about x takes y to z and z to -y; then 90 degrees about z takes x to y, y to -x.
    turned = SPACE.pose([0, 0, 0, 90, 0, 90])[:3, :3]
    theirs = np.column_stack([turned[:, 1], turned[:, 0], -turned[:, 2]])
    np.testing.assert_allclose(theirs, np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), atol=1e-12)


@pytest.mark.parametrize(
    ("stored", "shape"),
    [
        (AFFINE, (60, 100, 70)),
        # x runs to the left: voxel 0 is at -90 + 2 * 59.
        (np.array([[-2.0, 0, 0, 28], [0, 2, 0, -120], [0, 0, 2, -70], [0, 0, 0, 1]]), (60, 100, 70)),
        # A sagittal image: its voxels run to the front, up and to the right.
        (np.array([[0.0, 0, 2, -90], [2, 0, 0, -120], [0, 2, 0, -70], [0, 0, 0, 1]]), (100, 70, 60)),
        # The same, from the front on: voxel 0 is at -120 + 2 * 99.
        (np.array([[0.0, 0, 2, -90], [-2, 0, 0, 78], [0, 2, 0, -70], [0, 0, 0, 1]]), (100, 70, 60)),
    ],
)
def test_an_image_is_turned_to_ras_as_invesalius_opens_it(tmp_path, stored, shape):
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.uint8), stored), tmp_path / "T1.nii.gz")
    space = Space.of(tmp_path / "T1.nii.gz")
    np.testing.assert_array_equal(space.affine, AFFINE)
    assert space.rows == 100


@pytest.mark.parametrize("coordinates", [None, [1, 2], "x", [1, 2, 3, 4, 5, "y"], {"a": 1}])
def test_what_are_not_six_numbers_is_refused(coordinates):
    with pytest.raises(InputError, match="six numbers"):
        SPACE.pose(coordinates)


@pytest.fixture
def desk(hub, tmp_path):
    return Desk(hub, Shapes(hub.engine), SPACE, tmp_path)


@pytest.fixture
def port(desk, loop):
    """A Socket.IO server's port."""

    async def make():
        server = SocketServer(desk)
        return server, await server.start("127.0.0.1", 0)

    server, found = loop(make())
    yield found
    loop(server.close())


async def heard(port, sent, wanted, seconds=10):
    """What a client hears on an event after it has sent something."""
    client, found = socketio.AsyncClient(reconnection=False), asyncio.Queue()

    async def keep(message):
        await found.put(message)

    for name in (invesalius.TO_INVESALIUS, "efield"):
        client.on(name, keep)
    await client.connect(f"http://127.0.0.1:{port}", transports=["websocket"])
    try:
        for name, message in sent:
            await client.emit(name, message)
        return [await asyncio.wait_for(found.get(), seconds) for _ in range(wanted)]
    finally:
        await client.disconnect()


def in_invesalius(pose):
    """x, y, z, alpha, beta, gamma of a pose, in that space; angles by their own formula."""
    matrix = pose.matrix @ np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
    shift = matrix[:3, 3] - AFFINE[:3, 3]
    beta = np.arcsin(-matrix[2, 0])
    alpha = np.arctan2(matrix[2, 1], matrix[2, 2])
    gamma = np.arctan2(matrix[1, 0], matrix[0, 0])
    return [shift[0], 2 * 99 - shift[1], shift[2], *np.degrees([alpha, beta, gamma])]


def test_poses_are_answered(port, loop, basis, pose):
    coord = {"topic": invesalius.POSE, "data": {"coord": in_invesalius(pose)}}
    sent = [("pose", {"matrix": pose.matrix.tolist(), "device": "mouse"})]
    (own,) = loop(heard(port, sent, 1))
    (theirs,) = loop(heard(port, [(invesalius.FROM_INVESALIUS, coord)], 1))
    expected = basis.measures([pose], 2e6)["mean_magnitude"][0]
    assert own["measures"]["mean_magnitude"] == pytest.approx(expected)
    assert theirs["measures"]["mean_magnitude"] == pytest.approx(expected, rel=1e-6)
    assert own["device"] == "mouse"


def test_a_request_is_answered_with_a_surface(port, loop, engine, pose, tmp_path):
    import pyvista

    data = {"matsimnibs": pose.matrix.tolist(), "didt": 4e6, "output_dir": "/nowhere", "m2m_dir": "x", "coil": "y"}
    run = {"topic": invesalius.RUN, "data": data}
    told, done = loop(heard(port, [(invesalius.FROM_INVESALIUS, run)], 2))
    assert told["topic"] == invesalius.PROGRESS
    assert done["topic"] == invesalius.LOADED
    surface = pyvista.read(done["data"]["result_msh"])
    cortex, values = Shapes(engine).on_cortex(pose)
    # Asked for at twice the drive of the engine.
    np.testing.assert_allclose(surface["magnE"], 2 * values, rtol=1e-6)
    np.testing.assert_allclose(surface.points, cortex.points_mm, rtol=1e-6)
    assert done["data"]["result_msh"].startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("topic", "data", "reason"),
    [
        (invesalius.CHARM, {}, "does not do"),
        (invesalius.RUN, {}, "matsimnibs"),
        (invesalius.RUN, {"matsimnibs": np.diag([1.0, 1, -1, 1]).tolist()}, "mirrored"),
        (invesalius.RUN, {"matsimnibs": np.eye(4).tolist()}, "patch"),
        (invesalius.RUN, {"matsimnibs": np.eye(4).tolist(), "didt": "fast"}, "didt"),
        (invesalius.POSE, {"coord": [1]}, "six numbers"),
    ],
)
def test_requests_that_cannot_be_are_errors(port, loop, topic, data, reason):
    replies = loop(heard(port, [(invesalius.FROM_INVESALIUS, {"topic": topic, "data": data})], 1))
    if replies[0]["topic"] == invesalius.PROGRESS:
        replies = loop(heard(port, [(invesalius.FROM_INVESALIUS, {"topic": topic, "data": data})], 2))[1:]
    assert replies[0]["topic"] == invesalius.ERROR
    assert reason in replies[0]["data"]["message"]


def test_a_request_that_is_cancelled_is_not_answered_with_a_surface(desk, loop, hub, pose):
    replies = []

    async def cancelled_while_it_is_drawn():
        async def emit(reply):
            replies.append(reply)
            await desk.message("a", {"topic": invesalius.CANCEL[0], "data": {}}, emit) if len(replies) == 1 else None

        await desk.message("a", {"topic": invesalius.RUN, "data": {"matsimnibs": pose.matrix.tolist()}}, emit)
        await desk.message("a", {"topic": invesalius.RUN, "data": {"matsimnibs": pose.matrix.tolist()}}, emit)

    loop(cancelled_while_it_is_drawn())
    topics = [invesalius.PROGRESS, invesalius.ERROR, invesalius.PROGRESS, invesalius.LOADED]
    assert [reply["topic"] for reply in replies] == topics
    assert "cancelled" in replies[1]["data"]["message"]


def test_junk_is_passed_over(port, loop, pose):
    junk = [
        (invesalius.FROM_INVESALIUS, thing) for thing in (None, 3, "x", [], {}, {"topic": 5}, {"topic": "y", "data": 1})
    ]
    junk += [("pose", thing) for thing in ({"matrix": "x"}, 7)]
    good = [("pose", {"matrix": pose.matrix.tolist(), "device": "good"})]
    answers = loop(heard(port, junk + good, 2))
    assert answers[0]["status"] == "refused" or answers[0]["device"] == "good"


def test_two_servers_on_one_port_are_an_error(port, desk, loop):
    async def make():
        return await SocketServer(desk).start("127.0.0.1", port)

    with pytest.raises(InputError, match=r"Socket\.IO must listen"):
        loop(make())


def test_behind_a_relay_poses_come_in_and_requests_are_answered(hub, loop, pose, until):
    replies, events, sids = [], [], []

    async def relay():
        """Forwards nothing but what the test says, under the names that the relay gives them."""
        server = socketio.AsyncServer(async_mode="aiohttp")
        server.on("connect", lambda sid, environ: sids.append(sid))
        server.on(invesalius.TO_RELAY, lambda sid, message: replies.append(message))
        application = web.Application()
        server.attach(application)
        runner = web.AppRunner(application, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return server, runner

    server, runner = loop(relay())
    answers = []
    hub.listen(answers.append)
    try:
        client = SocketClient(f"http://127.0.0.1:{runner.addresses[0][1]}", SPACE)
        following = loop.start(client.run(hub, events.append))
        until(lambda: sids and events)
        coord = {"topic": invesalius.POSE, "data": {"coord": in_invesalius(pose)}}
        loop(server.emit(invesalius.FROM_RELAY, coord))
        until(lambda: answers)
        np.testing.assert_allclose(answers[0].pose.matrix, pose.matrix, atol=1e-9)
        run = {"topic": invesalius.RUN, "data": {"matsimnibs": pose.matrix.tolist(), "didt": 1e6}}
        loop(server.emit(invesalius.FROM_RELAY, run))
        until(lambda: len(replies) == 2)
        assert [reply["topic"] for reply in replies] == [invesalius.PROGRESS, invesalius.LOADED]
        following.cancel()
        until(lambda: not server.manager.rooms.get("/", {}).get(sids[0]))
    finally:
        loop(runner.cleanup())


def test_an_option_that_is_none_is_refused():
    with pytest.raises(InputError, match="image="):
        client_of("127.0.0.1", 5000, {"picture": "x"})
