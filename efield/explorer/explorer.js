// The explorer: what the server answers is drawn, what people do is wished for. The server lays the coil; nothing is computed here.

const CONTROLS = [
  ["u_mm", "Toward medial", "mm", 0.5], ["v_mm", "Toward anterior", "mm", 0.5], ["angle_deg", "Current angle", "deg", 1],
  ["tilt_x_deg", "Tilt, front down", "deg", 0.5], ["tilt_y_deg", "Tilt, left down", "deg", 0.5], ["distance_mm", "Gap to the scalp", "mm", 0.25],
];
const KEYS = [
  ["arrows", "move the coil by 1 mm, as seen on the screen (shift: 5 mm)"], ["[ ] or q e", "turn it by 5 degrees (shift: 1 degree)"],
  ["i k j l", "tilt it by 1 degree: front, back, left, right side down"], ["page up, page down", "lift, lower by 0.5 mm"],
  ["c", "show or hide the coil"], ["s", "show or hide the slices"], ["t", "pick a target on the cortex with the next click"], ["f", "fit the colors to the field now"], ["0", "back to the start"],
  ["space", "play or pause recorded poses"], ["n, b", "next, previous recorded pose"], ["1 to 8", "views"], ["+ and -", "zoom"],
  ["alt and arrows", "turn the view"], ["?", "this list"],
];
const WORDS = {
  ok: "Field shown", collision: "The coil is in the head", outside: "Outside what the basis is certified for", refused: "Refused", moving: "Moving",
};
const WARNING = [0.76, 0.25, 0.05];

(async () => {
const told = JSON.parse(byId("scene").textContent);
byId("title").textContent = told.title;
const bytes = typeof DecompressionStream === "undefined" ? null : await unpacked(byId("data").textContent);
const scene = bytes && openScene(byId("view"), told, bytes);
if (!scene) { byId("failed").style.display = "block"; return; }
const shapeOf = name => scene.shapes.find(s => s.name === name);
const cortex = shapeOf("cortex"), scalp = shapeOf("scalp"), mark = shapeOf("target"), scale = scene.scales[0];
const coil = told.coil.map(k => scene.shapes[k]);
const live = new Int32Array(bytes, told.live.start, told.live.count).slice();
for (let i = 1; i < live.length; i++) live[i] += live[i - 1];
scene.enliven(cortex, live);
let now = null, hello = null, target = null, recorded = { count: 0, names: [], times: [] }, follow = null;
let fitNext = true, picking = false, playing = null, arrived = 0;

// The socket: what is wished for goes out once a picture at most, and what was drawn is said, so that old frames never queue up.
let socket = null, wish = null, rough = false, waiting = false, count = 0, ahead = {};
function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${location.pathname}live`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = e => (typeof e.data === "string" ? heard(JSON.parse(e.data)) : framed(e.data));
  socket.onclose = () => { byId("stage").classList.add("old"); notice("The server is not there. Trying again."); setTimeout(connect, 1000); };
}
function send(message) { if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); }
function hold(part, moving = false) {
  stop();
  const places = "foot_mm" in part ? ["u_mm", "v_mm"] : "u_mm" in part || "v_mm" in part ? ["foot_mm"] : [];
  wish = { ...(wish || {}), ...part };
  ahead = { ...ahead, ...part };
  for (const name of places) { delete wish[name]; delete ahead[name]; }
  rough = moving;
  if (waiting) return;
  waiting = true;
  // The first of a picture goes at once, the others together with the next picture.
  ask();
  requestAnimationFrame(() => { waiting = false; if (wish) ask(); });
}
function ask() { send({ do: "hold", wish, rough, number: count += 1 }); wish = null; }
// What was wished for last, or what is: the next step begins there, even if the answer is still to come.
const held = name => ahead[name] ?? now.placement[name];
let hushed = 0;
function notice(words, seconds = 0) {
  byId("notice").textContent = words;
  clearTimeout(hushed);
  if (seconds) hushed = setTimeout(() => { byId("notice").textContent = ""; }, 1000 * seconds);
}

function heard(event) {
  if (event.event === "hello") greet(event);
  else if (event.event === "target") aimed(event);
  else if (event.event === "poses") listed(event);
  else if (event.event === "follow") followed(event);
  else if (event.event === "cuts") { if (!byId("cuts").hidden) laid(event); else sliced = event; }
  else if (event.event === "refused") { ahead = {}; cuts.refused(); notice(event.reason, 6); }
}
function framed(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  now = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  arrived = performance.now();
  if (now.source !== "page" || now.number >= count || !now.number) ahead = {};
  byId("stage").classList.remove("old");
  const every = new Uint16Array(buffer, 4 + length), values = every.subarray(0, live.length);
  cuts.framed(now, every.length > live.length ? every.subarray(live.length) : null);
  if (values.length) for (let i = 0; i < live.length; i++) cortex.value[live[i]] = values[i];
  else cortex.value.fill(UNKNOWN);
  scene.setValues(cortex, [0, now.high || 1]);
  for (const shape of coil) {
    if (now.pose) scene.hold(shape, now.pose);
    shape.tint = now.status === "collision" && shape.name !== "induced current" ? WARNING : null;
  }
  if (fitNext && now.limit) { fitNext = false; scale.end_(0, now.limit); }
  scale.note_.textContent = now.peak === null ? "no field" : `P99.9 now: ${now.peak.toPrecision(3)}`;
  beside();
  requestAnimationFrame(() => { send({ do: "seen" }); document.documentElement.dataset.frame = now.id; });
}

// Slices: on a large page from the start; what the server said of them while they were hidden is kept.
let sliced = null;
const cuts = openCuts(scale, place => send({ do: "cut", at_mm: place.map(x => Math.round(10 * x) / 10) }), words => { byId("readout").textContent = words; });
async function laid(event) {
  const bytes = await unpacked(event.data), array = (Type, start, count) => summed(new Type(bytes, start, count));
  const planes = event.planes.map(p => ({ ...p, anatomy: array(Int16Array, p.anatomy, p.rows * p.columns), pixels: array(Int32Array, p.pixels, p.count) }));
  cuts.lay({ ...event, planes });
}
function showSlices(on) {
  byId("cuts").hidden = !on;
  byId("slices").setAttribute("aria-pressed", on);
  if (on && sliced) { laid(sliced); sliced = null; } else if (on) { if (!cuts.any()) send({ do: "cut" }); cuts.draw(); }
}

// What is said beside the picture, at most eight times a second: nobody reads faster, and a browser without a graphics card lays out
// and draws it all by the processor. That there is no field is said at once.
let lastSaid = 0, saying = 0, saidStatus = "";
function beside() {
  clearTimeout(saying);
  const wait = now.status === saidStatus ? lastSaid + 125 - performance.now() : 0;
  if (wait > 0) { saying = setTimeout(beside, wait); return; }
  [lastSaid, saidStatus] = [performance.now(), now.status];
  showStatus(); showMeasures(); showControls();
  document.documentElement.dataset.said = now.id;
}
function showStatus() {
  const box = byId("status"), gap = now.gap_mm === null ? "" : `gap ${now.gap_mm.toFixed(1)} mm, `;
  box.className = now.status;
  const who = now.source === "recording" ? `${now.device}, ` : now.source === "page" || now.source === "python" ? "" : `${now.source}, `;
  const text = now.reason || `${who}${gap}${now.engine === "full" ? "full solve, " : ""}${now.engine_ms.toFixed(0)} ms`;
  box.replaceChildren();
  add(box, "b", WORDS[now.status] || now.status);
  add(box, "span", text);
}
const percent = (value, of) => (value === undefined || value === null || !of ? "" : `${(100 * value / of).toFixed(0)} %`);
function showMeasures() {
  const table = byId("measures"), plan = (target && target.plan) || {}, planned = Object.keys(plan).length, threshold = hello && hello.output.threshold;
  table.replaceChildren();
  if (!hello) return;
  const top = add(table, "tr", "");
  for (const words of ["", "", planned ? "of plan" : "", threshold ? "of threshold" : ""]) add(top, "th", words);
  const off = ["off_plan_mm", "off_plan_deg"].filter(name => name in now).map(name => [name, Math.round(10 * now[name]) / 10, name.endsWith("mm") ? "mm" : "deg", "the coil's distance and turn from the plan"]);
  const rows = Object.entries(hello.measures).map(([name, [unit, meaning]]) => [name, now.measures[name], unit, meaning]);
  [...rows, ...off].forEach(([name, value, unit, meaning], k) => {
    const row = add(table, "tr", "");
    if (now.alerts.some(rule => rule.split(/[<> ]/)[0] === name)) row.className = "alert";
    add(row, "td", name).title = meaning;
    add(row, "td", value === undefined || value === null ? "-" : `${Number(value.toPrecision(3))} ${unit}`);
    add(row, "td", unit === "V/m" ? percent(value, plan[name]) : "");
    add(row, "td", threshold && k === 0 ? percent(value, threshold) : "");
  });
  const said = now.alerts.map(rule => `ALERT ${rule}`), full = hello.output.full_didt;
  if (full && Math.abs(now.didt) > 1.0001 * full) said.push(`more than 100 % of the output (${(full / 1e6).toFixed(1)} A/us)`);
  byId("limits").textContent = said.join("; ");
}
const inputs = {};
function control(name, words, unit, low, high, step, wished) {
  const row = add(byId("controls"), "div", ""), label = add(row, "label", words), range = document.createElement("input"), number = document.createElement("input");
  row.className = "control";
  label.htmlFor = `${name}-number`;
  Object.assign(range, { type: "range", min: low, max: high, step });
  Object.assign(number, { type: "number", min: low, max: high, step, id: `${name}-number` });
  range.setAttribute("aria-label", words);
  row.append(range, number);
  const says = add(row, "span", unit);
  range.addEventListener("input", () => { number.value = range.value; wished(Number(range.value), true); });
  range.addEventListener("change", () => { wished(Number(range.value), false); range.blur(); });
  number.addEventListener("change", () => { if (number.value !== "" && Number.isFinite(Number(number.value))) wished(Number(number.value), false); });
  inputs[name] = {
    set(value) {
      if (document.activeElement !== range) range.value = value;
      if (document.activeElement !== number) number.value = Number(value.toFixed(2));
    }, says,
  };
}
function greet(event) {
  const first = hello === null;
  hello = event;
  notice("");
  byId("words").textContent = `${event.coil}; ${event.words}; |E| on the ${event.painted}`;
  if (!first) return;
  if (byId("main").clientWidth >= 640 && byId("main").clientHeight >= 560) showSlices(true);
  for (const [name, words, unit, step] of CONTROLS) {
    let [low, high] = event.ranges[name];
    if (name === "angle_deg") [low, high] = [-180, 180];
    if (name.endsWith("u_mm") || name.endsWith("v_mm")) [low, high] = [-60, 60];
    if (name === "distance_mm") [low, high] = [-5, 30];
    if (name.startsWith("tilt")) [low, high] = [-30, 30];
    control(name, words, unit, low, high, step, (value, moving) => hold({ [name]: value }, moving));
  }
  const full = event.output.full_didt, most = full ? full / 1e6 : 200;
  control("output", full ? "Output" : "dI/dt", full ? "%" : "A/us", full ? 0.5 : 0.1, full ? 100 : most, full ? 0.5 : 0.1, value => {
    fitNext = true;
    send({ do: "drive", didt: full ? full * value / 100 : 1e6 * value });
  });
  for (const name of ["", ...event.targets]) add(byId("names"), "option", name || "by name");
  byId("names").hidden = !event.targets.length;
  for (const [name, words] of Object.entries(event.formats)) add(byId("format"), "option", words).value = name;
  byId("format").value = "brainsight";
}
function showControls() {
  if (!hello) return;
  for (const [name] of CONTROLS) if (now.placement[name] !== undefined) inputs[name].set(now.placement[name]);
  const full = hello.output.full_didt, rate = Math.abs(now.didt);
  inputs.output.set(full ? 100 * rate / full : rate / 1e6);
  inputs.output.says.title = `${(rate / 1e6).toFixed(2)} A/us${hello.output.stimulator ? ` of ${hello.output.stimulator}` : ""}`;
}

function aimed(event) {
  target = event;
  cuts.about(event.center_mm);
  const [x, y, z] = event.mark_mm;
  scene.hold(mark, [1, 0, 0, x, 0, 1, 0, y, 0, 0, 1, z, 0, 0, 0, 1]);
  Object.assign(told.views.find(view => view.name === "target"), event.view);
  byId("title").textContent = told.title.replace(/ over .*/, ` over ${event.name}`);
}
function pickNext(on) {
  picking = on;
  byId("pick").setAttribute("aria-pressed", on);
  notice(on ? "Click the cortex where the target is to be (Esc: never mind)." : "");
}

// Recorded poses: this page keeps the time, the server has the poses.
function listed(event) {
  recorded = event;
  byId("recorded").hidden = !event.count;
  byId("list").replaceChildren();
  event.names.forEach((name, k) => { add(byId("list"), "option", name).value = k; });
  byId("scrub").max = Math.max(event.count - 1, 0);
  byId("count").textContent = `${event.count} poses`;
}
function choose(number) {
  if (!recorded.count) return;
  const k = Math.min(Math.max(number, 0), recorded.count - 1);
  byId("scrub").value = k; byId("list").value = k;
  send({ do: "recorded", number: k });
}
function stop() { playing = null; byId("play").textContent = "Play"; byId("play").setAttribute("aria-pressed", "false"); }
function play() {
  if (playing) { stop(); return; }
  if (!recorded.count) return;
  const times = recorded.times, from = Number(byId("scrub").value) >= recorded.count - 1 ? 0 : Number(byId("scrub").value);
  playing = { began: performance.now(), from: times[from], last: -1 };
  byId("play").textContent = "Pause"; byId("play").setAttribute("aria-pressed", "true");
  const mine = playing;
  const step = () => {
    if (playing !== mine) return;
    const at = mine.from + (performance.now() - mine.began) / 1000 * (Number(byId("speed").value) || 1);
    let k = mine.last < 0 ? from : mine.last;
    while (k + 1 < recorded.count && times[k + 1] <= at) k += 1;
    if (k !== mine.last) { mine.last = k; choose(k); }
    if (k === recorded.count - 1) stop(); else requestAnimationFrame(step);
  };
  step();
}
function followed(event) {
  follow = event;
  notice(`${event.source}: ${event.state}${event.reason ? `, ${event.reason}` : ""}`, event.state === "following" ? 4 : 0);
}
setInterval(() => {
  if (!follow || follow.state === "ended" || !now || now.source === "page" || now.source === "python" || now.source === "recording") return;
  const old = (performance.now() - arrived) / 1000;
  byId("stage").classList.toggle("old", old > 1);
  if (old > 1) notice(`The last pose of ${now.source} is ${old.toFixed(0)} s old.`); else if (byId("notice").textContent.startsWith("The last pose")) notice("");
}, 250);

// Hands: the coil is dragged over the scalp, its handle turns it.
function grab(x, y) {
  if (picking || !now || !now.pose) return null;
  const at = scene.inPicture(x, y), hit = scene.under(at, coil.filter(s => s.shown));
  if (!hit) return null;
  const behind = now.pose[2] * scene.axes()[2][0] + now.pose[6] * scene.axes()[2][1] + now.pose[10] * scene.axes()[2][2] > 0;
  return hit.shape.name === "handle" ? turning(at, behind) : sliding(at, behind);
}
function sliding(at, behind) {
  const foot = scene.toPicture(now.placement.foot_mm), offset = [at[0] - foot[0], at[1] - foot[1]];
  return {
    move(x, y) {
      const here = scene.inPicture(x, y), hit = scene.under([here[0] - offset[0], here[1] - offset[1]], [scalp], behind);
      if (hit) hold({ foot_mm: hit.place }, true);
    },
    end() { hold({}, false); },
  };
}
function turning(at, behind) {
  const center = scene.toPicture([now.pose[3], now.pose[7], now.pose[11]]), medial = now.placement.foot_mm[0] <= 0 ? 1 : -1;
  const bearing = p => Math.atan2(p[1] - center[1], p[0] - center[0]) * 180 / Math.PI;
  const start = bearing(at), angle = now.placement.angle_deg;
  const around = degrees => ((degrees + 540) % 360 + 360) % 360 - 180;
  return {
    move(x, y) { hold({ angle_deg: around(angle + (behind ? medial : -medial) * (bearing(scene.inPicture(x, y)) - start)) }, true); },
    end() { hold({}, false); },
  };
}
function clicked(x, y) {
  if (!picking) return;
  const hit = scene.under(scene.inPicture(x, y), [cortex]);
  if (!hit) return;
  pickNext(false);
  fitNext = true;
  send({ do: "aim", at_mm: hit.place.map(x => Math.round(10 * x) / 10) });
}
// Steps along the scalp as they are seen; the part of the screen's axis that lies along the coil's face.
function nudge(across, up, step) {
  const z = [now.pose[2], now.pose[6], now.pose[10]], [right, above] = scene.axes();
  const seen = right.map((x, k) => across * x + up * above[k]), along = seen.map((x, k) => x - dot(seen, z) * z[k]);
  if (Math.hypot(...along) < 1e-3) return;
  hold({ foot_mm: held("foot_mm").map((x, k) => x + step * unit(along)[k]) });
}
const change = (name, by) => hold({ [name]: held(name) + by });
const turned = by => hold({ angle_deg: ((held("angle_deg") + by + 540) % 360 + 360) % 360 - 180 });
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const TILTS = { i: ["tilt_x_deg", 1], k: ["tilt_x_deg", -1], j: ["tilt_y_deg", 1], l: ["tilt_y_deg", -1] };
function pressed(e) {
  if (e.target.matches("input, select, dialog *") || e.ctrlKey || e.metaKey || !now) return;
  const key = e.key.length === 1 ? e.key.toLowerCase() : e.key, some = { c: hideCoil, s: () => showSlices(byId("cuts").hidden), t: () => pickNext(!picking), f: () => { fitNext = true; send({ do: "hold", wish: {} }); },
    0: () => { stop(); send({ do: "home" }); }, " ": play, n: () => choose(Number(byId("scrub").value) + 1), b: () => choose(Number(byId("scrub").value) - 1),
    "?": () => byId("keys").showModal(), Escape: () => pickNext(false) }[key];
  if (e.target.matches("button") && (key === " " || key === "Enter")) return;
  if (MOVES[key] && e.altKey) scene.turn(...TURNS[key]);
  else if (some) some();
  else if (cameraKey(scene, told.views, key)) { /* the camera's */ }
  else if (!now.pose) return;
  else if (MOVES[key]) nudge(...MOVES[key], e.shiftKey ? 5 : 1);
  else if (key === "[" || key === "{" || key === "q") turned(e.shiftKey ? -1 : -5);
  else if (key === "]" || key === "}" || key === "e") turned(e.shiftKey ? 1 : 5);
  else if (TILTS[key]) change(...TILTS[key]);
  else if (key === "PageUp" || key === "PageDown") change("distance_mm", key === "PageUp" ? 0.5 : -0.5);
  else return;
  e.preventDefault();
}

// The boxes of the list of parts do it, so that they stay right.
function hideCoil() {
  const names = new Set(coil.map(s => s.name)), boxes = [...byId("parts").querySelectorAll("label")].filter(l => names.has(l.textContent.trim()));
  const show = boxes.every(l => !l.firstChild.checked);
  for (const label of boxes) if (label.firstChild.checked !== show) label.firstChild.click();
}

byId("home").addEventListener("click", () => { stop(); send({ do: "home" }); });
byId("fit").addEventListener("click", () => { fitNext = true; send({ do: "hold", wish: {} }); });
byId("pick").addEventListener("click", () => pickNext(!picking));
byId("names").addEventListener("change", e => { if (e.target.selectedIndex) { fitNext = true; send({ do: "aim", name: e.target.value }); } e.target.selectedIndex = 0; });
byId("bars").addEventListener("input", cuts.draw);
byId("slices").addEventListener("click", () => showSlices(byId("cuts").hidden));
byId("play").addEventListener("click", play);
byId("scrub").addEventListener("input", e => { stop(); choose(Number(e.target.value)); });
byId("list").addEventListener("change", e => { stop(); choose(Number(e.target.value)); });
byId("help").addEventListener("click", () => byId("keys").showModal());
byId("save").addEventListener("click", async () => {
  const answer = await fetch(`pose?format=${encodeURIComponent(byId("format").value)}`);
  if (!answer.ok) { notice(await answer.text(), 6); return; }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))[1];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  notice(`Saved ${link.download}`, 3);
});
byId("file").addEventListener("change", async e => {
  const file = e.target.files[0];
  if (!file) return;
  const answer = await fetch(`poses?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
  notice(answer.ok ? `${(await answer.json()).poses} poses of ${file.name}` : await answer.text(), answer.ok ? 3 : 8);
  e.target.value = "";
});
let dark = matchMedia("(prefers-color-scheme: dark)").matches;
const dressed = () => {
  scene.dress(told.themes[dark ? "dark" : "light"]);
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  cuts.draw();
};
byId("theme").addEventListener("click", () => { dark = !dark; dressed(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", e => { dark = e.matches; dressed(); });
document.addEventListener("keydown", pressed);
for (const [keys, words] of KEYS) { const row = add(byId("keys-table"), "tr", ""); add(add(row, "td", ""), "kbd", keys); add(row, "td", words); }

scene.drawn = () => { drawCompass(scene); drawRuler(scene); };
followPointer(scene, grab, clicked);
viewButtons(scene, told.views);
partBoxes(scene);
colorBars(scene);
dressed();
scene.look(told.views[0]);
if (matchMedia("(max-width: 760px)").matches) byId("views-box").open = false;
connect();
document.documentElement.dataset.ready = "yes";
})();
