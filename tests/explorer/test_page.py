"""The page in a real browser: hands and keys move the coil, a click picks a target, a pose is saved."""

import asyncio

import numpy as np
import pytest

from efield.io.poses.reading import read_poses
from tests.chromium import browsing, chromium

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(chromium() is None, reason="needs Chromium (chromium, google-chrome) to draw the page"),
]

#: What the page says: status, placement, first measure, target and notice.
_SAYS = """(() => {
  const text = name => document.getElementById(name).innerText;
  const value = name => Number(document.getElementById(name + "-number").value);
  return {
    status: text("status"), measure: text("measures").split("\\n")[1], title: text("title"), notice: text("notice"),
    angle: value("angle_deg"), u: value("u_mm"), v: value("v_mm"), gap: value("distance_mm"),
    frame: Number(document.documentElement.dataset.frame),
  };
})()"""

#: The middle of a part of the picture, as the mouse knows it.
_AT = """(() => {
  const box = document.getElementById("view").getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
})()"""


async def _after(page, act):
    """What the page says when an act has been answered and drawn."""
    before = (await page.js(_SAYS))["frame"]
    await act
    await page.until(f"Math.min(...['frame', 'said'].map(key => document.documentElement.dataset[key])) > {before}")
    return await page.js(_SAYS)


async def _conversation(url, folder):
    settings = [("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})]
    async with browsing(url, (640, 420), settings) as page:
        await page.until("document.documentElement?.dataset.frame")
        await page.key("3")  # along the coil's axis: its middle is the picture's
        middle = await page.js(_AT)
        said, pictures = {"first": await page.js(_SAYS)}, {"first": await page.picture()}
        coil = [middle[0] + 25, middle[1]]
        said["dragged"] = await _after(page, page.drag(coil, [coil[0], coil[1] + 3], 3))
        pictures["dragged"] = await page.picture()
        said["turned"] = await _after(page, page.key("["))
        said["stepped"] = await _after(page, page.key("ArrowUp"))
        said["lowered"] = await _after(page, page.key("PageDown"))
        said["home"] = await _after(page, page.key("0"))
        for key in "c2t":  # without the coil, the target in the middle, and the next click picks
            await page.key(key)
        said["picked"] = await _after(page, page.click(middle[0] + 18, middle[1] + 8))
        pictures["picked"] = await page.picture()
        await page.js("document.getElementById('theme').click()")
        pictures["dark"] = await page.picture()
        await page.js("document.getElementById('save').click()")
        await page.until("document.getElementById('notice').innerText.startsWith('Saved')")
        for _ in range(100):
            if (folder / "pose.txt").exists():
                break
            await asyncio.sleep(0.02)
        return said, pictures, page.complaints


def test_hands_and_keys_move_the_coil_and_nothing_complains(at_start, tmp_path, start):
    said, pictures, complaints = asyncio.run(_conversation(at_start.url, tmp_path))
    assert complaints == []
    assert all(one["status"].startswith("Field shown") for one in said.values()), said
    first, dragged = said["first"], said["dragged"]
    assert np.hypot(dragged["u"] - first["u"], dragged["v"] - first["v"]) > 0.5
    assert dragged["measure"] != first["measure"]
    assert said["turned"]["angle"] == pytest.approx(dragged["angle"] - 5.0, abs=0.1)
    step = np.hypot(said["stepped"]["u"] - said["turned"]["u"], said["stepped"]["v"] - said["turned"]["v"])
    assert step == pytest.approx(1.0, abs=0.1)
    assert said["lowered"]["gap"] == pytest.approx(said["stepped"]["gap"] - 0.5, abs=0.02)
    assert (said["home"]["measure"], said["home"]["angle"]) == (first["measure"], first["angle"])
    assert said["picked"]["title"] != first["title"]
    assert said["picked"]["measure"] != first["measure"]
    assert len({*pictures.values()}) == len(pictures)
    np.testing.assert_allclose(read_poses(tmp_path / "pose.txt").matrices[0], start.matrix, atol=1e-2)
