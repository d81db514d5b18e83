"use strict";
/* SWEEP: the sweeps that run now, wherever they were started: points, workers, where seeds are spent. */

const sweep = (() => {
  const { make, select, command, say, count, seconds, brief } = core;

  function open(place, said, study) {
    if (!data.live) {
      place.append(make("section", { class: "card" }, make("h2", {}, "Sweeps are followed by the server"),
        make("p", {}, "This file shows what came out; a page with a server behind it shows sweeps while they run:"), make("code", { class: "line" }, "python mnist_explorer.py page")));
      command("python mnist_explorer.py page");
      return null;
    }
    const state = { ...said };
    const lost = make("p", { class: "wrong" });
    const running = make("div", { class: "sweeps" });
    const starter = make("section", { class: "card", "aria-label": "Start a sweep" });
    place.append(lost, running, starter);
    let offered = null, closed = false;

    const stopHearing = data.listen("api/sweeps/events", hear, (isLost) => { lost.textContent = isLost ? "The server does not answer; trying again." : ""; });
    data.json("api/sweeps/offered").then((found) => { if (!closed) { offered = found; form(); } }).catch((error) => { lost.textContent = error.message; });

    function form() {
      if (!offered[state.model]) state.model = Object.keys(offered)[0];
      const those = offered[state.model];
      const chosen = those.find((one) => one.name === state.sweep) || those.find((one) => one.name === "lr") || those[0];
      state.sweep = chosen.name;
      const number = make("input", { type: "number", id: "seeds", min: 1, max: 1000, value: state.seeds || chosen.seeds, onchange: (event) => { state.seeds = event.target.value; line(); } });
      const steps = make("input", { id: "sweep-steps", class: "number", inputmode: "numeric", value: state.steps || "", placeholder: "as the sweep says", onchange: (event) => { state.steps = event.target.value.trim(); line(); } });
      const words = () => ({ model: state.model, sweep: state.sweep, seeds: Number(number.value), ...(state.dataset ? { dataset: state.dataset } : {}), ...(state.steps ? { steps: state.steps } : {}) });
      const line = () => {
        core.address.replace("sweep", state);
        command(`python mnist_explorer.py ${state.model} --sweep ${state.sweep}${state.dataset ? ` --dataset ${state.dataset}` : ""} --seeds ${number.value}${state.steps ? ` --steps ${state.steps}` : ""}`);
      };
      starter.replaceChildren(make("h2", {}, "Start a sweep"), make("div", { class: "controls" },
        select("model", Object.keys(offered).map((name) => [name, study.title("models", name)]), state.model, (value) => { state.model = value; form(); }, { id: "sweep-model" }),
        select("question", those.map((one) => [one.name, one.title]), state.sweep, (value) => { state.sweep = value; delete state.seeds; form(); }, { id: "sweep-name" }),
        select("data", [["", "the sweep's own"], ...chosen.datasets.map((name) => [name, study.title("datasets", name)])], state.dataset || "", (value) => { state.dataset = value; form(); }, { id: "sweep-data" }),
        make("label", { class: "field" }, make("span", {}, "seeds"), number), make("label", { class: "field" }, make("span", {}, "steps"), steps),
        make("button", { type: "button", class: "main", id: "start-sweep", onclick: () => act("api/sweeps/start", words(), "Started; it shows up above as soon as it has read its data.") }, "Start")),
      make("p", { class: "hint" }, `${chosen.question} ${chosen.points} points × seeds; what is recorded already is not trained again.`));
      line();
    }

    async function act(path, body, done) {
      try {
        await data.write(path, body);
        if (done) say(done);
      } catch (error) {
        say(error.message, true);
      }
    }

    const STATES = { running: "runs", paused: "paused", stopping: "stops", ended: "ended", stopped: "was stopped", gone: "is over before its time" };

    function hear(told) {
      const held = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : null;
      running.replaceChildren(...(told.sweeps.length ? told.sweeps.map(card) : [make("section", { class: "card" }, make("h2", {}, "No sweep runs"),
        make("p", { class: "hint" }, "Start one below, or in a terminal: it is followed here either way."))]));
      if (held) { const again = running.querySelector(`[data-key="${CSS.escape(held)}"]`); if (again) again.focus(); }
    }

    function card(one) {
      const live = ["running", "paused", "stopping"].includes(one.state);
      const button = (label, asked, given) => make("button", { type: "button", "data-key": `${one.key} ${asked}`, disabled: !live && asked !== "more", onclick: () => act("api/sweeps/ask", { key: one.key, asked }), ...given }, label);
      const share = one.total ? one.done / one.total : 0;
      const bar = make("i");
      bar.style.width = `${(100 * share).toFixed(1)}%`;
      const most = Math.max(1, ...one.points.map((point) => point.planned));
      return make("section", { class: "card", "data-sweep": one.title, "data-state": one.state },
        make("div", { class: "head" }, make("h2", {}, one.title), make("span", { class: `state ${one.state}` }, STATES[one.state] || one.state),
          make("span", { class: "hint" }, `${count(one.done)} of ${count(one.total)} runs${live && one.left !== null ? `, ${seconds(one.left)} left` : ""}`),
          make("span", { class: "buttons" }, one.state === "paused" ? button("Go on", "resume") : button("Pause", "pause"), button("Stop", "stop"), one.more ? button("5 more seeds", "more") : null)),
        make("div", { class: "way wide" }, bar),
        make("code", { class: "line" }, one.command),
        one.workers.length ? make("div", { class: "workers" }, make("h3", {}, "Workers"), make("table", {}, make("tbody", {}, one.workers.map((worker) => {
          const done = make("i");
          done.style.width = `${(100 * worker.step / Math.max(worker.total, 1)).toFixed(1)}%`;
          return make("tr", {}, make("td", { class: "name" }, `${worker.label}, seed ${worker.seed}`), make("td", {}, make("div", { class: "way small" }, done)),
            make("td", { class: "figure" }, `${count(worker.step)} of ${count(worker.total)} steps`), make("td", { class: "figure" }, worker.rate ? `${brief(Math.round(worker.rate))} steps/s` : "compiling"),
            make("td", { class: "figure" }, worker.loss === null ? "" : `loss ${worker.loss.toFixed(3)}`));
        })))) : null,
        make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Points of ${one.title}` }, make("table", { class: "points" }, make("thead", {}, make("tr", {}, ["point", "seeds", "", "mean validation %", "last run", "verdict"].map((head) => make("th", { scope: "col" }, head)))),
          make("tbody", {}, one.points.map((point) => {
            const spent = make("i");
            spent.style.width = `${(100 * point.n) / most}%`;
            return make("tr", { class: point.leads ? "leader" : "" }, make("th", { scope: "row" }, point.label), make("td", { class: "figure" }, `${point.n} of ${point.planned}`),
              make("td", {}, make("div", { class: "way small", title: "seeds spent here" }, spent)),
              make("td", { class: "figure" }, point.told),
              make("td", {}, point.curve.length > 1 ? charts.sparkline(point.curve) : ""), make("td", {}, point.verdict));
          })))));
    }

    return { close() { closed = true; stopHearing(); } };
  }

  return { open };
})();
