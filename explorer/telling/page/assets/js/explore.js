"use strict";
/* EXPLORE: the configurations of a model on a data set as parallel lines and as a table, what a knob does, and two of
   them side by side. */

const explore = (() => {
  const { make, address, select, count, command } = core;
  const FIGURE_AXES = [
    { name: "seconds", label: "training s", of: (one) => one.seconds, log: true },
    { name: "parameters", label: "parameters", of: (one) => one.parameters, log: true },
    { name: "validation", label: "error %", of: (one) => (one.validation === null ? null : charts.FIGURES.error.of(one.validation)), log: true },
  ];
  const MOST_AXES = 9;

  function open(place, said, study) {
    const state = { figure: "error", ...said };
    const pairs = study.best.map((index) => study.configurations[index]);
    if (!study.configurations.length) {
      place.append(make("p", { class: "hint" }, "No run is recorded yet. PLAY trains one; python mnist_explorer.py mlp does, too."));
      return null;
    }
    const first = pairs[0] || study.configurations[0];
    if (!study.configurations.some((one) => one.dataset === state.data)) state.data = first.dataset;
    if (!study.configurations.some((one) => one.dataset === state.data && one.model === state.model)) {
      state.model = (study.configurations.find((one) => one.dataset === state.data && pairs.includes(one)) ||
        study.configurations.find((one) => one.dataset === state.data)).model;
    }
    const parts = {};
    let rows = [], runs = 0, lines = null, list = null, picture = null, curves = null;
    let kept = null;

    function keep() {
      address.replace("explore", state);
      const pinned = pins();
      command(pinned.first && pinned.second ? `python mnist_explorer.py compare ${pinned.first.id} ${pinned.second.id}`
        : parts.question && parts.question.command ? parts.question.command : `python mnist_explorer.py best ${state.model}`);
    }
    const pins = () => ({ first: study.byId.get(state.a) || null, second: study.byId.get(state.b) || null });

    // The frame
    const controls = make("div", { class: "controls" });
    const told = make("p", { class: "hint", id: "counted", "aria-live": "polite" });
    const linesCard = make("section", { class: "card wide", "aria-label": "Parallel coordinates" });
    const linesPlace = make("div", { class: "scroll" });
    const questionCard = make("section", { class: "card", id: "question", "aria-label": "What a knob does" });
    const pinsCard = make("section", { class: "card", id: "pins", "aria-label": "Two configurations side by side" });
    const tableCard = make("section", { class: "card wide", "aria-label": "Configurations" });
    const clear = make("button", { type: "button", onclick: () => lines.clear() }, "Remove brushes");
    linesCard.append(make("div", { class: "head" }, make("h2", {}, "Every configuration"), told, clear), linesPlace);
    const filter = make("input", { type: "search", id: "filter", value: state.filter || "", placeholder: "muon lr<0.01 test>99", "aria-describedby": "filter-wrong",
      oninput: (event) => { state.filter = event.target.value; refine(); keep(); } });
    const wrong = make("span", { class: "wrong", id: "filter-wrong", role: "status" });
    tableCard.append(make("div", { class: "head" }, make("h2", {}, "Table"), make("label", { class: "field" }, make("span", {}, "filter"), filter), wrong));
    place.append(controls, make("div", { class: "grid" }, linesCard, questionCard, pinsCard, tableCard));

    list = table.open(tableCard, {
      sort: state.sort,
      sorted: (order) => { state.sort = order; keep(); },
      actions: {
        first: (one) => pin("a", one),
        second: (one) => pin("b", one),
        look: (one) => { if (lines) lines.emphasise(one ? rows.indexOf(one) : -1); },
      },
    });

    /** Without a choice: what the question's baseline is, and what won. */
    function pinUsual() {
      const asked = usual();
      const idOf = (label) => { const point = asked.points.find((one) => one.label === label && one.configuration >= 0); return point ? study.configurations[point.configuration].id : ""; };
      if (asked) [state.a, state.b] = [idOf(asked.baseline), idOf(asked.winner)];
    }

    function pin(which, one) {
      state[which] = state[which] === one.id ? "" : one.id;
      list.pins(pins());
      side();
      keep();
    }

    function choose() {
      const models = study.models.filter((model) => study.configurations.some((one) => one.dataset === state.data && one.model === model.name));
      if (!models.some((model) => model.name === state.model)) state.model = models[0].name;
      controls.replaceChildren(
        select("data", study.datasets.map((one) => [one.name, one.title]), state.data, (value) => { state.data = value; reset(); }, { id: "data-set" }),
        select("model", models.map((one) => [one.name, one.title]), state.model, (value) => { state.model = value; reset(); }, { id: "model" }),
        select("figure", [["error", "error, log axis"], ["accuracy", "accuracy"]], state.figure, (value) => { state.figure = value; question(); keep(); }, { id: "figure" }));
    }
    function reset() {
      for (const name of ["brush", "ask", "cell", "filter"]) delete state[name];
      filter.value = "";
      choose();
      build();
    }

    // Parallel coordinates
    function axesOf(those) {
      const knobs = study.fields.map((field, index) => {
        const used = [...new Set(those.map((one) => one.values[index]))].filter((value) => value >= 0).sort((a, b) => a - b);
        return { field, index, used };
      }).filter(({ used }) => used.length > 1);
      knobs.sort((a, b) => spread(b, those) - spread(a, those));
      const chosen = (state.axes ? state.axes.split(",") : knobs.slice(0, MOST_AXES - FIGURE_AXES.length).map((knob) => knob.field.name));
      const axes = knobs.filter(({ field }) => chosen.includes(field.name)).sort((a, b) => a.index - b.index).map(({ field, index, used }) => {
        const rank = new Map(used.map((value, place) => [value, place]));
        const values = Float64Array.from(those, (one) => (one.values[index] < 0 ? NaN : rank.get(one.values[index])));
        const skip = Math.ceil(used.length / 14);
        return { name: field.name, label: field.label, values, low: 0, high: used.length - 1, log: false,
          ticks: used.map((value, at) => [at, field.values[value]]).filter((tick, at) => at % skip === 0) };
      });
      for (const { name, label, of, log } of FIGURE_AXES) {
        const values = Float64Array.from(those, (one) => { const value = of(one); return value === null || !(value > 0) ? NaN : value; });
        const there = values.filter((value) => !Number.isNaN(value));
        if (!there.length) continue;
        let low = Infinity, high = -Infinity;
        for (const value of there) { low = Math.min(low, value); high = Math.max(high, value); }
        if (high <= low) high = low * 1.01 + 1e-9;
        axes.push({ name, label, values, low, high, log, ticks: charts.logTicks(low, high).map((tick) => [tick, core.brief(tick)]) });
      }
      parts.knobs = knobs;
      return axes;
    }
    /** How much a knob is varied: in how many configurations that have it, it is not at its commonest value. */
    function spread({ index, used }, those) {
      const counts = new Map(used.map((value) => [value, 0]));
      for (const one of those) if (one.values[index] >= 0) counts.set(one.values[index], counts.get(one.values[index]) + 1);
      const every = [...counts.values()];
      return every.reduce((sum, value) => sum + value, 0) - Math.max(...every);
    }
    const brushes = () => Object.fromEntries((state.brush || "").split(";").filter(Boolean).map((text) => {
      const [name, range] = text.split(":");
      return [name, (range || "").split("..").map(Number)];
    }).filter(([, range]) => range.length === 2 && range.every(Number.isFinite)));
    const brushText = (said) => Object.entries(said).map(([name, [low, high]]) => `${name}:${Number(low.toPrecision(4))}..${Number(high.toPrecision(4))}`).join(";");

    function build() {
      rows = study.configurations.filter((one) => one.dataset === state.data && one.model === state.model);
      runs = rows.reduce((sum, one) => sum + one.runs.length, 0);
      if (lines) lines.close();
      const axes = axesOf(rows);
      const ranked = rows.map((one, index) => [one.validation === null ? -1 : one.validation, index]).sort((a, b) => a[0] - b[0]);
      const shade = new Float64Array(rows.length);
      ranked.forEach(([, index], rank) => { shade[index] = rows.length > 1 ? rank / (rows.length - 1) : 1; });
      const given = brushes();
      kept = null;
      lines = parallel.open(linesPlace, {
        axes, shade, brushes: Object.fromEntries(axes.filter((axis) => given[axis.name]).map((axis) => [axis.name, given[axis.name]])),
        changed: (those, said, last) => {
          kept = those;
          state.brush = brushText(said);
          tally();
          if (last) { refine(); keep(); }
        },
      });
      kept = lines.kept;
      refine();
      question();
      side();
      keep();
    }

    function tally() {
      let shown = 0;
      for (let index = 0; index < rows.length; index++) shown += kept[index];
      told.textContent = `${count(shown)} of ${count(rows.length)} configurations, ${count(runs)} runs. Blue is the best, red the worst.`;
    }
    function refine() {
      const asked = table.understood(state.filter || "", study);
      wrong.textContent = asked.wrong;
      list.show(rows.filter((one, index) => kept[index] && asked.accepts(one)), pins());
      tally();
    }

    // What a knob does
    function questions() {
      return study.sweeps.filter((sweep) => sweep.dataset === state.data && sweep.model === state.model);
    }
    function usual() {
      const those = questions();
      return those.find((one) => one.key.split("/")[2] === state.ask) || those.find((one) => one.key.endsWith("/lr")) || those[0];
    }
    function question() {
      if (curves) curves.close();
      curves = picture = null;
      const those = questions();
      questionCard.replaceChildren(make("div", { class: "head" }, make("h2", {}, "What a knob does")));
      if (!those.length) {
        parts.question = null;
        questionCard.append(make("p", { class: "hint" }, "No question was asked of this model on these data: python mnist_explorer.py list has all there are."));
        return;
      }
      const sweep = usual();
      parts.question = sweep;
      questionCard.firstChild.append(select("question", those.map((one) => [one.key.split("/")[2], `${one.title}${one.own ? " (yours)" : ""}`]),
        sweep.key.split("/")[2], (value) => { state.ask = value; delete state.cell; question(); keep(); }, { id: "ask" }));
      questionCard.append(make("p", {}, sweep.question));
      const points = sweep.points.map((point) => ({ ...point, one: point.configuration < 0 ? null : study.configurations[point.configuration] }));
      const picked = points.find((point) => point.label === state.cell) || null;
      const below = make("div", { class: "below", "aria-live": "polite" });
      const chosen = (point) => { state.cell = state.cell === point.label ? "" : point.label; question(); keep(); focusOn(point.label); };
      const pair = sweep.knobs.length === 2 && points.every((point) => point.values.length === 2);
      const both = { figure: state.figure, picked, chosen, baseline: sweep.baseline, winner: sweep.winner };
      if (pair) {
        const rowsOf = [...new Set(points.map((point) => point.values[0]))], columns = [...new Set(points.map((point) => point.values[1]))];
        if (new Set(points.map((point) => point.values.join("/"))).size === points.length) {
          picture = response.map(questionCard, { ...both, rows: rowsOf, columns, labels: sweep.axes,
            at: (row, column) => points.find((point) => point.values[0] === row && point.values[1] === column) });
        }
      }
      if (!picture) {
        picture = response.dots(questionCard, { ...both, points, title: sweep.title, axis: sweep.axes.length === 1 ? sweep.axes[0] : "",
          joined: sweep.knobs.length === 1 && points.every((point) => !Number.isNaN(Number(point.values[0]))) });
      }
      const said = [];
      if (sweep.winner) said.push(`Best on validation: ${sweep.winner}${sweep.ties.length ? `; as far as these runs tell, ${sweep.ties.slice(0, 6).join("; ")} may be as good` : ""}.`);
      if (sweep.hypothesis) said.push(`Hypothesis ${sweep.hypothesis}.`);
      questionCard.append(make("p", { class: "hint" }, said.join(" ")), below);
      if (picked && picked.one) {
        below.append(make("p", {}, make("b", {}, picked.label), `: validation ${picked.one.told} % (n=${picked.one.n})`,
          picked.against ? `, against the baseline ${picked.against} points: ${picked.verdict}` : picked.verdict ? `, ${picked.verdict}` : "", " ",
          make("button", { type: "button", class: "pin", onclick: () => pin("a", picked.one) }, "A"), make("button", { type: "button", class: "pin", onclick: () => pin("b", picked.one) }, "B")));
        const spot = make("div");
        below.append(spot);
        response.seeds(spot, picked, state.figure).then((made) => { curves = made; });
      } else below.append(make("p", { class: "hint" }, `Choose a ${pair ? "cell" : "point"} to see the curves of its seeds.`));
    }
    function focusOn(label) {
      for (const node of questionCard.querySelectorAll("[data-label]")) if (node.dataset.label === label) { node.focus(); return; }
    }

    // Two side by side
    async function side() {
      const { first: one, second: other } = pins();
      const face = (configuration, letter) => make("div", { class: "pinned" }, make("h3", {}, `${letter} `, configuration ? configuration.name : "not pinned yet"),
        configuration ? [make("p", {}, `${study.title("models", configuration.model)} on ${study.title("datasets", configuration.dataset)}`),
          make("dl", {}, [["validation %", `${configuration.told} (n=${configuration.n})`],
            ["test %", configuration.testTold], ["training", core.seconds(configuration.seconds)],
            ["parameters", count(configuration.parameters)]].map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
          trained(configuration),
        ] : make("p", { class: "hint" }, `Press ${letter} in the table, or on a point.`));
      const verdict = make("div", { class: "verdict", "aria-live": "polite" });
      pinsCard.replaceChildren(make("div", { class: "head" }, make("h2", {}, "Side by side"),
        one || other ? make("button", { type: "button", onclick: () => { state.a = state.b = ""; list.pins(pins()); side(); keep(); } }, "Unpin") : null),
        make("div", { class: "pair" }, face(one, "A"), face(other, "B")), verdict);
      if (!one || !other) return;
      let found;
      try {
        found = await data.compare(one, other);
      } catch (error) {
        verdict.append(make("p", { class: "wrong" }, error.message));
        return;
      }
      if (!verdict.isConnected) return;
      verdict.append(make("p", { class: "sentence" }, found.sentence), found.test ? make("p", { class: "hint" }, `Test, which only reports: ${found.test}.`) : null,
        found.differs.length ? make("table", { class: "differs" }, make("thead", {}, make("tr", {}, ["what differs", "A", "B"].map((head) => make("th", { scope: "col" }, head)))),
          make("tbody", {}, found.differs.map((line) => make("tr", {}, make("th", { scope: "row" }, line.label), make("td", {}, line.first), make("td", {}, line.second)))))
          : make("p", { class: "hint" }, "They are the same configuration."));
    }
    /** The command that trains a configuration, and PLAY with the same knobs. */
    function trained(configuration) {
      const line = make("code", { class: "line", tabindex: "0" }), link = make("a", { href: "#play" }, "Play with it");
      data.command(configuration).then((text) => {
        line.textContent = text;
        const said = { model: configuration.model }, words = text.split(" ").slice(3);
        for (let index = 0; index + 1 < words.length; index += 2) said[words[index].slice(2).replaceAll("-", "_")] = words[index + 1];
        link.href = address.text("play", said);
      }).catch((error) => { line.textContent = error.message; });
      return [line, make("p", {}, link)];
    }

    choose();
    if (!("a" in said) && !("b" in said)) pinUsual();
    build();
    const resized = new ResizeObserver(core.onceAFrame(() => { if (picture && picture.box.isConnected) picture.paint(); }));
    resized.observe(questionCard);
    return {
      paint() { if (lines) lines.paint(); if (picture) picture.paint(); if (curves) curves.paint(); },
      close() { resized.disconnect(); if (lines) lines.close(); if (curves) curves.close(); },
    };
  }

  return { open };
})();
