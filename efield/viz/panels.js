// What stands around a scene: views, parts, color bars, compass, ruler, the value under the pointer, and the pointer's own work.

const byId = name => document.getElementById(name);
const add = (parent, kind, words) => { const one = document.createElement(kind); one.textContent = words; parent.append(one); return one; };

function drawCompass(scene) {
  const [right, up, toward] = scene.axes();
  const lines = [["R", [1, 0, 0]], ["A", [0, 1, 0]], ["S", [0, 0, 1]]].map(([letter, axis]) => {
    const [x, y, z] = [dot(axis, right), -dot(axis, up), dot(axis, toward)];
    const words = `x="${36 * x}" y="${36 * y}" fill="currentColor" font-size="13" text-anchor="middle" dominant-baseline="central"`;
    const line = `<line x2="${28 * x}" y2="${28 * y}" stroke="currentColor" stroke-width="1.6"/>`;
    return [z, `<g opacity="${z < -0.05 ? 0.5 : 1}">${line}<text ${words}>${letter}</text></g>`];
  });
  byId("compass").innerHTML = lines.sort((a, b) => a[0] - b[0]).map(x => x[1]).join("");
}
function drawRuler(scene) {
  const pixels = 1 / scene.mmPerPixel();
  const length = [100, 50, 20, 10, 5, 2, 1].find(mm => mm * pixels < 0.18 * scene.canvas.clientWidth) || 1;
  byId("ruler").querySelector("span").textContent = `${length} mm`;
  byId("ruler").querySelector("div").style.width = `${length * pixels}px`;
}

// The value and the place under the pointer, of the shapes that show values.
function say(scene, x, y) {
  const hit = scene.under(scene.inPicture(x, y), scene.shapes.filter(s => s.value && s.shown)), out = byId("readout");
  if (!hit) { out.textContent = ""; return; }
  const where = `x ${hit.place[0].toFixed(1)}, y ${hit.place[1].toFixed(1)}, z ${hit.place[2].toFixed(1)} mm`;
  const value = scene.valueAt(hit), scale = scene.scales[hit.shape.scale];
  out.textContent = Number.isNaN(value) ? where : `${scale.label} ${value.toPrecision(3)} ${scale.unit} at ${where}`;
}

// Fingers and mouse: `grab` may take a finger (it returns {move, end}), else it turns, moves or zooms the view.
function followPointer(scene, grab = () => null, click = () => {}) {
  const canvas = scene.canvas, fingers = new Map();
  let hovering = null;
  canvas.addEventListener("pointerdown", e => {
    canvas.setPointerCapture(e.pointerId);
    const plain = !fingers.size && !e.shiftKey && e.button === 0;
    fingers.set(e.pointerId, { at: [e.clientX, e.clientY], from: [e.clientX, e.clientY], work: plain ? grab(e.clientX, e.clientY) : null });
    canvas.style.cursor = "grabbing";
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, e => {
    const finger = fingers.get(e.pointerId);
    fingers.delete(e.pointerId);
    canvas.style.cursor = "grab";
    if (!finger) return;
    if (finger.work) finger.work.end();
    const still = Math.hypot(e.clientX - finger.from[0], e.clientY - finger.from[1]) < 4;
    if (end === "pointerup" && still) { click(e.clientX, e.clientY); say(scene, e.clientX, e.clientY); }
  });
  canvas.addEventListener("pointermove", e => {
    const finger = fingers.get(e.pointerId);
    if (!finger) {
      if (hovering === null) requestAnimationFrame(() => { const [x, y] = hovering; hovering = null; say(scene, x, y); });
      hovering = [e.clientX, e.clientY];
      return;
    }
    const before = finger.at, others = [...fingers].filter(([id]) => id !== e.pointerId).map(([, f]) => f.at);
    finger.at = [e.clientX, e.clientY];
    const [dx, dy] = [e.clientX - before[0], e.clientY - before[1]];
    if (others.length) {
      const spread = p => Math.hypot(p[0] - others[0][0], p[1] - others[0][1]) || 1;
      scene.zoom(spread(before) / spread([e.clientX, e.clientY]));
      scene.move(dx / 2, dy / 2);
    } else if (finger.work) finger.work.move(e.clientX, e.clientY);
    else if (e.shiftKey || e.buttons === 2 || e.buttons === 4) scene.move(dx, dy);
    else scene.turn(dx * 0.008, dy * 0.008);
  });
  canvas.addEventListener("contextmenu", e => e.preventDefault());
  canvas.addEventListener("wheel", e => { e.preventDefault(); scene.zoom(Math.exp(0.001 * e.deltaY)); }, { passive: false });
}

const TURNS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
// Whether a key was one of the camera's: + and - zoom, numbers are views.
function cameraKey(scene, views, key) {
  if (key === "+" || key === "=") scene.zoom(1 / 1.15);
  else if (key === "-") scene.zoom(1.15);
  else if (views[Number(key) - 1]) scene.look(views[Number(key) - 1]);
  else return false;
  return true;
}

function viewButtons(scene, views) {
  views.forEach((view, k) => {
    const button = add(byId("views"), "button", view.name);
    button.className = "pill";
    button.title = `key ${k + 1}`;
    button.addEventListener("click", () => scene.look(view));
  });
}
function partBoxes(scene) {
  for (const name of new Set(scene.shapes.map(s => s.name))) {
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox"; box.checked = true;
    label.append(box, ` ${name}`);
    byId("parts").append(label);
    box.addEventListener("change", () => { for (const s of scene.shapes) if (s.name === name) s.shown = box.checked; scene.draw(); });
  }
}
// Color bars, each with a slider for its upper end; `scale.label_` writes the numbers beside it anew.
function colorBars(scene) {
  scene.scales.forEach(scale => {
    const bar = add(byId("bars"), "div", "");
    bar.className = "bar";
    add(bar, "div", scale.words);
    const ramp = add(bar, "div", "");
    ramp.className = "ramp";
    ramp.style.background = `linear-gradient(to top, ${scale.colors.filter((c, k) => k % 8 === 0 || k === scale.colors.length - 1).join(", ")})`;
    scale.note_ = add(bar, "div", scale.note);
    const top = document.createElement("input");
    Object.assign(top, { type: "range", min: 20, max: 200, value: 100, title: "upper end of the colors" });
    top.setAttribute("aria-label", `upper end of the colors of ${scale.words}`);
    bar.append(top);
    scale.label_ = () => {
      ramp.replaceChildren();
      for (let k = 0; k <= 4; k++) {
        const tick = add(ramp, "span", String(Number((scale.ends[0] + (scale.ends[1] - scale.ends[0]) * k / 4).toPrecision(3))));
        tick.style.bottom = `${25 * k}%`;
      }
    };
    scale.end_ = (low, high) => { Object.assign(scale, { low, high, ends: [low, high] }); top.value = 100; scale.label_(); scene.draw(); };
    top.addEventListener("input", () => {
      const f = top.value / 100;
      scale.ends = [scale.low < 0 ? scale.low * f : scale.low, scale.high * f];
      scale.label_(); scene.draw();
    });
    scale.label_();
  });
}
function numberRows(rows) {
  for (const [name, text, meaning] of rows) {
    const row = add(byId("numbers"), "tr", "");
    add(row, "td", name).title = meaning; add(row, "td", text);
  }
}
