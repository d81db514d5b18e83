"use strict";
/* DRAW: a picture by hand or from the gallery of mistakes, and what the kept nets say of it, at once. */

const draw = (() => {
  const { make, address, select, percent, command, onceAFrame } = core;
  const CHANGES = [
    { name: "rotate", label: "rotate", low: -180, high: 180, step: 1, unit: "°" },
    { name: "x", label: "shift →", low: -8, high: 8, step: 0.5, unit: " px" },
    { name: "y", label: "shift ↓", low: -8, high: 8, step: 0.5, unit: " px" },
    { name: "noise", label: "noise", low: 0, high: 120, step: 2, unit: "" },
  ];
  const FILTERS = 32;

  function open(place, said, study) {
    const state = { ...said };
    let nets = [], galleries = [], image = null, closed = false;
    const asked = new Map(); // id -> net, ready to be asked
    place.append(make("p", { class: "hint" }, "Fetching the nets"));

    Promise.all([data.nets(), data.galleries()]).then(([these, those]) => {
      if (closed) return;
      nets = these;
      galleries = those;
      start();
    }).catch((error) => { if (!closed) place.replaceChildren(make("p", { class: "wrong" }, error.message)); });

    function start() {
      const sets = [...new Set([...nets.map((one) => one.dataset), ...galleries.map((one) => one.dataset)])];
      if (!sets.length) {
        place.replaceChildren(make("section", { class: "card" }, make("h2", {}, "No net is kept yet"),
          make("p", {}, "A run with --keep leaves its net beside its record; it will be here when the page is loaded again."), make("code", { class: "line" }, "python mnist_explorer.py mlp --keep")));
        command("python mnist_explorer.py mlp --keep");
        return;
      }
      if (!sets.includes(state.data)) state.data = sets[0];
      const controls = make("div", { class: "controls" });
      const drawing = make("section", { class: "card", "aria-label": "Drawing" });
      const answers = make("section", { class: "card", "aria-label": "Answers", "aria-live": "off" });
      const inside = make("section", { class: "card wide", id: "inside", "aria-label": "Inside the nets" });
      const gallery = make("section", { class: "card wide", id: "gallery", "aria-label": "The surest mistakes" });
      place.replaceChildren(controls, make("div", { class: "grid draw" }, drawing, answers, inside, gallery));

      const canvas = make("canvas", { id: "paper", tabindex: "0", role: "img",
        "aria-label": "Drawing paper. Arrow keys move the pen, Space draws while held, C clears." });
      const seen = make("canvas", { id: "seen", "aria-label": "What the nets see" });
      let pen = null, size = [28, 28];

      function setUp() {
        const one = nets.find((net) => net.dataset === state.data) || galleries.find((those) => those.dataset === state.data);
        size = [one.height, one.width];
        image = (state.picture && digits.unpacked(state.picture, ...size)) || digits.blank(...size);
        pen = { x: size[1] / 2, y: size[0] / 2, down: false };
        controls.replaceChildren(
          select("data", sets.map((name) => [name, study.title("datasets", name)]), state.data, (value) => {
            for (const name of Object.keys(state)) delete state[name];
            state.data = value;
            setUp();
          }, { id: "draw-data" }),
          ...CHANGES.map(({ name, label, low, high, step, unit }) => {
            const shown = make("output", {}, `${state[name] || 0}${unit}`);
            return make("label", { class: "field" }, make("span", {}, label), make("input", { type: "range", id: `change-${name}`, min: low, max: high, step, value: state[name] || 0,
              oninput: (event) => { state[name] = Number(event.target.value) || ""; shown.textContent = `${state[name] || 0}${unit}`; ask(); keepSoon(); } }), shown);
          }),
          make("label", { class: "field" }, make("input", { type: "checkbox", id: "framing", checked: state.framing !== "off",
            onchange: (event) => { state.framing = event.target.checked ? "" : "off"; ask(); keep(); } }), make("span", {}, "frame the drawing as the data set does")),
          make("button", { type: "button", id: "clear", onclick: wipe }, "Clear"));
        fetchNets();
        showGallery();
        ask();
        keep();
      }

      function wipe() {
        image = digits.blank(...size);
        for (const name of ["picture", "rotate", "x", "y", "noise", "mistake"]) delete state[name];
        setUp();
      }
      const keep = () => {
        address.replace("draw", state);
        const mine = chosen()[0];
        command(mine ? `python mnist_explorer.py predict drawing.png --model ${mine.id}` : "");
      };
      let soon = 0;
      const keepSoon = () => { clearTimeout(soon); soon = setTimeout(keep, 250); };

      /** One net a model: the best that is kept, or the one that was chosen. */
      function chosen() {
        const models = [...new Set(nets.filter((one) => one.dataset === state.data).map((one) => one.model))];
        return models.map((model) => {
          const those = nets.filter((one) => one.dataset === state.data && one.model === model);
          return those.find((one) => one.id === state[`net-${model}`]) || those[0];
        });
      }
      const columns = new Map();
      function fetchNets() {
        columns.clear();
        answers.replaceChildren(make("div", { class: "head" }, make("h2", {}, "What the nets say")));
        const box = make("div", { class: "pair" });
        answers.append(box);
        if (!chosen().length) box.append(make("p", { class: "hint" }, "No net of this data set is here: python mnist_explorer.py mlp --keep leaves one."));
        for (const one of chosen()) {
          const those = nets.filter((other) => other.dataset === state.data && other.model === one.model);
          const bars = make("div", { class: "bars", "data-model": one.model });
          const verdict = make("p", { class: "answer", "data-model": one.model }, "…");
          const time = make("span", { class: "hint" });
          box.append(make("div", {}, those.length > 1
            ? select("", those.map((other) => [other.id, `${study.title("models", other.model)} ${other.name}, ${percent(other.test)} %`]), one.id,
              (value) => { state[`net-${one.model}`] = value; fetchNets(); ask(); keep(); }, { "aria-label": `which ${one.model}` })
            : make("h3", {}, `${study.title("models", one.model)}: ${one.name}`, make("span", { class: "hint" }, ` test ${percent(one.test)} %`)), verdict, bars, time));
          const rows = one.classes.map((name) => {
            const bar = make("i"), figure = make("span", { class: "figure" });
            bars.append(make("div", { class: "bar" }, make("span", {}, name), make("div", { class: "way" }, bar), figure));
            return { bar, figure };
          });
          columns.set(one.id, { verdict, rows, time });
          if (!asked.has(one.id)) {
            data.weights(one).then((buffer) => { asked.set(one.id, net.ready(one, buffer)); if (!closed) ask(); })
              .catch((error) => { verdict.textContent = error.message; });
          }
        }
      }

      const looked = () => {
        const framing = state.mistake || state.framing === "off" ? null : (chosen()[0] || {}).framing;
        return digits.changed(digits.framed(image, framing), { rotate: Number(state.rotate) || 0, x: Number(state.x) || 0, y: Number(state.y) || 0, noise: Number(state.noise) || 0 });
      };
      let slow = 0;
      function answer() {
        if (closed) return;
        digits.show(canvas, image);
        const view = looked();
        digits.show(seen, view);
        const empty = !view.pixels.some((value) => value > 20);
        for (const one of chosen()) {
          const column = columns.get(one.id), ready = asked.get(one.id);
          if (!column || !ready) continue;
          const began = performance.now();
          const found = net.ask(ready, view.pixels);
          const spent = performance.now() - began;
          const order = found.probabilities.map((value, index) => [value, index]).sort((a, b) => b[0] - a[0]);
          column.verdict.textContent = empty ? "nothing is drawn" : `${one.classes[order[0][1]]}, ${percent(order[0][0], 1)} %`;
          column.verdict.dataset.answer = empty ? "" : one.classes[order[0][1]];
          column.time.textContent = `${spent.toFixed(1)} ms`;
          column.time.dataset.ms = spent.toFixed(2);
          column.rows.forEach(({ bar, figure }, index) => {
            const share = empty ? 0 : found.probabilities[index];
            bar.style.width = `${(100 * share).toFixed(1)}%`;
            bar.className = index === order[0][1] ? "most" : "";
            figure.textContent = empty ? "" : percent(share, 1);
          });
          column.found = found;
        }
        clearTimeout(slow);
        slow = setTimeout(showInside, 120);
      }
      const ask = onceAFrame(answer);

      /** The first layer of each net, and what it makes of the picture. */
      function showInside() {
        if (closed) return;
        inside.replaceChildren(make("div", { class: "head" }, make("h2", {}, "First layer"), make("span", { class: "hint" }, "weights, and below each what it makes of the picture")));
        for (const one of chosen()) {
          const found = (columns.get(one.id) || {}).found;
          if (!found || !found.first) continue;
          const { layer, values, channels, height, width } = found.first;
          const images = layer.kind === "conv2d";
          const [high, wide] = images ? [layer.side, layer.side] : size;
          const each = high * wide;
          if (layer.inputs !== (images ? 1 : each)) continue;
          let those = Array.from({ length: channels }, (nothing, index) => index);
          if (!images) those = those.sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])); // the ones this picture moves most
          those = those.slice(0, FILTERS);
          inside.append(make("h3", {}, `${study.title("models", one.model)}: ${images ? `${Math.min(channels, FILTERS)} of ${channels} filters` : `the ${those.length} of ${channels} units that answer most strongly`}`),
            make("div", { class: "filters" }, those.map((index) => {
              const weights = make("canvas"), says = images ? make("canvas") : make("span", { class: "hint" }, values[index].toFixed(2));
              digits.showValues(weights, layer.weight.subarray(index * each, (index + 1) * each), high, wide, true);
              if (images) digits.showValues(says, values.subarray(index * height * width, (index + 1) * height * width), height, width, false);
              return make("figure", {}, weights, says);
            })));
        }
      }

      function showGallery() {
        const those = galleries.filter((one) => one.dataset === state.data);
        gallery.replaceChildren(make("div", { class: "head" }, make("h2", {}, "The surest mistakes")));
        if (!those.length) {
          gallery.append(make("p", { class: "hint" }, "The images of this data set are not at hand, or no best net left what it says of them."));
          return;
        }
        const shown = those.find((one) => one.model === state.of) || those[0];
        const names = [["", "any"], ...shown.classes.map((name, index) => [String(index), name])];
        const pick = (name) => (value) => { state[name] = value; showGallery(); keep(); };
        const fitting = shown.mistakes.filter((one) => (!state.true || one.truth === Number(state.true)) && (!state.taken || one.predicted === Number(state.taken)));
        gallery.firstChild.append(
          select("of", those.map((one) => [one.model, study.title("models", one.model)]), shown.model, pick("of"), { id: "gallery-of" }),
          select("is", names, state.true || "", pick("true"), { id: "gallery-true" }), select("taken for", names, state.taken || "", pick("taken"), { id: "gallery-taken" }),
          make("span", { class: "hint" }, `${shown.name}: ${core.count(shown.wrong)} of ${core.count(shown.tested)} wrong, ${fitting.length} shown. Choose one to ask the nets about it.`));
        const each = shown.height * shown.width;
        gallery.append(make("div", { class: "mistakes" }, fitting.map((one) => {
          const small = make("canvas");
          const pixels = Float32Array.from(shown.pixels.subarray(one.place * each, (one.place + 1) * each));
          digits.show(small, { height: shown.height, width: shown.width, pixels });
          return make("button", { type: "button", "data-index": one.index, "aria-pressed": state.mistake === `${shown.model}-${one.index}` ? "true" : "false",
            onclick: () => { image = { height: shown.height, width: shown.width, pixels }; state.mistake = `${shown.model}-${one.index}`; state.picture = digits.packed(image); ask(); keep();
              for (const other of gallery.querySelectorAll(".mistakes button")) other.setAttribute("aria-pressed", other.dataset.index === String(one.index) ? "true" : "false"); } },
          small, make("span", {}, `${shown.classes[one.truth]} → ${shown.classes[one.predicted]}`), make("span", { class: "hint" }, `${percent(one.confidence, 0)} %`));
        })));
      }

      // The pen
      const at = (event) => {
        const box = canvas.getBoundingClientRect();
        return [((event.clientX - box.left) / box.width) * size[1], ((event.clientY - box.top) / box.height) * size[0]];
      };
      const radius = () => Math.max(0.6, size[0] / 28);
      function own() {
        if (state.mistake) { image = digits.blank(...size); delete state.mistake; showGallery(); }
      }
      canvas.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        canvas.focus();
        canvas.setPointerCapture(event.pointerId);
        own();
        const [x, y] = at(event);
        dot.hidden = true; // the mouse has a pointer of its own
        pen = { x, y, down: true, erase: event.button === 2 || event.shiftKey };
        digits.stroke(image, x, y, x, y, radius(), pen.erase ? 0 : 255);
        ask();
      });
      canvas.addEventListener("pointermove", (event) => {
        if (!pen.down) return;
        for (const part of event.getCoalescedEvents ? event.getCoalescedEvents() : [event]) {
          const [x, y] = at(part);
          digits.stroke(image, pen.x, pen.y, x, y, radius(), pen.erase ? 0 : 255);
          [pen.x, pen.y] = [x, y];
        }
        ask();
      });
      const lift = () => { if (pen.down) { pen.down = false; state.picture = digits.packed(image); keep(); } };
      canvas.addEventListener("pointerup", lift);
      canvas.addEventListener("pointercancel", lift);
      canvas.addEventListener("contextmenu", (event) => event.preventDefault());
      canvas.addEventListener("keydown", (event) => {
        const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] || [0, 0];
        if (event.key === "c" || event.key === "C") { wipe(); canvas.focus(); return; }
        if (event.key === " ") { event.preventDefault(); if (!pen.down) own(); pen.down = true; digits.stroke(image, pen.x, pen.y, pen.x, pen.y, radius()); ask(); return; }
        if (!dx && !dy) return;
        event.preventDefault();
        dot.hidden = false;
        const x = Math.max(0, Math.min(size[1], pen.x + dx)), y = Math.max(0, Math.min(size[0], pen.y + dy));
        if (pen.down) digits.stroke(image, pen.x, pen.y, x, y, radius());
        [pen.x, pen.y] = [x, y];
        dot.style.left = `${(100 * pen.x) / size[1]}%`;
        dot.style.top = `${(100 * pen.y) / size[0]}%`;
        ask();
      });
      canvas.addEventListener("keyup", (event) => { if (event.key === " ") lift(); });
      const dot = make("i", { class: "pen" });
      drawing.append(make("div", { class: "head" }, make("h2", {}, "Draw here"), make("span", { class: "hint" }, "Shift or the right button rubs out")),
        make("div", { class: "papers" }, make("div", { class: "paper" }, canvas, dot), make("figure", {}, seen, make("figcaption", { class: "hint" }, "what the nets see"))));
      setUp();
    }

    return { close() { closed = true; } };
  }

  return { open };
})();
