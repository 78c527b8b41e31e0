// A head as voxels, which is cut here: planes through any place for `openCuts`, without a server.

// `told` is what `Voxels` says; the scale is that of its field.
function cutVoxels(told, bytes, scale, say) {
  const many = told.shape.reduce((a, b) => a * b), strides = [1, told.shape[0], told.shape[0] * told.shape[1]];
  const anatomy = summed(new Uint8Array(bytes, told.anatomy, many)), steps = summed(new Int16Array(bytes, told.steps, many));
  let number = 0;
  function plane(axis, layer, values) {
    const [across, up] = [0, 1, 2].filter(k => k !== axis), columns = told.shape[across], rows = told.shape[up];
    const own = new Uint8Array(rows * columns), pixels = [];
    for (let k = 0; k < own.length; k++) {
      const i = layer * strides[axis] + Math.floor(k / columns) * strides[up] + k % columns * strides[across];
      own[k] = anatomy[i];
      if (steps[i] >= 0) { pixels.push(k); values.push(steps[i]); }
    }
    return { axis, low: [told.low[across], told.low[up]], rows, columns, colors: told.colors, anatomy: own, pixels };
  }
  function move(at) {
    const values = [], layer = axis => Math.round((at[axis] - told.low[axis]) / told.spacing);
    const planes = [0, 1, 2].map(axis => plane(axis, Math.min(Math.max(layer(axis), 0), told.shape[axis] - 1), values));
    cuts.lay({ number: number += 1, at_mm: at, spacing: told.spacing, covers_from: told.covers_from, planes });
    cuts.framed({ cuts: number, high: told.step * (UNKNOWN - 1) }, values);
  }
  const cuts = openCuts(scale, move, say);
  move(told.at_mm);
  return cuts;
}
