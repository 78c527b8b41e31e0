// Layers: what rests in a picture is drawn once, colors and depths, and what moves is drawn between. For browsers without
// a graphics card, where every triangle costs; they have no smooth edges, without which pictures can be copied as they are.

const WHOLE = `#version 300 es
  out vec2 at;
  void main() { at = vec2(gl_VertexID % 2, gl_VertexID / 2) * 2.0; gl_Position = vec4(2.0 * at - 1.0, 0.0, 1.0); }`;
const OVER = `#version 300 es
  precision highp float;
  in vec2 at; uniform sampler2D colors, depths; out vec4 pixel;
  void main() { pixel = texture(colors, at); gl_FragDepth = texture(depths, at).r; }`;

function openLayers(gl, linked) {
  const over = linked(WHOLE, OVER), nothing = gl.createVertexArray();
  const layer = () => ({ frame: gl.createFramebuffer(), colors: gl.createTexture(), depths: gl.createTexture() });
  const below = layer(), glass = layer(), work = layer();
  let size = "", kept = "";
  function fit(w, h) {
    if (size === `${w} ${h}`) return;
    size = `${w} ${h}`; kept = "";
    for (const one of [below, glass, work]) {
      gl.bindFramebuffer(gl.FRAMEBUFFER, one.frame);
      for (const [texture, inside, format, type, place] of [[one.colors, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, gl.COLOR_ATTACHMENT0],
        [one.depths, gl.DEPTH_COMPONENT24, gl.DEPTH_COMPONENT, gl.UNSIGNED_INT, gl.DEPTH_ATTACHMENT]]) {
        gl.bindTexture(gl.TEXTURE_2D, texture);
        gl.texImage2D(gl.TEXTURE_2D, 0, inside, w, h, 0, format, type, null);
        for (const key of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, key, gl.NEAREST);
        gl.framebufferTexture2D(gl.FRAMEBUFFER, place, gl.TEXTURE_2D, texture, 0);
      }
    }
  }
  function copied(from, to, w, h, what) {
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, from);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, to);
    gl.blitFramebuffer(0, 0, w, h, 0, 0, w, h, what, gl.NEAREST);
  }
  // `rests` says what the resting part depends on; the others draw: resting solids and glass, moving solids and glass.
  function draw(w, h, rests, clear, solids, glassware, movingSolids, movingGlass) {
    fit(w, h);
    if (kept !== rests) {
      kept = rests;
      gl.bindFramebuffer(gl.FRAMEBUFFER, below.frame);
      clear(1); solids();
      gl.bindFramebuffer(gl.FRAMEBUFFER, glass.frame);
      clear(0); glassware();
    }
    copied(below.frame, work.frame, w, h, gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.bindFramebuffer(gl.FRAMEBUFFER, work.frame);
    movingSolids();
    gl.useProgram(over);
    gl.bindVertexArray(nothing);
    gl.enable(gl.BLEND); gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.disable(gl.CULL_FACE); gl.depthMask(false); gl.depthRange(0, 1);
    [glass.colors, glass.depths].forEach((texture, k) => { gl.activeTexture(gl.TEXTURE0 + k); gl.bindTexture(gl.TEXTURE_2D, texture); });
    gl.activeTexture(gl.TEXTURE0);
    gl.uniform1i(gl.getUniformLocation(over, "colors"), 0); gl.uniform1i(gl.getUniformLocation(over, "depths"), 1);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    movingGlass();
    copied(work.frame, null, w, h, gl.COLOR_BUFFER_BIT);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }
  return { draw };
}
