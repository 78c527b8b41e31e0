"""The latest pose counts, senders take turns, and percentiles are those of all answers."""

import asyncio

import numpy as np

from efield.nav.latest import Latency, Latest, Seen


def seen(source, device="coil"):
    return Seen(np.eye(4), source, device)


def test_a_newer_pose_replaces_an_older_one_and_senders_take_turns():
    async def play():
        box = Latest()
        first = [box.put(seen("a")), box.put(seen("b")), box.put(seen("a")), box.put(seen("a", "other"))]
        assert first == [1, 2, 3, 4]
        assert (box.received, box.replaced) == (4, 1)
        taken = [(await box.take()) for _ in range(3)]
        assert [(number, pose.source, pose.device) for number, pose in taken] == [
            (3, "a", "coil"),
            (2, "b", "coil"),
            (4, "a", "other"),
        ]

    asyncio.run(play())


def test_a_sender_of_many_coils_leaves_others_their_turn_and_has_a_limit():
    async def play():
        box = Latest()
        for number in range(40):
            box.put(seen("flood", f"coil {number}"))
        box.put(seen("calm"))
        box.put(seen("calm", "second"))
        taken = [(await box.take())[1] for _ in range(4)]
        assert [pose.source for pose in taken] == ["flood", "calm", "flood", "calm"]
        # The sixteen latest of the forty are left.
        assert taken[0].device == "coil 24"
        assert (box.received, box.replaced) == (42, 24)

    asyncio.run(play())


def test_taking_waits_for_a_pose_and_who_left_is_forgotten():
    async def play():
        box = Latest()
        waiting = asyncio.ensure_future(box.take())
        await asyncio.sleep(0)
        assert not waiting.done()
        box.put(seen("a"))
        box.forget("a")
        await asyncio.sleep(0)
        assert not waiting.done()
        assert not box.holds("a")
        box.put(seen("b"))
        assert (await waiting)[1].source == "b"

    asyncio.run(play())


def test_percentiles_of_one_to_a_hundred():
    latency = Latency()
    assert latency.percentiles() == {}
    for value in range(1, 102):
        latency.add(float(value), value / 10)
    assert latency.percentiles()["latency_ms"] == {"p50": 51.0, "p99": 100.0, "max": 101.0}
    assert latency.percentiles()["engine_ms"]["max"] == 10.1
    assert latency.answered == 101
