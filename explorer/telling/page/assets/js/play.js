"use strict";
/* PLAY: knobs made from the program's own fields, Train and Stop, and curves that grow while it trains. */

const play = (() => {
  const { make, address, select, percent, command, brief, say } = core;
  const GHOSTS = 6;
  const FIRST = ["lr", "batch_size", "optimizer", "steps", "units", "filters", "activation", "dropout"];

  function open(place, said, study) {
    if (!data.live) {
      place.append(make("section", { class: "card" }, make("h2", {}, "Training needs the server"),
        make("p", {}, "This is a file, and a file cannot train. The same page with a server behind it can:"), make("code", { class: "line" }, "python mnist_explorer.py page")));
      command("python mnist_explorer.py page");
      return null;
    }
    const state = { ...said };
    let known = {}, rows = new Map(), settled = null, closed = false, stopHearing = null;
    let runs = [], charts2 = null, dropping = 0;
    const knobsPlace = make("div", { class: "knobs" });
    const rest = make("details", { class: "rest" }, make("summary", {}, "Not in play with these"));
    const wrong = make("p", { class: "wrong", role: "status" });
    const status = make("p", { class: "status", "aria-live": "polite" }, "Nothing trains.");
    const train = make("button", { type: "button", class: "main", id: "train", onclick: begin }, "Train");
    const stop = make("button", { type: "button", id: "stop", onclick: end, disabled: true }, "Stop");
    const auto = make("input", { type: "checkbox", id: "auto", checked: state.auto === "on",
      onchange: (event) => { state.auto = event.target.checked ? "on" : ""; keep(); } });
    const models = make("div", { class: "controls" });
    const curvesPlace = make("div", { class: "twin" });
    const last = make("div", { class: "scroll" });
    const lost = make("p", { class: "wrong" });
    place.append(make("div", { class: "grid play" },
      make("section", { class: "card", "aria-label": "Knobs" }, models, knobsPlace, rest),
      make("section", { class: "card", "aria-label": "Training" }, make("div", { class: "head" }, train, stop, make("label", { class: "field" }, auto, make("span", {}, "train at every change"))),
        wrong, lost, status, curvesPlace, last)));

    const fields = () => Object.fromEntries(Object.entries(state).filter(([name, value]) => !["model", "auto"].includes(name) && value !== ""));

    data.json("api/knobs").then((found) => {
      if (closed) return;
      known = found;
      if (!known[state.model]) state.model = Object.keys(known)[0];
      build();
      stopHearing = data.listen("api/play/events", hear, (isLost) => {
        lost.textContent = isLost ? "The server does not answer; trying again." : "";
      });
    }).catch((error) => place.replaceChildren(make("p", { class: "wrong" }, error.message)));

    // The knobs
    function build() {
      models.replaceChildren(select("model", Object.keys(known).map((name) => [name, study.title("models", name)]), state.model, (value) => {
        const mine = new Set(known[value].map((knob) => knob.name));
        for (const name of Object.keys(fields())) if (!mine.has(name)) delete state[name];
        state.model = value;
        build();
      }, { id: "play-model" }), make("button", { type: "button", onclick: () => { for (const name of Object.keys(fields())) delete state[name]; build(); } }, "Defaults"));
      rows = new Map();
      const order = (knob) => { const at = FIRST.indexOf(knob.name); return at < 0 ? FIRST.length : at; };
      const sorted = known[state.model].slice().sort((a, b) => order(a) - order(b));
      for (const knob of sorted) rows.set(knob.name, control(knob));
      knobsPlace.replaceChildren(...[...rows.values()].map((row) => row.line));
      check("");
    }

    const toSlider = (knob, value) => {
      if (knob.scale === "log") return Math.log(value / knob.low) / Math.log(knob.high / knob.low);
      if (knob.scale === "power") return (value / knob.high) ** 0.25;
      return (value - knob.low) / (knob.high - knob.low);
    };
    const fromSlider = (knob, share) => {
      const value = knob.scale === "log" ? knob.low * (knob.high / knob.low) ** share : knob.scale === "power" ? knob.high * share ** 4 : knob.low + share * (knob.high - knob.low);
      return knob.kind === "whole" ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
    };

    function control(knob) {
      const id = `knob-${knob.name}`;
      const set = (value) => { state[knob.name] = value; check(knob.name); };
      const back = make("button", { type: "button", class: "back", title: "Back to the default", "aria-label": `${knob.label}: back to the default`,
        onclick: () => { delete state[knob.name]; check(knob.name); } }, "↺");
      let inputs, show;
      if (knob.kind === "choice" || knob.kind === "switch") {
        const words = knob.kind === "switch" ? ["on", "off"] : knob.choices;
        const box = make("select", { id, onchange: (event) => set(event.target.value) }, words.map((word) => make("option", { value: word }, word)));
        inputs = [box];
        show = (text) => { if (words.includes(text)) box.value = text; };
      } else {
        const box = make("input", { id, class: knob.kind === "list" ? "list" : "number", inputmode: knob.kind === "list" ? "text" : "decimal", spellcheck: "false", autocomplete: "off",
          onchange: (event) => set(event.target.value.trim()) });
        const slider = knob.kind === "list" ? null : make("input", { type: "range", min: 0, max: 1, step: 0.005, "aria-label": `${knob.label}, slider`,
          oninput: (event) => { box.value = fromSlider(knob, Number(event.target.value)); set(box.value); } });
        inputs = slider ? [slider, box] : [box];
        show = (text) => {
          if (document.activeElement !== box) box.value = text;
          if (slider && document.activeElement !== slider && text !== "") slider.value = Math.max(0, Math.min(1, toSlider(knob, Number(text))));
        };
      }
      const line = make("div", { class: `knob ${knob.kind}`, "data-knob": knob.name, title: `${knob.meaning} (${knob.bounds})` },
        make("label", { for: id }, knob.label), make("div", { class: "inputs" }, inputs), back);
      return { line, show, back };
    }

    let asked = 0, timer = 0;
    /** Has the program settle what the knobs come to: what applies, what it is, and the command. */
    function check(changed) {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const mine = ++asked;
        const query = new URLSearchParams({ ...fields(), model: state.model });
        let found;
        try {
          found = await data.json(`api/play/check?changed=${changed}&${query}`);
        } catch (error) {
          wrong.textContent = error.message;
          return;
        }
        if (mine !== asked || closed) return;
        wrong.textContent = found.error;
        train.disabled = Boolean(found.error);
        if (found.error) { keep(); return; }
        for (const name of found.dropped) delete state[name];
        if (found.dropped.length) say(`${found.dropped.join(", ").replaceAll("_", " ")} does not go with that, and is left out.`);
        settled = found;
        for (const [name, row] of rows) {
          const value = found.values[name];
          row.show(value === undefined ? "" : value);
          row.back.hidden = !(name in state);
          const home = value === undefined ? rest : knobsPlace;
          if (row.line.parentElement !== home) home.append(row.line);
        }
        rest.hidden = rest.children.length < 2;
        keep();
        if (changed && state.auto === "on") begin();
      }, changed ? 60 : 0);
    }
    function keep() {
      address.replace("play", state);
      command(settled ? settled.command : "");
    }

    // Training
    async function begin() {
      try {
        await data.write("api/play/train", { ...fields(), model: state.model });
      } catch (error) {
        say(error.message, true);
      }
    }
    async function end() {
      try {
        await data.write("api/play/stop", {});
      } catch (error) {
        say(error.message, true);
      }
    }

    /** The server tells all runs it remembers when the line opens, then each change of one. */
    function hear(told) {
      if (told.runs) runs = told.runs;
      if (told.run) {
        const at = runs.findIndex((run) => run.key === told.run.key);
        if (at < 0) runs.push(told.run);
        else runs[at] = told.run;
      }
      if (told.grown) {
        const run = runs.find((one) => one.key === told.grown.key);
        if (run) {
          Object.assign(run, { rate: told.grown.rate, step: told.grown.step });
          run.steps.push(told.grown.step);
          run.losses.push(told.grown.loss);
          if (told.grown.accuracy !== null) { run.lookSteps.push(told.grown.step); run.accuracies.push(told.grown.accuracy); }
        }
      }
      runs = runs.slice(-GHOSTS);
      paintSoon();
    }
    const paintSoon = core.onceAFrame(paint);

    function paint() {
      if (closed) return;
      const now = runs[runs.length - 1];
      const busy = Boolean(now && ["compiling", "training"].includes(now.state));
      stop.disabled = !busy;
      train.textContent = busy ? "Train anew" : "Train";
      document.title = busy ? `${Math.round((100 * now.step) / now.total)} % · Play` : "Play · MNIST explorer";
      if (now) status.replaceChildren(...told(now));
      const ghosts = runs.slice(0, -1);
      const line = (run, index, x, y) => ({ label: run.key, x, y, colour: run === now ? core.colour("accent") : charts.lineColour(index + 1), width: run === now ? 2.2 : 1.2, alpha: run === now ? 1 : 0.45 });
      const every = [...ghosts, now].filter(Boolean);
      const losses = every.filter((run) => run.steps.length).map((run, index) => line(run, index, run.steps, run.losses));
      const errors = every.filter((run) => run.lookSteps.length).map((run, index) => line(run, index, run.lookSteps, run.accuracies.map((value) => charts.FIGURES.error.of(value))));
      if (!charts2) {
        charts2 = [charts.curves(curvesPlace, { lines: losses, label: "training loss, nats", log: true, height: 290 }),
          charts.curves(curvesPlace, { lines: errors, label: "validation error, %", log: true, height: 290 })];
      } else {
        charts2[0].lines(losses);
        charts2[1].lines(errors);
      }
      last.replaceChildren(every.length ? make("table", { id: "last" }, make("thead", {}, make("tr", {}, ["", "run", "validation %", "test %", "steps/s", "net", ""].map((head) => make("th", { scope: "col" }, head)))),
        make("tbody", {}, every.slice().reverse().map((run) => {
          const index = every.indexOf(run), mark = make("i", { class: "mark" });
          mark.style.background = run === now ? core.colour("accent") : charts.lineColour(index + 1);
          return make("tr", { "data-state": run.state, "data-id": run.id || "" }, make("td", {}, mark), make("td", { class: "name" }, run.name, run.state === "ok" ? null : make("span", { class: "lost" }, ` ${run.state}${run.why ? `: ${run.why}` : ""}`)),
            make("td", { class: "figure" }, run.validation === null && run.accuracies.length ? `${percent(run.accuracies[run.accuracies.length - 1])} so far` : percent(run.validation)),
            make("td", { class: "figure" }, percent(run.test)), make("td", { class: "figure" }, run.rate ? brief(Math.round(run.rate)) : "–"),
            make("td", {}, keeping(run)), make("td", {}, make("a", { href: address.text("play", run.said) }, "knobs")));
        }))) : make("p", { class: "hint" }, "Train: the curves grow here, and each further run leaves the last ones as ghosts behind it. Runs are recorded with your own results."));
    }
    /** What can be done with a run's net: keep it, or, where it is kept, draw for it. */
    function keeping(run) {
      if (run.state !== "ok") return null;
      if (run.kept) return make("a", { href: address.text("draw", { data: run.said.dataset, [`net-${run.said.model}`]: run.id }) }, "kept: draw");
      return make("button", { type: "button", class: "keep", title: "Keep its net, to draw for it and to ask it: as --keep does",
        onclick: (event) => { event.target.disabled = true; keepNet(run).then((done) => { event.target.disabled = done; }); } }, "Keep");
    }
    async function keepNet(run) {
      try {
        await data.write("api/play/keep", { key: run.key });
        return true;
      } catch (error) {
        say(error.message, true);
        return false;
      }
    }
    function told(run) {
      if (run.state === "compiling") return ["Getting ready: the first step of a new shape is compiled."];
      const parts = [`step ${core.count(run.step)} of ${core.count(run.total)}`];
      if (run.losses.length) parts.push(`loss ${run.losses[run.losses.length - 1].toFixed(4)}`);
      if (run.rate) parts.push(`${brief(Math.round(run.rate))} steps/s`);
      if (run.state === "training") return [parts.join(", ")];
      if (run.state === "ok") return [make("b", {}, `Validation ${percent(run.validation)} %, test ${percent(run.test)} %`), `, recorded as ${run.id}.`];
      return [make("b", { class: "wrong" }, `${run.state}${run.why ? `: ${run.why}` : ""}`), ` at ${parts[0]}`];
    }

    return {
      paint() { if (charts2) for (const chart of charts2) chart.paint(); paint(); },
      close() { closed = true; if (stopHearing) stopHearing(); if (charts2) for (const chart of charts2) chart.close(); },
    };
  }

  return { open };
})();
