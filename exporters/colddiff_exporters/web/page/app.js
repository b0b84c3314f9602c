// Restore a picture with model.onnx, and look at every step of it.

const element = (id) => document.getElementById(id);
const say = (text, state) => {
  element("status").textContent = text;
  document.body.dataset.state = state;
};

// Even steps from T to 0, as `--steps` of the command line takes them
export const evenly = (T, steps) =>
  Array.from({ length: steps + 1 }, (_, k) => Math.floor((T * (steps - k) + (steps >> 1)) / steps));

// RGBA bytes to (1, C, H, W) in [-1, 1]; grey is the luma that Pillow computes
export const toTensor = (rgba, [channels, height, width]) => {
  const plane = height * width;
  const x = new Float32Array(channels * plane);
  for (let p = 0; p < plane; p++) {
    const [r, g, b] = [rgba[4 * p], rgba[4 * p + 1], rgba[4 * p + 2]];
    const grey = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    const values = channels === 1 ? [grey] : [r, g, b];
    values.forEach((value, c) => (x[c * plane + p] = (value / 255) * 2 - 1));
  }
  return x;
};

// (C, H, W) in [-1, 1] to RGBA bytes
export const toPixels = (x, [channels, height, width]) => {
  const plane = height * width;
  const rgba = new Uint8ClampedArray(4 * plane).fill(255);
  for (let p = 0; p < plane; p++)
    for (let c = 0; c < 3; c++)
      rgba[4 * p + c] = Math.round(((x[(channels === 1 ? 0 : c) * plane + p] + 1) / 2) * 255);
  return rgba;
};

const show = (id, x, shape) => {
  const canvas = element(id);
  [canvas.height, canvas.width] = shape.slice(1);
  canvas.getContext("2d").putImageData(new ImageData(toPixels(x, shape), shape[2], shape[1]), 0, 0);
  return canvas;
};

// Cover the model's size and crop to it
const fit = async (blob, [, height, width]) => {
  const picture = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(width, height);
  const scale = Math.max(width / picture.width, height / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = scale !== 1;
  context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
  return context.getImageData(0, 0, width, height).data;
};

const start = async () => {
  const model = await (await fetch("colddiff-web.json")).json();
  const ort = await import(model.runtime);
  ort.env.wasm.numThreads = 1; // more needs headers that a plain file server does not send
  const session = await ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"] });
  const shape = model.image_shape;
  const size = shape.reduce((a, b) => a * b);
  let picture = null;
  let states = null;
  let levels = [];

  const step = (k) => {
    const canvas = show("after", states.subarray(k * size, (k + 1) * size), shape);
    element("caption").textContent = `after ${k} of ${levels.length - 1} steps, level ${levels[k]}`;
    const link = element("download");
    link.href = canvas.toDataURL("image/png");
    link.hidden = false;
  };

  const restore = async () => {
    if (!picture) return say("Choose a degraded picture.", "ready");
    say("Restoring …", "busy");
    const x = toTensor(await fit(picture, shape), shape);
    show("before", x, shape);
    const steps = Math.min(Math.max(1, element("steps").valueAsNumber || 1), model.num_steps);
    levels = evenly(model.num_steps, steps);
    const began = performance.now();
    const { trajectory } = await session.run({
      x_t: new ort.Tensor("float32", x, [1, ...shape]),
      timesteps: new ort.Tensor("int64", BigInt64Array.from(levels, BigInt), [steps + 1]),
    });
    states = trajectory.data;
    Object.assign(element("step"), { max: steps, value: steps, disabled: false });
    step(steps);
    say(`${steps} steps in ${Math.round(performance.now() - began)} ms.`, "done");
  };

  const carefully = (action) => () => action().catch((error) => say(String(error), "error"));
  Object.assign(element("steps"), { max: model.num_steps, value: model.num_steps });
  element("file").addEventListener("change", (event) => {
    [picture] = event.target.files;
    carefully(restore)();
  });
  element("steps").addEventListener("change", carefully(restore));
  element("step").addEventListener("input", (event) => step(event.target.valueAsNumber));
  if (model.sample) picture = await (await fetch(model.sample)).blob();
  await restore();
};

if (location.protocol === "file:")
  say("Serve this folder, e.g. with `python -m http.server`, and open it from there.", "error");
else start().catch((error) => say(String(error), "error"));
