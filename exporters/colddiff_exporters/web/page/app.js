// Restore a picture with model.onnx, and look at every step of it.

const BAND = 64; // rows read at once: a canvas as large as a photograph may be refused

// Even steps from T to 0, as `--steps` of the command line takes them
const evenly = (T, steps) =>
  Array.from({ length: steps + 1 }, (_, k) => Math.floor((T * (steps - k) + (steps >> 1)) / steps));

// RGBA bytes to levels of `channels`, pixel by pixel: laid on white; grey is the luma of Pillow
const toLevels = (rgba, channels) => {
  const levels = new Uint8ClampedArray((rgba.length / 4) * channels);
  for (let p = 0, q = 0; p < rgba.length; p += 4, q += channels) {
    const onWhite = (c) => Math.round(255 + ((rgba[p + c] - 255) * rgba[p + 3]) / 255);
    const [r, g, b] = [onWhite(0), onWhite(1), onWhite(2)];
    levels[q] = channels === 1 ? (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16 : r;
    if (channels === 3) [levels[q + 1], levels[q + 2]] = [g, b];
  }
  return levels;
};

// The bicubic filter of Pillow
const cubic = (d) => {
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((2.5 - 0.5 * d) * d - 4) * d + 2 : 0;
};

// What each of n pixels is made of, where `scale` out of `length` become one, the rest cropped:
// the first of them, and the weight of each. Shrinking widens the filter, so that all count.
const weightsOf = (length, n, scale) =>
  Array.from({ length: n }, (_, k) => {
    const centre = (length - n * scale) / 2 + (k + 0.5) * scale;
    const widened = Math.max(1, scale);
    const first = Math.max(0, Math.floor(centre - 2 * widened + 0.5));
    const end = Math.min(length, Math.floor(centre + 2 * widened + 0.5));
    const weights = new Float64Array(end - first);
    weights.forEach((_, i) => (weights[i] = cubic(Math.abs(first + i + 0.5 - centre) / widened)));
    const sum = weights.reduce((a, b) => a + b);
    return { first, end, weights: weights.map((weight) => weight / sum) };
  });

const weigh = (values, start, stride, weights) => {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += weights[i] * values[start + i * stride];
  return sum;
};

// Levels (C, H, W) of a picture of fullWidth x fullHeight that covers the model's size, cropped to
// it, as `--resize` has them; `pixels(left, top, width, height)` gives RGBA bytes. As Pillow does,
// levels are rounded between the passes; from 13 on it begins with the other one if twice as tall.
const fit = (fullWidth, fullHeight, pixels, [channels, height, width]) => {
  const scale = Math.min(fullWidth / width, fullHeight / height);
  const across = weightsOf(fullWidth, width, scale);
  const down = weightsOf(fullHeight, height, scale);
  const [left, right] = [across[0].first, across.at(-1).end];
  const [top, bottom] = [down[0].first, down.at(-1).end];
  const row = width * channels;
  const narrow = new Uint8ClampedArray((bottom - top) * row);
  for (let y = top; y < bottom; y += BAND) {
    const rows = Math.min(BAND, bottom - y);
    const levels = toLevels(pixels(left, y, right - left, rows), channels);
    for (let k = 0; k < rows; k++)
      across.forEach(({ first, weights }, x) => {
        const from = (k * (right - left) + first - left) * channels;
        const to = (y - top + k) * row + x * channels;
        for (let c = 0; c < channels; c++)
          narrow[to + c] = weigh(levels, from + c, channels, weights);
      });
  }
  const fitted = new Uint8ClampedArray(row * height);
  down.forEach(({ first, weights }, y) => {
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        fitted[(c * height + y) * width + x] = weigh(
          narrow, (first - top) * row + x * channels + c, row, weights,
        );
  });
  return fitted;
};

const toTensor = (levels) => Float32Array.from(levels, (level) => (level / 255) * 2 - 1);

// (C, H, W) in [-1, 1] to RGBA bytes
const toPixels = (x, [channels, height, width]) => {
  const plane = height * width;
  const rgba = new Uint8ClampedArray(4 * plane).fill(255);
  for (let p = 0; p < plane; p++)
    for (let c = 0; c < 3; c++)
      rgba[4 * p + c] = ((x[(channels === 1 ? 0 : c) * plane + p] + 1) / 2) * 255;
  return rgba;
};

const element = (id) => document.getElementById(id);

const say = (text, state) => {
  element("status").textContent = text;
  document.body.dataset.state = state;
};

const show = (id, x, shape) => {
  const canvas = element(id);
  [canvas.height, canvas.width] = shape.slice(1);
  canvas.getContext("2d").putImageData(new ImageData(toPixels(x, shape), shape[2], shape[1]), 0, 0);
  return canvas;
};

const get = async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response;
};

// Levels (C, H, W) of a picture, upright; what is not restored as it is goes to `notes`
const read = async (blob, name, shape, notes) => {
  const picture = await createImageBitmap(blob).catch(() => {
    throw new Error(`${name} is not a picture that this browser can decode. Choose another.`);
  });
  const pixels = (left, top, width, height) => {
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(picture, -left, -top);
    const rgba = context.getImageData(0, 0, width, height).data;
    for (let p = 3; p < rgba.length; p += 4)
      if (rgba[p] < 255) notes.add("What is transparent was laid on white.");
    return rgba;
  };
  const levels = fit(picture.width, picture.height, pixels, shape);
  picture.close();
  return levels;
};

const load = async () => {
  const model = await (await get("colddiff-web.json")).json();
  const ort = await import(model.runtime);
  ort.env.wasm.numThreads = 1; // more needs headers that a plain file server does not send
  const session = await ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"] });
  const steps = { max: model.num_steps, value: model.num_steps, disabled: false };
  Object.assign(element("steps"), steps);
  return { model, ort, session };
};

const loaded = load();
let showStep = () => {};

// Nothing of one picture stays beside the message about another
const clear = () => {
  for (const id of ["before", "after"]) element(id).width = element(id).width;
  element("caption").textContent = "after";
  element("step").disabled = element("download").hidden = true;
};

const restore = async (isLatest) => {
  const { model, ort, session } = await loaded;
  const shape = model.image_shape;
  const { files } = element("file");
  const steps = element("steps").valueAsNumber;
  if (!element("steps").validity.valid)
    throw new Error(`Steps: expected a whole number from 1 to ${model.num_steps}.`);
  const blob = files[0] ?? (model.sample && (await (await get(model.sample)).blob()));
  if (!blob) return say("Choose a degraded picture, or drop one here.", "ready");
  const notes = new Set();
  if (files.length > 1) notes.add(`This is the first of ${files.length} files.`);
  const x = toTensor(await read(blob, blob.name ?? model.sample, shape, notes));
  if (!isLatest()) return;
  show("before", x, shape);
  const levels = evenly(model.num_steps, steps);
  const began = performance.now();
  const { trajectory } = await session.run({
    x_t: new ort.Tensor("float32", x, [1, ...shape]),
    timesteps: new ort.Tensor("int64", BigInt64Array.from(levels, BigInt), [steps + 1]),
  });
  if (!isLatest()) return;
  showStep = (k) => {
    const canvas = show("after", trajectory.data.subarray(k * x.length, (k + 1) * x.length), shape);
    const caption = `after ${k} of ${steps} steps, level ${levels[k]}`;
    element("caption").textContent = element("step").ariaValueText = caption;
    Object.assign(element("download"), { href: canvas.toDataURL("image/png"), hidden: false });
  };
  Object.assign(element("step"), { max: steps, value: steps, disabled: false });
  showStep(steps);
  const taken = Math.round(performance.now() - began);
  say([`${steps} steps in ${taken} ms.`, ...notes].join(" "), "done");
};

// One picture after the other, as a session takes them; only the last that was asked for is shown
let queue = Promise.resolve();
let latest = 0;
const refresh = () => {
  const turn = ++latest;
  const isLatest = () => turn === latest;
  clear();
  say("Restoring …", "busy");
  queue = queue
    .then(() => isLatest() && restore(isLatest))
    .catch((error) => isLatest() && say(error.message ?? String(error), "error"));
};

element("file").addEventListener("change", refresh);
element("steps").addEventListener("change", refresh);
element("step").addEventListener("input", (event) => showStep(event.target.valueAsNumber));
addEventListener("dragover", (event) => event.preventDefault()); // or the browser opens the file
addEventListener("drop", (event) => {
  event.preventDefault();
  const { files } = event.dataTransfer;
  if (!files.length) return say("What was dropped is not a file. Save it, and drop that.", "error");
  element("file").files = files;
  refresh();
});
loaded.finally(refresh).catch(() => {});
