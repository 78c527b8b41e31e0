"use strict";
// A scene on a canvas: triangles with a look, a camera, and what lies under a pixel. Used by every page of ours.

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = a => a.map(x => x / Math.hypot(...a));
const rgb = hex => [1, 3, 5].map(k => parseInt(hex.slice(k, k + 2), 16) / 255);
const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
const UNKNOWN = 65535;
// Surfaces of more triangles are drawn with fewer where a picture takes too long: one vertex in each cube of this size.
const MANY_FACES = 20000, CUBE_MM = 4;

async function unpacked(base64) {
  const packed = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

const VERTEX = `#version 300 es
  in vec3 place; in vec3 normal; in float value; in vec3 painted;
  uniform mat4 held; uniform mat3 axes; uniform vec3 low, span, focus; uniform vec2 half_;
  out vec3 seen, turned, paint; out float shown, known;
  void main() {
    seen = ((held * vec4(low + place * span, 1.0)).xyz - focus) * axes;
    turned = (mat3(held) * normal) * axes;
    shown = value; paint = painted;
    known = value < 0.99999 ? 1.0 : 0.0;
    gl_Position = vec4(seen.xy / half_, -seen.z / 1000.0, 1.0);
  }`;
const FRAGMENT = `#version 300 es
  precision highp float;
  in vec3 seen, turned, paint; in float shown, known;
  uniform vec4 color; uniform vec2 values, ends, glass; uniform bool flat_, lit, colored, own_; uniform sampler2D ramp;
  out vec4 pixel;
  void main() {
    vec3 n = normalize(flat_ ? cross(dFdx(seen), dFdy(seen)) : turned);
    if (n.z < 0.0) n = -n;
    vec3 own = own_ ? paint : color.rgb;
    if (!own_ && colored && known > 0.999) { // at all corners of the triangle
      float v = mix(values.x, values.y, shown * 65535.0 / 65534.0);
      own = texture(ramp, vec2(clamp((v - ends.x) / (ends.y - ends.x), 0.002, 0.998), 0.5)).rgb;
    }
    float light = 0.85 * max(dot(n, normalize(vec3(-0.5, 0.6, 1.0))), 0.0) + 0.35 * max(dot(n, normalize(vec3(0.7, -0.2, 1.0))), 0.0);
    float away = 1.0 - n.z;
    pixel = vec4(lit ? own * (0.3 + 0.75 * light) : own, mix(glass.x, glass.y, away * away * away));
  }`;

function linkedProgram(gl, vertex, fragment) {
  const compile = (kind, text) => {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text); gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    return shader;
  };
  const linked = gl.createProgram();
  gl.attachShader(linked, compile(gl.VERTEX_SHADER, vertex));
  gl.attachShader(linked, compile(gl.FRAGMENT_SHADER, fragment));
  gl.linkProgram(linked);
  if (!gl.getProgramParameter(linked, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(linked));
  return linked;
}

// Whether a graphics card draws. A browser may say yes and draw by the processor all the same: its name tells.
function hasCard() {
  const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  const more = gl && gl.getExtension("WEBGL_debug_renderer_info"), name = gl && gl.getParameter(more ? more.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  return !!gl && !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

// Shapes and scales are those of `told`; null where the browser has no WebGL 2.
function openScene(canvas, told, bytes) {
  // Without a graphics card edges are left as they are: smooth ones would take four times as long.
  const card = hasCard();
  const gl = canvas.getContext("webgl2", { antialias: card, alpha: false });
  if (!gl) return null;
  const linked = (vertex, fragment) => linkedProgram(gl, vertex, fragment), program = linked(VERTEX, FRAGMENT);
  const layers = card ? null : openLayers(gl, linked);
  gl.useProgram(program);
  const at = new Proxy({}, { get: (known, name) => known[name] ??= gl.getUniformLocation(program, name) });

  // Numbers are stored column by column as differences, which packs well; here they are summed up again.
  function columns(part, Type, count, width, out) {
    const read = new Type(bytes, part, count * width);
    for (let c = 0; c < width; c++) for (let i = 0, sum = 0; i < count; i++) out[i * width + c] = sum = (sum + read[c * count + i]) | 0;
    return out;
  }
  function attribute(name, array, width, type) {
    const place = gl.getAttribLocation(program, name), buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, array, name === "value" ? gl.DYNAMIC_DRAW : gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, width, type, true, 0, 0);
    return buffer;
  }
  function indices(corners) {
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, corners, gl.STATIC_DRAW);
    return { buffer, count: corners.length };
  }
  // The triangles of a surface whose vertices are one in each cube of some millimeters: the same vertices, far fewer triangles.
  function merged(shape, mm, faces) {
    const cubes = new Map(), stands = new Uint32Array(shape.count), size = shape.span.map(span => 65535 * mm / span), kept = [];
    for (let i = 0; i < shape.count; i++) {
      const [x, y, z] = [0, 1, 2].map(k => Math.floor(shape.place[3 * i + k] / size[k])), key = (1024 * x + y) * 1024 + z;
      if (!cubes.has(key)) cubes.set(key, i);
      stands[i] = cubes.get(key);
    }
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [stands[faces[f]], stands[faces[f + 1]], stands[faces[f + 2]]];
      if (a !== b && b !== c && c !== a) kept.push(a, b, c);
    }
    return kept;
  }
  const fewer = (shape, mm, faces = shape.corners) => indices(Uint32Array.from(merged(shape, mm, faces)));
  // The same with vertices of their own, so that what changes is little.
  function apart(shape, mm, faces) {
    const corners = merged(shape, mm, faces), vertices = [...new Set(corners)].sort((a, b) => a - b), at = new Map(vertices.map((v, k) => [v, k]));
    const own = array => array.constructor.from(vertices.flatMap(v => [...array.subarray(3 * v, 3 * v + 3)])), vao = gl.createVertexArray();
    gl.bindVertexArray(vao);
    attribute("place", own(shape.place), 3, gl.UNSIGNED_SHORT);
    attribute("normal", own(shape.normal), 3, gl.BYTE);
    const changing = attribute("value", new Uint16Array(vertices.length), 1, gl.UNSIGNED_SHORT);
    return { vao, vertices, changing, sent: -1, ...indices(Uint32Array.from(corners, v => at.get(v))) };
  }
  const shapes = told.shapes.map(shape => {
    const vao = gl.createVertexArray();
    gl.bindVertexArray(vao);
    const place = columns(shape.places, Int32Array, shape.count, 3, new Uint16Array(3 * shape.count));
    attribute("place", place, 3, gl.UNSIGNED_SHORT);
    const normal = columns(shape.normals, Int8Array, shape.count, 3, new Int8Array(3 * shape.count));
    attribute("normal", normal, 3, gl.BYTE);
    let value = null, changing = null;
    if (shape.scale !== null) {
      value = columns(shape.values, Int32Array, shape.count, 1, new Uint16Array(shape.count));
      changing = attribute("value", value, 1, gl.UNSIGNED_SHORT);
    }
    if (shape.painted !== null) attribute("painted", columns(shape.painted, Int16Array, shape.count, 3, new Uint8Array(3 * shape.count)), 3, gl.UNSIGNED_BYTE);
    const corners = columns(shape.triangles, Int32Array, shape.faces, 3, new Uint32Array(3 * shape.faces));
    return { ...shape, vao, place, normal, value, changing, changes: 0, sent: 0, corners, all: indices(corners), few: null, parts: null, rgb: rgb(shape.color), shown: true, tint: null, held: IDENTITY, seen: null };
  });
  gl.bindVertexArray(null);
  const scales = told.scales.map(scale => {
    const texture = gl.createTexture();
    const colors = new Uint8Array(scale.colors.flatMap(c => rgb(c).map(x => Math.round(255 * x))));
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, scale.colors.length, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, colors);
    for (const key of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, key, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    return { ...scale, texture, ends: [scale.low, scale.high] };
  });
  let paper = rgb(told.theme.paper);

  // The camera: a parallel projection, so that the ruler holds everywhere.
  let eye, seenFrom = 0, standing = -1, waiting = false;
  const right = () => cross(eye.up, eye.toward);
  const axes = () => [right(), eye.up, eye.toward];
  const aspect = () => canvas.width / canvas.height;
  const tall = () => eye.half * Math.max(1, 1 / aspect());
  const moved = () => { seenFrom += 1; draw(); };
  function look(view) {
    eye = { focus: [...view.focus], toward: [...view.toward], up: [...view.up], half: view.half_height };
    moved();
  }
  function turn(across, up) {
    const mixed = (a, ca, b, cb) => a.map((x, k) => ca * x + cb * b[k]);
    let r = right();
    eye.toward = unit(mixed(eye.toward, Math.cos(across), r, -Math.sin(across)));
    r = unit(cross(eye.up, eye.toward));
    const toward = unit(mixed(eye.toward, Math.cos(up), eye.up, Math.sin(up)));
    eye.up = unit(cross(toward, r));
    eye.toward = toward;
    moved();
  }
  function move(dx, dy) {
    const r = right(), mm = 2 * tall() / canvas.clientHeight;
    eye.focus = eye.focus.map((x, k) => x - dx * mm * r[k] + dy * mm * eye.up[k]);
    moved();
  }
  function zoom(factor) { eye.half = Math.min(400, Math.max(4, eye.half * factor)); moved(); }

  function draw() { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; keepPace(); render(share); }); } }
  // Where pictures follow each other too slowly they are drawn with fewer pixels and triangles, and sharp again when all rests.
  // `whole` is how long a sharp picture took (ms) without a graphics card: where that is long it is not tried in motion.
  let share = 1, before = 0, pace = 0, resting = 0, whole = 0;
  function keepPace() {
    const now = performance.now(), gap = now - before;
    before = now;
    if (gap < 1000) {
      pace = pace ? 0.6 * pace + 0.4 * gap : gap;
      if (pace > 45) share = Math.max(0.4, 0.8 * share);
      else if (pace < 25) share = Math.min(1, 1.1 * share);
    } else pace = 0;
    if (whole > 40) share = Math.min(share, 0.7);
    clearTimeout(resting);
    if (share < 1) resting = setTimeout(() => { before = 0; render(1); }, 300 + 2 * (gap < 2000 ? gap : 150)); // slow pictures, longer
  }
  function render(part) {
    const sharp = part * Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(canvas.clientWidth * sharp), Math.round(canvas.clientHeight * sharp)];
    if (!w || !h) return;
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; seenFrom += 1; }
    gl.viewport(0, 0, w, h);
    const clear = opaque => {
      gl.clearColor(...paper.map(x => x * opaque), opaque);
      gl.depthMask(true);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    };
    const quick = part < 1, held = shape => shape.held !== IDENTITY, moves = shape => held(shape) || shape.on_top;
    const kept = layers && quick && shapes.some(held); // while the view is turned nothing rests
    const some = (glass, wanted, which = () => "all") => {
      prepare();
      for (const shape of shapes) if (shape.shown && !!shape.glass === glass && wanted(shape)) drawShape(shape, glass, quick, which(shape), kept && !moves(shape));
    };
    gl.enable(gl.DEPTH_TEST);
    if (kept) {
      const rests = JSON.stringify([seenFrom, paper, shapes.map(shape => !moves(shape) && shape.shown && [shape.rgb, !!shape.parts])]);
      const still = shape => !moves(shape), lively = shape => shape.parts;
      layers.draw(w, h, rests, clear, () => some(false, s => still(s) && (s.parts || s.scale === null), s => (s.parts ? "rest" : "all")), () => some(true, still),
        () => some(false, s => moves(s) || lively(s) || s.scale !== null, s => (s.parts ? "lively" : "all")), () => some(true, moves));
    } else {
      const began = performance.now();
      clear(1);
      for (const glass of [false, true]) some(glass, () => true);
      if (layers) { gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); whole = performance.now() - began; }
    }
    gl.bindVertexArray(null);
    gl.depthMask(true);
    if (standing !== seenFrom) { standing = seenFrom; scene.drawn(); }
  }
  function prepare() {
    gl.useProgram(program);
    gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.uniformMatrix3fv(at.axes, false, new Float32Array(axes().flat()));
    gl.uniform3fv(at.focus, eye.focus);
    gl.uniform2f(at.half_, tall() * aspect(), tall());
  }
  // Glass hides nothing, but where it is kept its depth says what is before it.
  function drawShape(shape, glass, quick, which, kept) {
    (glass ? gl.enable : gl.disable).call(gl, gl.BLEND);
    gl.depthMask(!glass || kept);
    (shape.closed ? gl.enable : gl.disable).call(gl, gl.CULL_FACE);
    gl.depthRange(shape.on_top ? 0 : 0.05, shape.on_top ? 0.05 : 1);
    gl.uniformMatrix4fv(at.held, true, shape.held);
    gl.uniform3fv(at.low, shape.low);
    gl.uniform3fv(at.span, shape.span);
    gl.uniform4f(at.color, ...(shape.tint || shape.rgb), 1);
    gl.uniform2f(at.glass, ...(shape.glass || [1, 1]));
    gl.uniform1i(at.flat_, shape.flat); gl.uniform1i(at.lit, shape.lit); gl.uniform1i(at.colored, shape.scale !== null); gl.uniform1i(at.own_, shape.painted !== null);
    if (shape.scale !== null) {
      gl.bindTexture(gl.TEXTURE_2D, scales[shape.scale].texture);
      gl.uniform2fv(at.values, shape.range);
      gl.uniform2fv(at.ends, scales[shape.scale].ends);
    }
    gl.bindVertexArray(shape.vao);
    const triangles = which !== "all" ? shape.parts[which] : quick && shape.closed && shape.faces > MANY_FACES ? (shape.few ??= fewer(shape, CUBE_MM)) : shape.all;
    if (shape.value) sendValues(shape, triangles.vao ? triangles : shape);
    if (triangles.vao) gl.bindVertexArray(triangles.vao);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, triangles.buffer);
    gl.drawElements(gl.TRIANGLES, triangles.count, gl.UNSIGNED_INT, 0);
  }

  // The values of all vertices, or of those of a part, if they have changed since.
  function sendValues(shape, to) {
    if (to.sent === shape.changes) return;
    to.sent = shape.changes;
    gl.bindBuffer(gl.ARRAY_BUFFER, to.changing);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, to.vertices ? Uint16Array.from(to.vertices, v => shape.value[v]) : shape.value);
  }

  // What is under a pixel: the foremost triangle of some shapes, found by their projection.
  function project(shape) {
    if (shape.seen && shape.seen.from === seenFrom) return shape.seen.places;
    const out = new Float32Array(3 * shape.count), p = shape.place, h = shape.held;
    const rows = axes().map(row => [0, 1, 2].map(k => row[0] * h[k] + row[1] * h[4 + k] + row[2] * h[8 + k]));
    const scaled = rows.map(row => row.map((x, k) => x * shape.span[k] / 65535));
    const offset = [h[3], h[7], h[11]].map((x, k) => x - eye.focus[k]);
    const start = rows.map((row, k) => dot(row, shape.low) + dot(axes()[k], offset));
    for (let i = 0; i < shape.count; i++) for (let k = 0; k < 3; k++) {
      out[3 * i + k] = start[k] + p[3 * i] * scaled[k][0] + p[3 * i + 1] * scaled[k][1] + p[3 * i + 2] * scaled[k][2];
    }
    shape.seen = { from: seenFrom, places: out };
    return out;
  }
  // x and y in mm from the middle of the picture; the hit has the place in the head, and the triangle with weights.
  function under([x, y], chosen, rearmost = false) {
    let best = null;
    for (const shape of chosen) {
      const q = project(shape);
      for (let f = 0; f < shape.corners.length; f += 3) {
        const [a, b, c] = [3 * shape.corners[f], 3 * shape.corners[f + 1], 3 * shape.corners[f + 2]];
        const ax = q[a] - x, ay = q[a + 1] - y, bx = q[b] - x, by = q[b + 1] - y, cx = q[c] - x, cy = q[c + 1] - y;
        const u = bx * cy - by * cx, v = cx * ay - cy * ax, w = ax * by - ay * bx;
        if ((u < 0 || v < 0 || w < 0) && (u > 0 || v > 0 || w > 0)) continue;
        const sum = u + v + w;
        if (!sum) continue;
        const depth = (u * q[a + 2] + v * q[b + 2] + w * q[c + 2]) / sum;
        if (!best || (rearmost ? depth < best.depth : depth > best.depth)) best = { shape, depth, corners: [a / 3, b / 3, c / 3], weights: [u / sum, v / sum, w / sum] };
      }
    }
    if (best) best.place = eye.focus.map((f, k) => f + x * right()[k] + y * eye.up[k] + best.depth * eye.toward[k]);
    return best;
  }
  function inPicture(clientX, clientY) {
    const box = canvas.getBoundingClientRect(), mm = 2 * tall() / box.height;
    return [(clientX - box.left - box.width / 2) * mm, -(clientY - box.top - box.height / 2) * mm];
  }
  function toPicture(place) { const away = place.map((x, k) => x - eye.focus[k]); return [dot(right(), away), dot(eye.up, away)]; }
  // The value that a hit shows; nan where none is known.
  function valueAt(hit) {
    const [low, high] = hit.shape.range, raw = hit.corners.map(i => hit.shape.value[i]);
    if (raw.some(v => v === UNKNOWN)) return NaN;
    return hit.weights.reduce((sum, w, k) => sum + w * (low + (high - low) * raw[k] / (UNKNOWN - 1)), 0);
  }
  function setValues(shape, range) {
    shape.range = range;
    shape.changes += 1;
    draw();
  }
  // The values of these vertices change again and again: their triangles are drawn apart where every triangle costs.
  function enliven(shape, vertices) {
    const marked = new Uint8Array(shape.count), rest = [], lively = [];
    for (const k of vertices) marked[k] = 1;
    const c = shape.corners;
    for (let f = 0; f < c.length; f += 3) (marked[c[f]] && marked[c[f + 1]] && marked[c[f + 2]] ? lively : rest).push(c[f], c[f + 1], c[f + 2]);
    gl.bindVertexArray(shape.vao);
    shape.parts = { rest: fewer(shape, CUBE_MM, rest), lively: apart(shape, CUBE_MM / 2, lively) };
    gl.bindVertexArray(null);
  }
  function hold(shape, matrix) { shape.held = matrix; shape.seen = null; draw(); }
  function dress(theme) {
    paper = rgb(theme.paper);
    for (const name of ["paper", "ink"]) document.documentElement.style.setProperty(`--${name}`, theme[name]);
    if (theme.colors) shapes.forEach((shape, k) => { shape.rgb = rgb(theme.colors[k]); });
    if (eye) draw();
  }

  dress(told.theme);
  new ResizeObserver(() => eye && draw()).observe(canvas);
  const camera = { look, turn, move, zoom, axes, mmPerPixel: () => 2 * tall() / canvas.clientHeight };
  const scene = { canvas, shapes, scales, ...camera, draw, enliven, under, inPicture, toPicture, valueAt, setValues, hold, dress, drawn: () => {} };
  return scene;
}
