"use strict";
/* Parallel coordinates: a line a run, an axis a knob or figure. Brush axes by mouse, touch or keys.

   A few lines lie faint in a picture that is drawn once; those within the brushes are drawn over it. Frames are kept short
   whatever their number: lines are drawn in a shuffled order, so many in a frame as the last frames had time for (what a
   canvas is told is drawn later, so only the time between frames says how long it takes), the rest in the next ones. */

const parallel = (() => {
  const { make, onceAFrame, colour, brief } = core;
  const SLOW = 26, QUICK = 20; // milliseconds between frames, beyond which fewer lines are drawn in one, or more
  const LEAST = 24, MOST = 4000; // lines in a frame
  const GHOSTS = 300;
  const TOP = 46, BOTTOM = 18, SIDE = 44;

  /**
   * axes: [{name, label, values: Float64Array of the rows (NaN: none), ticks: [[value, text]], log, low, high}]
   * shade: Float64Array, 0 (bad) to 1 (good) a row. brushes: {axis name: [low, high]}. changed(kept: Uint8Array).
   */
  function open(place, { axes, shade, brushes, changed }) {
    const rows = shade.length;
    const box = make("div", { class: "parallel" });
    const behind = make("canvas", { "aria-hidden": "true" });
    const front = make("canvas", { "aria-hidden": "true" });
    const ghosts = make("canvas", { "aria-hidden": "true" });
    const words = make("canvas", { "aria-hidden": "true" });
    const over = make("div", { class: "axes" });
    box.append(ghosts, behind, front, words, over);
    place.append(box);
    const order = shuffled(rows);
    const kept = new Uint8Array(rows).fill(1);
    const xs = new Float32Array(axes.length), ys = new Float32Array(rows * axes.length); // a row's places side by side
    let width = 0, height = 0, gap = 0, frame = 0, hairline = 1;
    let emphasised = -1;
    let share = 300; // lines in a frame
    let before = 0; // when the last frame was drawn
    const isBrushed = () => Object.keys(brushes).length > 0;

    function along(axis, value) {
      if (axis.log) return Math.log(Math.max(value, axis.low) / axis.low) / Math.log(axis.high / axis.low);
      return axis.high > axis.low ? (value - axis.low) / (axis.high - axis.low) : 0.5;
    }
    function back(axis, share) {
      if (axis.log) return axis.low * (axis.high / axis.low) ** share;
      return axis.low + share * (axis.high - axis.low);
    }
    const yOf = (axis, value) => height - BOTTOM - along(axis, value) * (height - TOP - BOTTOM);
    const xOf = (index) => SIDE + index * gap;

    function layout() {
      width = Math.max(box.clientWidth, 260);
      const needed = SIDE * 2 + (axes.length - 1) * 76;
      width = Math.max(width, needed); // a narrow screen scrolls
      height = Math.max(260, Math.min(420, Math.round(innerHeight * 0.42)));
      gap = axes.length > 1 ? (width - 2 * SIDE) / (axes.length - 1) : 0;
      const dense = Math.min(devicePixelRatio || 1, 2);
      hairline = 1 / dense; // of one pixel: wider lines are outlined and filled, which takes several times as long
      for (const canvas of [ghosts, behind, front, words]) {
        canvas.width = Math.round(width * dense);
        canvas.height = Math.round(height * dense);
        canvas.style.width = `${width}px`;
        canvas.style.height = `${height}px`;
        canvas.getContext("2d").setTransform(dense, 0, 0, dense, 0, 0);
      }
      over.style.width = `${width}px`;
      over.style.height = `${height}px`;
      axes.forEach((axis, index) => {
        xs[index] = xOf(index);
        for (let row = 0, at = index; row < rows; row++, at += axes.length) {
          const value = axis.values[row];
          ys[at] = Number.isNaN(value) ? height - 4 : yOf(axis, value);
        }
      });
      for (const axis of axes) axis.gaps = axis.values.some(Number.isNaN);
      headings();
      paint();
    }

    function line(context, row) {
      const at = row * axes.length;
      context.moveTo(xs[0], ys[at]);
      for (let index = 1; index < axes.length; index++) context.lineTo(xs[index], ys[at + index]);
    }

    const SHADES = 12;
    let palette = [];
    function mixed() {
      const parse = (text) => text.match(/[\da-f]{2}/gi).map((part) => parseInt(part, 16));
      const [bad, middle, good] = ["shade-bad", "shade-middle", "shade-good"].map((name) => parse(colour(name)));
      palette = [];
      for (let step = 0; step < SHADES; step++) {
        const at = (2 * step) / (SHADES - 1);
        const [from, to, share] = at < 1 ? [bad, middle, at] : [middle, good, at - 1];
        palette.push(`rgb(${from.map((part, index) => Math.round(part + share * (to[index] - part))).join(",")})`);
      }
    }
    const shadeOf = (row) => Math.max(0, Math.min(SHADES - 1, Math.round((Number.isNaN(shade[row]) ? 0 : shade[row]) * (SHADES - 1))));

    /** Draws rows in the shuffled order, a frame's worth at a time. */
    function progressively(context, wanted, style) {
      let at = 0;
      const step = (now) => {
        const gap = now - before;
        if (gap > SLOW && gap < 2000) share = Math.max(LEAST, Math.round(share * (gap > 2 * SLOW ? 0.4 : 0.7)));
        else if (gap < QUICK) share = Math.min(MOST, Math.round(share * 1.3));
        before = now;
        const batch = Array.from({ length: SHADES }, () => []);
        for (let count = 0; count < share && at < rows; at++) {
          const row = order[at];
          if (wanted(row)) { batch[shadeOf(row)].push(row); count++; }
        }
        batch.forEach((those, shade) => {
          if (!those.length) return;
          context.strokeStyle = style(shade);
          context.beginPath();
          for (const row of those) line(context, row);
          context.stroke();
        });
        frame = at < rows ? requestAnimationFrame(step) : 0;
        if (!frame) box.dataset.drawn = String(Number(box.dataset.drawn || 0) + 1);
      };
      step(performance.now());
    }

    function paint() {
      cancelAnimationFrame(frame);
      mixed();
      ticks();
      ghostLines();
      paintFront();
    }

    function paintFront() {
      cancelAnimationFrame(frame);
      const context = front.getContext("2d");
      context.clearRect(0, 0, width, height);
      let shown = 0;
      for (let row = 0; row < rows; row++) shown += kept[row];
      context.lineWidth = hairline;
      context.globalAlpha = Math.max(0.12, Math.min(0.85, 60 / Math.sqrt(shown * 40 + 1)));
      frameLines();
      if (emphasised >= 0) { emphasise(); return; }
      progressively(context, (row) => kept[row] === 1, (step) => palette[step]);
    }

    /** Some rows, faint, to be seen where a brush takes away lines. */
    function ghostLines() {
      const context = ghosts.getContext("2d");
      context.clearRect(0, 0, width, height);
      context.strokeStyle = colour("ghost");
      context.lineWidth = hairline;
      context.globalAlpha = 0.3;
      context.beginPath();
      for (let index = 0; index < Math.min(rows, GHOSTS); index++) line(context, order[index]);
      context.stroke();
    }

    /** The axes themselves, and the brushes. */
    function frameLines() {
      const under = behind.getContext("2d");
      under.clearRect(0, 0, width, height);
      ghosts.style.display = isBrushed() ? "" : "none";
      under.strokeStyle = colour("axis");
      under.lineWidth = 1;
      under.beginPath();
      axes.forEach((axis, index) => { under.moveTo(xOf(index), TOP); under.lineTo(xOf(index), height - BOTTOM); });
      under.stroke();
      under.fillStyle = colour("accent");
      under.globalAlpha = 0.22;
      axes.forEach((axis, index) => {
        const range = brushes[axis.name];
        if (!range) return;
        const [low, high] = range;
        const top = yOf(axis, Math.min(high, axis.high));
        under.fillRect(xOf(index) - 9, top - 3, 18, yOf(axis, Math.max(low, axis.low)) - top + 6);
      });
      under.globalAlpha = 1;
    }

    /** What the axes say, above the lines, each word with a rim of paper around it. */
    function ticks() {
      const context = words.getContext("2d");
      context.clearRect(0, 0, width, height);
      context.fillStyle = colour("ink");
      context.strokeStyle = colour("card");
      context.lineWidth = 3.5;
      context.lineJoin = "round";
      context.font = "11px system-ui, sans-serif";
      axes.forEach((axis, index) => {
        const last = index === axes.length - 1;
        context.textAlign = last ? "right" : "left";
        let above = Infinity;
        const tell = (text, y) => {
          const place = [text, xOf(index) + (last ? -5 : 5), y + 3.5, gap ? gap - 8 : 80];
          context.strokeText(...place);
          context.fillText(...place);
        };
        for (const [value, text] of axis.ticks) {
          const y = yOf(axis, value);
          if (above - y < 12 && above !== Infinity) continue;
          above = y;
          tell(text, y);
        }
        if (axis.gaps) tell("none", height - 4);
      });
    }

    function emphasise() {
      const context = front.getContext("2d");
      context.globalAlpha = 1;
      context.lineWidth = 2.5;
      context.strokeStyle = colour("accent");
      context.beginPath();
      line(context, emphasised);
      context.stroke();
    }

    function filter() {
      kept.fill(1);
      axes.forEach((axis) => {
        const range = brushes[axis.name];
        if (!range) return;
        const [low, high] = range;
        const air = 1e-9 * (Math.abs(high) + Math.abs(low));
        for (let row = 0; row < rows; row++) {
          if (!(axis.values[row] >= low - air && axis.values[row] <= high + air)) kept[row] = 0;
        }
      });
    }

    const brushed = onceAFrame((last) => {
      filter();
      paintFront();
      changed(kept, brushes, last);
    });

    function setBrush(axis, range, last) {
      if (range === null) delete brushes[axis.name];
      else brushes[axis.name] = range;
      label(axis);
      cancelAnimationFrame(frame); // what it would draw is wiped away in the same frame
      brushed(last);
    }

    const buttons = new Map();
    function told(axis) {
      const range = brushes[axis.name];
      return `${axis.label}: ${range ? `${brief(range[0])} to ${brief(range[1])}` : "all"}. Arrows move the upper end of the brush, with Shift the lower; Delete removes it.`;
    }
    function label(axis) {
      const button = buttons.get(axis.name);
      if (!button) return;
      button.setAttribute("aria-label", told(axis));
      button.classList.toggle("brushed", Boolean(brushes[axis.name]));
    }

    function headings() {
      over.replaceChildren(...axes.map((axis, index) => {
        const strip = make("div", { class: "strip" });
        strip.style.left = `${xOf(index) - 14}px`;
        strip.style.top = `${TOP - 4}px`;
        strip.style.height = `${height - TOP - BOTTOM + 8}px`;
        strip.addEventListener("pointerdown", (event) => drag(event, axis));
        const button = make("button", { type: "button", class: "axis", "data-axis": axis.name, onkeydown: (event) => keys(event, axis),
          ondblclick: () => setBrush(axis, null, true), title: "Drag along the axis to brush; double click removes the brush" }, axis.label);
        button.style.left = `${Math.max(0, Math.min(width - 80, xOf(index) - 40))}px`;
        buttons.set(axis.name, button);
        queueMicrotask(() => label(axis));
        return [button, strip];
      }).flat());
    }

    function drag(event, axis) {
      event.preventDefault();
      const strip = event.currentTarget;
      strip.setPointerCapture(event.pointerId);
      const at = (moved) => {
        const y = moved.clientY - over.getBoundingClientRect().top;
        return back(axis, Math.max(0, Math.min(1, (height - BOTTOM - y) / (height - TOP - BOTTOM))));
      };
      const start = at(event), startY = event.clientY;
      const move = (moved) => { const end = at(moved); setBrush(axis, [Math.min(start, end), Math.max(start, end)], false); };
      const end = (ended) => {
        strip.removeEventListener("pointermove", move);
        strip.removeEventListener("pointerup", end);
        strip.removeEventListener("pointercancel", end);
        if (Math.abs(ended.clientY - startY) < 4) setBrush(axis, null, true); // a click, not a drag
        else setBrush(axis, brushes[axis.name] || null, true);
      };
      strip.addEventListener("pointermove", move);
      strip.addEventListener("pointerup", end);
      strip.addEventListener("pointercancel", end);
    }

    function keys(event, axis) {
      const up = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
      if (event.key === "Delete" || event.key === "Backspace" || event.key === "Escape") {
        event.preventDefault();
        setBrush(axis, null, true);
      } else if (up) {
        event.preventDefault();
        const [low, high] = brushes[axis.name] || [axis.low, axis.high];
        const stepped = (value) => back(axis, Math.max(0, Math.min(1, along(axis, value) + up * 0.05)));
        const next = event.shiftKey ? [Math.min(stepped(low), high), high] : [low, Math.max(stepped(high), low)];
        setBrush(axis, next, true);
      }
    }

    const resized = new ResizeObserver(onceAFrame(() => { if (box.isConnected && Math.abs(box.clientWidth - seen) > 1) { seen = box.clientWidth; layout(); } }));
    let seen = box.clientWidth;
    filter();
    layout();
    resized.observe(box);
    return {
      kept,
      paint,
      clear() { for (const axis of axes) { delete brushes[axis.name]; label(axis); } brushed(true); },
      emphasise(row) { if (row !== emphasised) { emphasised = row; paintFront(); } },
      close() { cancelAnimationFrame(frame); resized.disconnect(); box.remove(); },
    };
  }

  function shuffled(count) {
    const order = Uint32Array.from({ length: count }, (nothing, index) => index);
    let state = 12345;
    for (let index = count - 1; index > 0; index--) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const other = state % (index + 1);
      [order[index], order[other]] = [order[other], order[index]];
    }
    return order;
  }

  return { open };
})();
