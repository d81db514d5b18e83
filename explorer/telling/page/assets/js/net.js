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
        if (layer.kind === "conv2d") made.packed = packed(made.weight, layer);
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

  /** Weights (outputs, inputs, side, side) as (outputs / 4, inputs * side * side, 4): four outputs share each read. */
  function packed(weight, { outputs, inputs, side }) {
    const blocks = Math.ceil(outputs / 4);
    const size = inputs * side * side;
    const found = new Float32Array(blocks * size * 4);
    for (let output = 0; output < outputs; output++) {
      for (let index = 0; index < size; index++) found[((output >> 2) * size + index) * 4 + (output & 3)] = weight[output * size + index];
    }
    return found;
  }

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

  /** Stride 1, no padding: two neighbours of four outputs at a time. */
  function convolution(layer, x, height, width) {
    const { packed: weight, bias, inputs, outputs, side } = layer;
    const high = height - side + 1, wide = width - side + 1, plane = height * width, size = inputs * side * side;
    const found = new Float32Array(outputs * high * wide);
    const input = new Float32Array(x.length + 1); // the last pair of an odd row looks one beyond
    input.set(x);
    for (let block = 0; block * 4 < outputs; block++) {
      const first = block * 4, many = Math.min(4, outputs - first), start = block * size * 4;
      for (let row = 0; row < high; row++) {
        for (let column = 0; column < wide; column += 2) {
          let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0, at = start;
          for (let channel = 0; channel < inputs; channel++) {
            let place = channel * plane + row * width + column;
            for (let down = 0; down < side; down++, place += width) {
              let left = input[place];
              for (let along = 1; along <= side; along++, at += 4) {
                const right = input[place + along];
                const w0 = weight[at], w1 = weight[at + 1], w2 = weight[at + 2], w3 = weight[at + 3];
                a0 += left * w0; b0 += right * w0;
                a1 += left * w1; b1 += right * w1;
                a2 += left * w2; b2 += right * w2;
                a3 += left * w3; b3 += right * w3;
                left = right;
              }
            }
          }
          const as = [a0, a1, a2, a3], bs = [b0, b1, b2, b3], second = column + 1 < wide;
          for (let one = 0; one < many; one++) {
            const to = (first + one) * high * wide + row * wide + column;
            found[to] = as[one] + bias[first + one];
            if (second) found[to + 1] = bs[one] + bias[first + one];
          }
        }
      }
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
        x = activated(convolution(layer, x, height, width), layer.activation);
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
