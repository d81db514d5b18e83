"use strict";
/* A kept net's answer, in the browser: the layers of models/layers.py in evaluation mode, for one image. */

const net = (() => {
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const ACTIVATIONS = {
    relu: (x) => (x > 0 ? x : 0),
    silu: (x) => x * sigmoid(x),
    gelu: (x) => x * sigmoid(1.5957691216 * (x + 0.044715 * x * x * x)), // the tanh form
    tanh: Math.tanh,
    leaky_relu: (x) => (x > 0 ? x : 0.01 * x),
    elu: (x) => (x > 0 ? x : Math.expm1(x)),
    sigmoid,
  };

  /** A net to ask: what the page is told of it (`facts.Net`), and its weights, float32 in the layers' order. */
  function ready(facts, buffer) {
    const weights = new Float32Array(buffer);
    const layers = facts.layers.map((layer) => {
      if (layer.activation && !ACTIVATIONS[layer.activation]) throw new Error(`This page does not know the activation ${layer.activation}.`);
      const part = (from, length) => weights.subarray(layer.first + from, layer.first + from + length);
      const made = { ...layer };
      const size = layer.outputs * layer.inputs * layer.side * layer.side;
      if (layer.kind === "linear" || layer.kind === "conv2d") {
        made.weight = part(0, size);
        made.bias = part(size, layer.outputs);
        if (layer.kind === "conv2d") made.packed = way(layer).packed(made.weight, layer);
      } else if (layer.kind === "batchnorm") {
        const count = layer.outputs;
        const [weight, bias, mean, variance] = [0, 1, 2, 3].map((number) => part(number * count, count));
        made.scale = weight.map((value, index) => value / Math.sqrt(variance[index] + layer.epsilon));
        made.move = bias.map((value, index) => value - mean[index] * made.scale[index]);
      }
      return made;
    });
    return { facts, layers };
  }

  /* A convolution is a product of weights, packed once, and of patches of the image. Four outputs of four places are
   * summed at a time, over memory in its order. All of it are doubles, as JavaScript counts in nothing else: single
   * numbers would be turned into doubles at every read. */

  /** products[block, group] = sum over `size` of weights[block] (4 outputs) times patches[group] (4 places): 16 sums each. */
  function product(weights, blocks, patches, groups, size, products) {
    for (let block = 0, to = 0; block < blocks; block++) {
      for (let group = 0; group < groups; group++, to += 16) {
        let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
        let c0 = 0, c1 = 0, c2 = 0, c3 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0;
        for (let at = block * size * 4, from = group * size * 4, end = from + 4 * size; from < end; from += 4, at += 4) {
          const a = patches[from], b = patches[from + 1], c = patches[from + 2], d = patches[from + 3];
          const w0 = weights[at], w1 = weights[at + 1], w2 = weights[at + 2], w3 = weights[at + 3];
          a0 += a * w0; b0 += b * w0; c0 += c * w0; d0 += d * w0;
          a1 += a * w1; b1 += b * w1; c1 += c * w1; d1 += d * w1;
          a2 += a * w2; b2 += b * w2; c2 += c * w2; d2 += d * w2;
          a3 += a * w3; b3 += b * w3; c3 += c * w3; d3 += d * w3;
        }
        products[to] = a0; products[to + 1] = b0; products[to + 2] = c0; products[to + 3] = d0;
        products[to + 4] = a1; products[to + 5] = b1; products[to + 6] = c1; products[to + 7] = d1;
        products[to + 8] = a2; products[to + 9] = b2; products[to + 10] = c2; products[to + 11] = d2;
        products[to + 12] = a3; products[to + 13] = b3; products[to + 14] = c3; products[to + 15] = d3;
      }
    }
  }

  /** A layer's memory, kept from image to image. */
  function memory(layer, name, length) {
    if (!layer[name] || layer[name].length !== length) layer[name] = new Float64Array(length);
    return layer[name];
  }

  /** Any kernel, stride 1, no padding. */
  const direct = {
    /** Weights (outputs, inputs, side, side) as (outputs / 4, inputs * side * side, 4). */
    packed(weight, { outputs, inputs, side }) {
      const size = inputs * side * side, found = new Float64Array(Math.ceil(outputs / 4) * size * 4);
      for (let output = 0; output < outputs; output++) {
        for (let index = 0; index < size; index++) found[((output >> 2) * size + index) * 4 + (output & 3)] = weight[output * size + index];
      }
      return found;
    },
    convolution(layer, x, height, width) {
      const { packed, bias, inputs, outputs, side } = layer;
      const high = height - side + 1, wide = width - side + 1, places = high * wide, plane = height * width;
      const size = inputs * side * side, groups = (places + 3) >> 2, blocks = (outputs + 3) >> 2;
      const patches = memory(layer, "patches", groups * size * 4), products = memory(layer, "products", blocks * groups * 16);
      for (let row = 0, place = 0; row < high; row++) {
        for (let column = 0; column < wide; column++, place++) {
          let to = (place >> 2) * size * 4 + (place & 3);
          for (let channel = 0, corner = row * width + column; channel < inputs; channel++, corner += plane) {
            for (let down = 0, from = corner; down < side; down++, from += width) {
              for (let along = 0; along < side; along++, to += 4) patches[to] = x[from + along];
            }
          }
        }
      }
      product(packed, blocks, patches, groups, size, products);
      const found = new Float32Array(outputs * places);
      for (let output = 0, to = 0; output < outputs; output++) {
        const from = (output >> 2) * groups * 16 + (output & 3) * 4;
        for (let place = 0; place < places; place++, to++) found[to] = products[from + (place >> 2) * 16 + (place & 3)] + bias[output];
      }
      return found;
    },
  };

  /** Kernels of 3 x 3 by Winograd's minimal filtering, F(2x2, 3x3) of Lavin and Gray 2015 (arXiv:1509.09308): tiles of
   *  2 x 2 places from 4 x 4 pixels, 16 products in the place of 36. */
  const winograd = {
    /** Weights (outputs, inputs, 3, 3) as (16, outputs / 4, inputs, 4). */
    packed(weight, { outputs, inputs }) {
      const blocks = Math.ceil(outputs / 4), found = new Float64Array(16 * blocks * inputs * 4);
      const spread = (a, b, c) => [a, (a + b + c) / 2, (a - b + c) / 2, c];
      for (let output = 0; output < outputs; output++) {
        for (let input = 0; input < inputs; input++) {
          const from = (output * inputs + input) * 9;
          const columns = [0, 1, 2].map((column) => spread(weight[from + column], weight[from + 3 + column], weight[from + 6 + column]));
          for (let row = 0; row < 4; row++) {
            spread(columns[0][row], columns[1][row], columns[2][row]).forEach((value, column) => {
              found[(((4 * row + column) * blocks + (output >> 2)) * inputs + input) * 4 + (output & 3)] = value;
            });
          }
        }
      }
      return found;
    },
    convolution(layer, x, height, width) {
      const { packed, bias, inputs, outputs } = layer;
      const high = height - 2, wide = width - 2, rows = (high + 1) >> 1, columns = (wide + 1) >> 1, tiles = rows * columns;
      const groups = (tiles + 3) >> 2, blocks = (outputs + 3) >> 2, each = groups * inputs * 4, made = blocks * groups * 16;
      const patches = memory(layer, "patches", 16 * each), products = memory(layer, "products", 16 * made);
      const pixels = new Float64Array(16), turned = new Float64Array(16);
      for (let input = 0; input < inputs; input++) {
        for (let row = 0, tile = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++, tile++) {
            const corner = input * height * width + 2 * row * width + 2 * column;
            const down = Math.min(4, height - 2 * row), along = Math.min(4, width - 2 * column);
            if (down < 4 || along < 4) pixels.fill(0);
            for (let y = 0; y < down; y++) for (let z = 0; z < along; z++) pixels[4 * y + z] = x[corner + y * width + z];
            for (let z = 0; z < 4; z++) {
              const one = pixels[4 + z], two = pixels[8 + z];
              turned[z] = pixels[z] - two; turned[4 + z] = one + two; turned[8 + z] = two - one; turned[12 + z] = one - pixels[12 + z];
            }
            let to = ((tile >> 2) * inputs + input) * 4 + (tile & 3);
            for (let y = 0; y < 16; y += 4, to += each) {
              const one = turned[y + 1], two = turned[y + 2];
              patches[to] = turned[y] - two; patches[to += each] = one + two; patches[to += each] = two - one; patches[to += each] = one - turned[y + 3];
            }
          }
        }
      }
      for (let part = 0; part < 16; part++) {
        product(packed.subarray(part * blocks * inputs * 4, (part + 1) * blocks * inputs * 4), blocks,
          patches.subarray(part * each, (part + 1) * each), groups, inputs, products.subarray(part * made, (part + 1) * made));
      }
      const found = new Float32Array(outputs * high * wide);
      for (let output = 0; output < outputs; output++) {
        for (let row = 0, tile = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++, tile++) {
            const from = ((output >> 2) * groups + (tile >> 2)) * 16 + (output & 3) * 4 + (tile & 3);
            const to = output * high * wide + 2 * row * wide + 2 * column, right = 2 * column + 1 < wide, below = 2 * row + 1 < high;
            for (let z = 0; z < 4; z++) {
              const one = products[from + (4 + z) * made], two = products[from + (8 + z) * made];
              pixels[z] = products[from + z * made] + one + two;
              pixels[4 + z] = one - two - products[from + (12 + z) * made];
            }
            found[to] = pixels[0] + pixels[1] + pixels[2] + bias[output];
            if (right) found[to + 1] = pixels[1] - pixels[2] - pixels[3] + bias[output];
            if (below) found[to + wide] = pixels[4] + pixels[5] + pixels[6] + bias[output];
            if (below && right) found[to + wide + 1] = pixels[5] - pixels[6] - pixels[7] + bias[output];
          }
        }
      }
      return found;
    },
  };
  const way = (layer) => (layer.side === 3 ? winograd : direct);

  function activated(values, name) {
    const of = ACTIVATIONS[name];
    if (of) for (let index = 0; index < values.length; index++) values[index] = of(values[index]);
    return values;
  }

  function linear(layer, x) {
    const { weight, bias, inputs, outputs } = layer;
    const found = new Float32Array(outputs);
    for (let output = 0; output < outputs; output++) {
      const row = output * inputs;
      let a = 0, b = 0, c = 0, d = 0, index = 0;
      for (; index + 3 < inputs; index += 4) {
        a += weight[row + index] * x[index];
        b += weight[row + index + 1] * x[index + 1];
        c += weight[row + index + 2] * x[index + 2];
        d += weight[row + index + 3] * x[index + 3];
      }
      for (; index < inputs; index++) a += weight[row + index] * x[index];
      found[output] = a + b + c + d + bias[output];
    }
    return found;
  }

  function pooled(x, channels, height, width) {
    const high = height >> 1, wide = width >> 1;
    const found = new Float32Array(channels * high * wide);
    for (let channel = 0, to = 0; channel < channels; channel++) {
      for (let row = 0; row < high; row++) {
        for (let column = 0; column < wide; column++, to++) {
          const at = channel * height * width + 2 * row * width + 2 * column;
          found[to] = Math.max(x[at], x[at + 1], x[at + width], x[at + width + 1]);
        }
      }
    }
    return found;
  }

  /**
   * Asks the net about an image, pixels 0..255 in rows. Returns {logits, probabilities, first}: `first` is what the first
   * layer with weights says, {values, channels, height, width}.
   */
  function ask({ facts, layers }, pixels) {
    let channels = 1, height = facts.height, width = facts.width, first = null;
    let x = new Float32Array(height * width);
    for (let index = 0; index < x.length; index++) x[index] = facts.multiplier * pixels[index] + facts.offset;
    for (const layer of layers) {
      if (layer.kind === "flatten") {
        channels *= height * width;
        height = width = 1;
      } else if (layer.kind === "linear") {
        x = activated(linear(layer, x), layer.activation);
        channels = layer.outputs;
      } else if (layer.kind === "conv2d") {
        x = activated(way(layer).convolution(layer, x, height, width), layer.activation);
        channels = layer.outputs;
        height -= layer.side - 1;
        width -= layer.side - 1;
      } else if (layer.kind === "batchnorm") {
        const plane = height * width, normal = new Float32Array(x.length);
        for (let index = 0; index < x.length; index++) {
          const channel = (index / plane) | 0;
          normal[index] = x[index] * layer.scale[channel] + layer.move[channel];
        }
        x = normal;
      } else if (layer.kind === "activation") {
        x = activated(x.slice(), layer.activation);
      }
      if (layer.kind === "max_pool" || layer.pool) {
        x = pooled(x, channels, height, width);
        height >>= 1;
        width >>= 1;
      }
      if (!first && layer.weight) first = { values: x, channels, height, width, layer };
    }
    return { logits: x, probabilities: softmax(x), first };
  }

  function softmax(logits) {
    const most = Math.max(...logits);
    const powers = Array.from(logits, (value) => Math.exp(value - most));
    const sum = powers.reduce((total, value) => total + value, 0);
    return powers.map((value) => value / sum);
  }

  return { ready, ask, ACTIVATIONS };
})();
