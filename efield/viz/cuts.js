// Three planes through a place: the anatomy, and the field over it. A click, a drag or a slider moves the place, the wheel zooms.

const PLANES = [["sagittal", "P", "A"], ["coronal", "L", "R"], ["axial", "L", "R"]];

const summed = read => { let sum = 0; return read.map(step => (sum += step)); };
const bytesOf = color => rgb(color).map(x => Math.round(255 * x));

// `move` is told where the planes are to be, in mm, one wish at a time, and answers by `lay`; `say` is told words about what lies under
// the pointer.
function openCuts(scale, move, say) {
  const ramp = Uint8Array.from(scale.colors.flatMap(bytesOf));
  const box = byId("cuts"), panels = PLANES.map(panel);
  let number = -1, at = null, coversFrom = 0.4, center = null, half = 60, values = null, now = null, busy = false, wanted = null;

  function panel([name, ...letters], axis) {
    const frame = add(box, "div", ""), canvas = add(frame, "canvas", ""), slider = document.createElement("input"), own = document.createElement("canvas"), [across, up] = [0, 1, 2].filter(k => k !== axis);
    frame.className = "cut";
    frame.append(slider);
    canvas.setAttribute("aria-label", `${name} slice: click where the slices are to meet`);
    slider.type = "range";
    slider.setAttribute("aria-label", `${name} slice, ${"xyz"[axis]} in mm`);
    slider.addEventListener("input", () => { if (at) wish(at.map((x, k) => (k === axis ? Number(slider.value) : x))); });
    const one = { name, letters: [...letters, axis === 2 ? "P" : "I", axis === 2 ? "A" : "S"], canvas, slider, own, axis, across, up, below: null, known: null, of: null };
    const place = e => {
      const frame = canvas.getBoundingClientRect(), mm = 2 * half / Math.min(frame.width, frame.height), found = [...at];
      found[across] = center[across] + (e.clientX - frame.left - frame.width / 2) * mm;
      found[up] = center[up] - (e.clientY - frame.top - frame.height / 2) * mm;
      return found;
    };
    canvas.addEventListener("pointerdown", e => { if (at) { canvas.setPointerCapture(e.pointerId); wish(place(e)); } });
    canvas.addEventListener("pointermove", e => { if (!at) return; if (e.buttons === 1) wish(place(e)); else tell(one, place(e)); });
    canvas.addEventListener("pointerleave", () => say(""));
    canvas.addEventListener("wheel", e => { e.preventDefault(); half = Math.min(140, Math.max(15, half * Math.exp(0.001 * e.deltaY))); draw(); }, { passive: false });
    return one;
  }
  // The planes follow a finger as fast as the server makes them: of places that wait the latest counts.
  function wish(place) {
    if (busy) { wanted = place; return; }
    busy = true;
    move(place);
  }
  function tell(one, place) {
    const column = Math.round((place[one.across] - one.low[0]) / one.spacing), row = Math.round((place[one.up] - one.low[1]) / one.spacing);
    const inside = column >= 0 && row >= 0 && column < one.columns && row < one.rows, k = inside ? one.of[row * one.columns + column] : -1;
    const where = `x ${place[0].toFixed(0)}, y ${place[1].toFixed(0)}, z ${place[2].toFixed(0)} mm`, v = k < 0 || !values ? UNKNOWN : values[one.first + k];
    say(v === UNKNOWN ? where : `${scale.label} ${(v / (UNKNOWN - 1) * now.high).toPrecision(3)} ${scale.unit} at ${where}`);
  }
  // The planes, with arrays for their anatomy and pixels: numbers of pixels are of their rows from below, pictures have theirs from above.
  function lay(told) {
    let first = 0;
    told.planes.forEach((plane, k) => {
      const one = Object.assign(panels[k], plane, { spacing: told.spacing, first, count: plane.pixels.length }), fills = plane.colors.map(bytesOf);
      one.below = new ImageData(plane.columns, plane.rows);
      const inPicture = i => (plane.rows - 1 - Math.floor(i / plane.columns)) * plane.columns + i % plane.columns;
      plane.anatomy.forEach((color, i) => { if (color) one.below.data.set([...fills[color], 255], 4 * inPicture(i)); });
      one.known = plane.pixels.map(inPicture);
      one.of = new Int32Array(plane.rows * plane.columns).fill(-1);
      plane.pixels.forEach((i, n) => { one.of[i] = n; });
      Object.assign(one.own, { width: plane.columns, height: plane.rows });
      first += one.count;
      const ends = [[one.across, plane.columns], [one.up, plane.rows]];
      ends.forEach(([axis, many], j) => Object.assign(panels[axis].slider, { min: plane.low[j], max: plane.low[j] + (many - 1) * told.spacing }));
    });
    [number, at, coversFrom] = [told.number, told.at_mm, told.covers_from];
    for (const one of panels) if (document.activeElement !== one.slider) one.slider.value = at[one.axis];
    busy = false;
    if (wanted) { const place = wanted; wanted = null; wish(place); }
    center ??= [...at];
    draw();
  }
  function framed(frame, found) { [now, values] = [frame, found]; draw(); }

  let waiting = false;
  function draw() { if (!waiting && !box.hidden) { waiting = true; requestAnimationFrame(() => { waiting = false; if (at) panels.forEach(paint); }); } }
  function painted(one) {
    const picture = new ImageData(new Uint8ClampedArray(one.below.data), one.columns, one.rows), data = picture.data;
    if (values && now.cuts === number) {
      const unit = now.high / (UNKNOWN - 1) / scale.ends[1];
      for (let n = 0; n < one.count; n++) {
        const v = values[one.first + n];
        if (v === UNKNOWN) continue;
        const share = v * unit, over = Math.min(1, share / coversFrom), color = 3 * Math.min(255, Math.floor(256 * share)), i = 4 * one.known[n];
        for (let c = 0; c < 3; c++) data[i + c] += over * (ramp[color + c] - data[i + c]);
      }
    }
    return picture;
  }
  function paint(one) {
    const { canvas, own, across, up } = one, sharp = Math.min(window.devicePixelRatio || 1, 2), [w, h] = [canvas.clientWidth, canvas.clientHeight];
    if (!w || !h) return;
    Object.assign(canvas, { width: Math.round(w * sharp), height: Math.round(h * sharp) });
    own.getContext("2d").putImageData(painted(one), 0, 0);
    const pen = canvas.getContext("2d"), pixels = Math.min(w, h) / (2 * half);
    const x = mm => w / 2 + (mm - center[across]) * pixels, y = mm => h / 2 - (mm - center[up]) * pixels, side = one.spacing * pixels;
    const line = (color, ...ends) => { pen.strokeStyle = color; pen.beginPath(); ends.forEach(([a, b], k) => (k ? pen.lineTo(a, b) : pen.moveTo(a, b))); pen.stroke(); };
    pen.scale(sharp, sharp);
    pen.drawImage(own, x(one.low[0]) - side / 2, y(one.low[1] + (one.rows - 1) * one.spacing) - side / 2, one.columns * side, one.rows * side);
    line("#d81b60", [x(at[across]), 0], [x(at[across]), h]);
    line("#d81b60", [0, y(at[up])], [w, y(at[up])]);
    if (now && now.pose) { // the coil's axis as it is seen here, to 40 mm below its casing
      const from = [now.pose[3], now.pose[7], now.pose[11]], to = [2, 6, 10].map((k, i) => from[i] + 40 * now.pose[k]);
      pen.lineWidth = 2; pen.setLineDash([5, 3]);
      line("#b8652a", [x(from[across]), y(from[up])], [x(to[across]), y(to[up])]);
      pen.lineWidth = 1; pen.setLineDash([]);
    }
    const ink = getComputedStyle(document.documentElement);
    Object.assign(pen, { fillStyle: ink.getPropertyValue("--ink"), strokeStyle: ink.getPropertyValue("--paper"), font: "12px system-ui, sans-serif", textBaseline: "middle", lineWidth: 3 });
    const word = (text, a, b, align) => { pen.textAlign = align; pen.strokeText(text, a, b); pen.fillText(text, a, b); };
    word(`${one.name}, ${"xyz"[one.axis]} = ${at[one.axis].toFixed(0)} mm`, 5, 10, "left");
    [[5, h / 2, "left"], [w - 5, h / 2, "right"], [w / 2, h - 9, "center"], [w / 2, 24, "center"]].forEach((spot, k) => word(one.letters[k], ...spot));
  }
  new ResizeObserver(draw).observe(box);
  return { lay, wish, framed, draw, any: () => at !== null || busy, refused() { busy = false; wanted = null; }, about(place) { center = [...place]; draw(); } };
}
