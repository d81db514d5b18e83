"use strict";
/* Grey images as rows of floats 0..255: a brush, framing as a data set's makers did it, turning, moving, noise. */

const digits = (() => {
  const blank = (height, width) => ({ height, width, pixels: new Float32Array(height * width) });

  /** A soft round brush along a line; places are in pixels, (0, 0) the upper left corner. */
  function stroke(image, x0, y0, x1, y1, radius, light = 255) {
    const { height, width, pixels } = image;
    const long = Math.hypot(x1 - x0, y1 - y0);
    for (let row = Math.max(0, Math.floor(Math.min(y0, y1) - radius - 1)); row < Math.min(height, Math.max(y0, y1) + radius + 1); row++) {
      for (let column = Math.max(0, Math.floor(Math.min(x0, x1) - radius - 1)); column < Math.min(width, Math.max(x0, x1) + radius + 1); column++) {
        const x = column + 0.5, y = row + 0.5;
        const along = long ? Math.max(0, Math.min(1, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / (long * long))) : 0;
        const away = Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0));
        const share = Math.max(0, Math.min(1, radius + 0.5 - away));
        const at = row * width + column;
        if (light) pixels[at] = Math.max(pixels[at], light * share);
        else pixels[at] *= 1 - share;
      }
    }
  }

  const read = ({ height, width, pixels }, x, y) => {
    const column = Math.floor(x - 0.5), row = Math.floor(y - 0.5), right = x - 0.5 - column, down = y - 0.5 - row;
    const at = (r, c) => (r < 0 || c < 0 || r >= height || c >= width ? 0 : pixels[r * width + c]);
    return (at(row, column) * (1 - right) + at(row, column + 1) * right) * (1 - down) +
      (at(row + 1, column) * (1 - right) + at(row + 1, column + 1) * right) * down;
  };

  /** Every pixel of the new image is read where `from(x, y)` says it came from; `fine` x `fine` samples each. */
  function resampled(image, from, fine = 1) {
    const found = blank(image.height, image.width);
    for (let row = 0, at = 0; row < image.height; row++) {
      for (let column = 0; column < image.width; column++, at++) {
        let sum = 0;
        for (let a = 0; a < fine; a++) {
          for (let b = 0; b < fine; b++) sum += read(image, ...from(column + (b + 0.5) / fine, row + (a + 0.5) / fine));
        }
        found.pixels[at] = sum / (fine * fine);
      }
    }
    return found;
  }

  /** The drawing as its data set's images are: its longer side so many pixels long, its mass or its middle in the middle. */
  function framed(image, framing) {
    const { height, width, pixels } = image;
    let top = height, bottom = -1, left = width, right = -1, mass = 0, massX = 0, massY = 0;
    for (let row = 0, at = 0; row < height; row++) {
      for (let column = 0; column < width; column++, at++) {
        if (pixels[at] < 20) continue;
        top = Math.min(top, row); bottom = Math.max(bottom, row);
        left = Math.min(left, column); right = Math.max(right, column);
        mass += pixels[at]; massX += pixels[at] * (column + 0.5); massY += pixels[at] * (row + 0.5);
      }
    }
    if (bottom < 0 || !framing) return image;
    const scale = Math.max(bottom - top + 1, right - left + 1) / Math.min(framing.side, height, width);
    const byMass = framing.centred === "mass";
    const x = byMass ? massX / mass : (left + right + 1) / 2, y = byMass ? massY / mass : (top + bottom + 1) / 2;
    return resampled(image, (column, row) => [x + (column - width / 2) * scale, y + (row - height / 2) * scale], scale > 1 ? 3 : 1);
  }

  /** Turned by degrees (against the clock), moved by pixels, with noise of a standard deviation, the same one each time. */
  function changed(image, { rotate = 0, x = 0, y = 0, noise = 0 }) {
    const { height, width } = image;
    let found = image;
    if (rotate || x || y) {
      const angle = (rotate * Math.PI) / 180, cos = Math.cos(angle), sin = Math.sin(angle);
      found = resampled(image, (column, row) => {
        const dx = column - width / 2 - x, dy = row - height / 2 - y;
        return [width / 2 + cos * dx - sin * dy, height / 2 + sin * dx + cos * dy];
      });
    }
    if (noise) {
      found = { ...found, pixels: found.pixels.slice() };
      let state = 20240607;
      const uniform = () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
      };
      for (let index = 0; index < found.pixels.length; index++) {
        const normal = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
        found.pixels[index] = Math.max(0, Math.min(255, found.pixels[index] + noise * normal));
      }
    }
    return found;
  }

  /** Shows an image on a canvas of its own size; style sheets make it larger. */
  function show(canvas, { height, width, pixels }) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const picture = context.createImageData(width, height);
    for (let index = 0; index < pixels.length; index++) {
      const value = Math.max(0, Math.min(255, pixels[index]));
      picture.data.set([value, value, value, 255], 4 * index);
    }
    context.putImageData(picture, 0, 0);
  }

  /** Weights or activations, shown from the least to the greatest. With `signed`, 0 is in the middle. */
  function showValues(canvas, values, height, width, signed) {
    let low = Infinity, high = -Infinity;
    for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
    if (signed) { high = Math.max(Math.abs(low), Math.abs(high)); low = -high; }
    const way = high - low || 1;
    show(canvas, { height, width, pixels: Array.from(values, (value) => (255 * (value - low)) / way) });
  }

  /* A drawing in the address: sixteen shades, two pixels a byte. */
  function packed({ pixels }) {
    let text = "";
    for (let index = 0; index < pixels.length; index += 2) {
      text += String.fromCharCode((Math.round(pixels[index] / 17) << 4) | Math.round((pixels[index + 1] || 0) / 17));
    }
    return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  }
  function unpacked(text, height, width) {
    const image = blank(height, width);
    try {
      const found = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
      if (found.length !== Math.ceil(image.pixels.length / 2)) return null;
      for (let index = 0; index < image.pixels.length; index++) {
        const pair = found.charCodeAt(index >> 1);
        image.pixels[index] = 17 * (index & 1 ? pair & 15 : pair >> 4);
      }
      return image;
    } catch {
      return null;
    }
  }

  return { blank, stroke, framed, changed, show, showValues, packed, unpacked };
})();
