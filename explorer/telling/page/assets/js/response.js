"use strict";
/* What a knob does: every seed a dot, the mean and its interval; two knobs as a map; a click shows the seeds' curves. */

const response = (() => {
  const { make, draw, percent, brief } = core;
  const { FIGURES, scaled } = charts;

  /** points: [{label, one (configuration or null), verdict, against}]; means are joined by a line where the knob has an
   *  order. chosen(point) when one is picked. */
  function dots(place, { points, title, axis, figure, baseline, winner, picked, chosen, joined }) {
    const reading = FIGURES[figure];
    const box = make("div", { class: "response" });
    place.append(box);
    const there = points.filter((point) => point.one && point.one.validation !== null);
    const seeds = (point) => point.one.runs.filter((run) => run.validation !== null && run.status === 0 && !run.fresh);
    const every = there.flatMap((point) => [...seeds(point).map((run) => reading.of(run.validation)), reading.of(point.one.validation)]);
    const scale = scaled(every, reading.log);

    function paint() {
      const width = Math.max(box.clientWidth || place.clientWidth, 280);
      const longest = Math.max(...points.map((point) => point.label.length), 1);
      const gap = (width - 70) / Math.max(points.length, 1);
      const slanted = longest * 6.6 > gap - 6;
      const foot = slanted ? Math.min(130, 26 + longest * 5.2) : 42;
      const height = 250 + foot;
      const left = 58, right = 12, top = 14;
      const x = (index) => left + (index + 0.5) * ((width - left - right) / points.length);
      const y = (value) => top + (1 - scale.at(value)) * (height - foot - top);
      const parts = [];
      for (const tick of scale.ticks) {
        parts.push(draw("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }));
        parts.push(draw("text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, brief(tick)));
      }
      const middles = points.map((point, index) => (there.includes(point) ? `${x(index)},${y(reading.of(point.one.validation))}` : null)).filter(Boolean);
      if (joined && middles.length > 1) parts.push(draw("polyline", { class: "mean-line", points: middles.join(" "), fill: "none" }));
      points.forEach((point, index) => {
        const cut = point.label.length > 26 ? `${point.label.slice(0, 25)}…` : point.label;
        const text = slanted
          ? draw("text", { class: "tick", transform: `translate(${x(index) + 4},${height - foot + 16}) rotate(-38)`, "text-anchor": "end" }, cut)
          : draw("text", { class: "tick", x: x(index), y: height - foot + 18, "text-anchor": "middle" }, cut);
        parts.push(text);
        if (!there.includes(point)) {
          parts.push(draw("text", { class: "tick", x: x(index), y: height - foot - 6, "text-anchor": "middle" }, point.one ? "✕" : "·"));
          return;
        }
        const one = point.one;
        const runs = seeds(point);
        const name = `${point.label}: validation ${one.told} %, ${runs.length} seeds${point.verdict ? `, ${point.verdict}` : ""}`;
        const marks = runs.map((run, number) => draw("circle", {
          class: "seed", r: runs.length > 12 ? 2 : 3, cx: x(index) + (runs.length > 1 ? ((number / (runs.length - 1)) - 0.5) * Math.min(gap * 0.4, 26) : 0),
          cy: y(reading.of(run.validation)),
        }, draw("title", {}, `seed ${run.seed}: ${percent(run.validation)} %`)));
        const ends = one.low === null ? [] : [one.low, one.high];
        const bar = ends.length ? draw("line", { class: "interval", x1: x(index), x2: x(index), y1: y(reading.of(ends[0])), y2: y(reading.of(ends[1])) }) : null;
        parts.push(draw("g", {
          class: `point${point === picked ? " picked" : ""}${point.label === winner ? " winner" : ""}${point.label === baseline ? " baseline" : ""}`,
          tabindex: "0", role: "button", "aria-label": name, "data-label": point.label,
          onclick: () => chosen(point), onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); chosen(point); } },
        }, draw("title", {}, name), draw("rect", { class: "hit", x: x(index) - gap / 2, y: top, width: Math.max(gap, 4), height: height - foot - top }),
        marks, bar, draw("circle", { class: "mean", r: 5, cx: x(index), cy: y(reading.of(one.validation)) })));
      });
      parts.push(draw("text", { class: "axis", x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, axis));
      parts.push(draw("text", { class: "axis", transform: `translate(12,${(height - foot) / 2}) rotate(-90)`, "text-anchor": "middle" }, reading.label));
      box.replaceChildren(draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": title }, parts));
    }
    paint();
    return { paint, box };
  }

  /** Two knobs: a cell a pair of values. rows, columns: texts; at(row, column) -> point or null. */
  function map(place, { rows, columns, at, labels, figure, picked, chosen, baseline }) {
    const reading = FIGURES[figure];
    const means = rows.flatMap((row) => columns.map((column) => at(row, column))).filter((point) => point && point.one && point.one.validation !== null)
      .map((point) => reading.of(point.one.validation));
    const scale = scaled(means, reading.log);
    const shade = (value) => (reading.better === "lower" ? 1 - scale.at(value) : scale.at(value));
    const cell = (row, column) => {
      const point = at(row, column);
      if (!point || !point.one) return make("td", { class: "cell none" }, "");
      if (point.one.validation === null) return make("td", { class: "cell none" }, make("button", { type: "button", onclick: () => chosen(point) }, "✕"));
      const value = reading.of(point.one.validation);
      const button = make("button", {
        type: "button", "data-label": point.label, "aria-pressed": point === picked ? "true" : "false", class: point.label === baseline ? "baseline" : "",
        title: `${point.label}: ${point.one.told} % (n=${point.one.n})${point.verdict ? `, ${point.verdict}` : ""}`,
        onclick: () => chosen(point),
      }, figure === "error" ? value.toFixed(2) : percent(point.one.validation));
      const share = Math.max(0, Math.min(1, shade(value)));
      button.style.setProperty("--share", String(Math.round(100 * share)) + "%");
      button.dataset.dark = share > 0.55 ? "yes" : "no";
      return make("td", { class: "cell" }, button);
    };
    const box = make("div", { class: "scroll" }, make("table", { class: "map" },
      make("caption", {}, `${reading.label}; rows: ${labels[0]}, columns: ${labels[1]}`),
      make("thead", {}, make("tr", {}, make("td"), columns.map((column) => make("th", { scope: "col" }, column)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row), columns.map((column) => cell(row, column)))))));
    place.append(box);
    return { paint() {}, box };
  }

  /** The curves of a configuration's seeds, each a thin line. */
  async function seeds(place, point, figure) {
    const box = make("div", { class: "seeds" });
    place.replaceChildren(box);
    box.append(make("h3", {}, `${point.label}: every seed`));
    let found;
    try {
      found = await data.curves(point.one);
    } catch (error) {
      box.append(make("p", { class: "wrong" }, error.message));
      return null;
    }
    if (!box.isConnected) return null;
    if (!found.length) { box.append(make("p", { class: "hint" }, "No run of this configuration left a curve.")); return null; }
    const has = found.some((curve) => curve.val_accuracy.some((value) => value !== null));
    const reading = has ? charts.readings.val_accuracy(figure) : charts.readings.train_loss();
    const lines = () => found.map((curve, index) => ({
      label: `seed ${curve.seed}`, x: curve.step, width: 1.2, alpha: 0.8, colour: charts.lineColour(index),
      y: (has ? curve.val_accuracy : curve.train_loss).map((value) => (value === null ? null : reading.of(value))),
    }));
    const chart = charts.curves(box, { lines: lines(), label: reading.label, log: reading.log, height: 210, title: `${point.label}: ${reading.label} by step, every seed` });
    return { paint() { chart.lines(lines()); chart.paint(); }, close: chart.close };
  }

  return { dots, map, seeds };
})();
