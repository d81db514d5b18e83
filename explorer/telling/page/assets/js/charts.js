"use strict";
/* Pictures that more than one view has: curves over steps (uPlot), a sparkline, how figures are scaled. */

const charts = (() => {
  const { make, draw, colour, percent, brief } = core;
  const LINES = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5", "--line-6", "--line-7", "--line-8"];
  const lineColour = (index) => colour(LINES[index % LINES.length].slice(2));

  /** How an accuracy is drawn: as it is, or as the error on a log axis, where 99.0 and 99.5 % are far apart. */
  const FIGURES = {
    error: { label: "validation error, %", of: (accuracy) => Math.max(100 * (1 - accuracy), 0.01), log: true, better: "lower" },
    accuracy: { label: "validation accuracy, %", of: (accuracy) => 100 * accuracy, log: false, better: "higher" },
  };

  /** 1, 2, 5 times powers of ten between two numbers; of a long way only the powers. */
  function logTicks(low, high) {
    const found = [];
    for (const steps of [[1, 2, 5], [1, 3], [1]]) {
      found.length = 0;
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
        for (const step of steps) {
          const tick = step * 10 ** power;
          if (tick >= low * 0.999 && tick <= high * 1.001) found.push(tick);
        }
      }
      if (found.length <= 7) break;
    }
    return found.length > 1 ? found : [low, high];
  }

  function linearTicks(low, high, most = 6) {
    if (high <= low) return [low];
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
    const found = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) found.push(Number(tick.toPrecision(12)));
    return found;
  }

  /** {at(value) -> 0..1, ticks} over values, with a little air at both ends. */
  function scaled(values, log) {
    let low = Math.min(...values);
    let high = Math.max(...values);
    if (!Number.isFinite(low)) { low = 0.1; high = 1; }
    if (log) {
      low = Math.max(low, 1e-9);
      if (high <= low) { low /= 1.5; high = low * 2.25; }
      const air = (high / low) ** 0.06;
      low /= air; high *= air;
      const way = Math.log(high / low);
      return { at: (value) => Math.log(Math.max(value, low) / low) / way, ticks: logTicks(low, high) };
    }
    if (high <= low) { low -= 0.5; high += 0.5; }
    const air = 0.06 * (high - low);
    low -= air; high += air;
    return { at: (value) => (value - low) / (high - low), ticks: linearTicks(low, high) };
  }

  const readings = {
    val_accuracy: (chosen) => FIGURES[chosen],
    val_loss: () => ({ label: "validation loss, nats", of: (loss) => loss, log: true }),
    train_loss: () => ({ label: "training loss, nats", of: (loss) => loss, log: true }),
  };

  /**
   * Lines over steps. lines: [{label, x, y, width, dash, alpha, colour}], y already as drawn, null for a gap.
   * Returns {lines(next), paint(), close()}.
   */
  function curves(place, { lines, label, log, height = 240, title = "" }) {
    let plot = null;
    let given = lines;
    const box = make("div", { class: "curves", role: "img", "aria-label": title || label });
    place.append(box);

    function options() {
      const ink = colour("ink-2");
      const grid = { stroke: colour("grid"), width: 1 };
      const axis = { stroke: ink, grid, ticks: { ...grid, size: 4 }, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif" };
      return {
        width: Math.max(box.clientWidth, 200), height,
        legend: { show: false },
        cursor: { drag: { x: true, y: false }, points: { size: 5 } },
        scales: { x: { time: false }, y: { distr: log ? 3 : 1, range: log ? logRange : undefined } },
        axes: [
          { ...axis, label: "steps", labelSize: 18, size: 30, values: (self, ticks) => ticks.map((tick) => (tick === null ? "" : brief(tick))) },
          { ...axis, label, labelSize: 18, size: 52, splits: log ? (self, index, low, high) => logTicks(low, high) : undefined,
            filter: log ? (self, splits) => splits : undefined, values: (self, ticks) => ticks.map((tick) => (tick === null ? "" : brief(tick))) },
        ],
        series: [{}, ...given.map((line) => ({
          label: line.label, stroke: line.colour, width: line.width || 1.5, dash: line.dash, alpha: line.alpha || 1,
          spanGaps: true, points: { show: false },
        }))],
      };
    }
    const logRange = (self, low, high) => (low > 0 && high > 0 ? [low / 1.08, high * 1.08] : [0.1, 10]);
    const joined = () => (given.length ? uPlot.join(given.map((line) => [line.x, line.y])) : [[]]);

    function paint() {
      if (plot) plot.destroy();
      plot = new uPlot(options(), joined(), box);
    }
    const resized = new ResizeObserver(() => { if (plot && box.clientWidth) plot.setSize({ width: Math.max(box.clientWidth, 200), height }); });
    paint();
    resized.observe(box);
    return {
      box,
      lines(next) {
        const alike = plot && next.length === given.length && next.every((line, index) => line.label === given[index].label);
        given = next;
        if (alike) plot.setData(joined());
        else paint();
      },
      paint,
      close() { resized.disconnect(); if (plot) plot.destroy(); box.remove(); },
    };
  }

  /** A line a few letters high. */
  function sparkline(values, width = 90, height = 22) {
    const kept = values.filter((value) => value !== null);
    const scale = scaled(kept, kept.every((value) => value > 0));
    const points = kept.map((value, index) =>
      `${(2 + (index * (width - 4)) / Math.max(kept.length - 1, 1)).toFixed(1)},${(height - 2 - scale.at(value) * (height - 4)).toFixed(1)}`);
    return draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "spark", "aria-hidden": "true" },
      kept.length > 1 ? draw("polyline", { points: points.join(" "), fill: "none" }) : null);
  }

  /** What lines are called: a dash of their colour and a name each. */
  const legend = (lines) => make("ul", { class: "legend" }, lines.map((line) => {
    const mark = make("i");
    mark.style.background = line.colour;
    mark.style.opacity = line.alpha || 1;
    return make("li", {}, mark, line.label);
  }));

  return { FIGURES, readings, scaled, logTicks, linearTicks, curves, sparkline, legend, lineColour, percent };
})();
