"use strict";
/* A table of configurations: sorted by its headings, filtered by words, a page of rows at a time. */

const table = (() => {
  const { make, seconds, count } = core;
  const PAGE = 50;

  const COLUMNS = [
    { name: "name", label: "configuration", of: (one) => one.name, text: true },
    { name: "n", label: "n", of: (one) => one.n },
    { name: "validation", label: "validation %", of: (one) => one.validation, shown: (one) => one.told },
    { name: "test", label: "test %", of: (one) => one.test, shown: (one) => one.testTold },
    { name: "seconds", label: "training", of: (one) => one.seconds, shown: (one) => seconds(one.seconds) },
    { name: "parameters", label: "parameters", of: (one) => one.parameters, shown: (one) => count(one.parameters) },
    { name: "steps", label: "steps", of: (one) => one.steps, shown: (one) => count(one.steps) },
  ];
  const FIGURES = Object.fromEntries(COLUMNS.filter((column) => !column.text).map((column) => [column.name, column.of]));

  /**
   * What a filter says: words that a configuration's name must have, and bounds such as lr<0.01, batch_size=64,
   * test>99. Returns {accepts(configuration), wrong}: the first word that cannot be understood.
   */
  function understood(text, study) {
    const checks = [];
    let wrong = "";
    for (const word of text.trim().toLowerCase().split(/\s+/).filter(Boolean)) {
      const [, name, sign, said] = word.match(/^([a-z_]+)(<=|>=|=|<|>)(.+)$/) || [];
      if (!name) { checks.push((one) => one.name.toLowerCase().includes(word)); continue; }
      const index = study.fields.findIndex((field) => field.name === name);
      if (index < 0 && !FIGURES[name]) { wrong = wrong || `There is no field or figure ${name}.`; continue; }
      const field = study.fields[index];
      const number = Number(said);
      const value = (one) => {
        if (!field) return ["validation", "test"].includes(name) && one[name] !== null ? 100 * one[name] : one[name];
        const place = one.values[index];
        return place < 0 ? null : field.numbers ? field.numbers[place] : field.values[place];
      };
      if (Number.isNaN(number) || (field && !field.numbers)) {
        if (sign !== "=") { wrong = wrong || `${word}: ${name} has no order; use = here.`; continue; }
        checks.push((one) => value(one) === said);
      } else {
        const holds = { "<": (a) => a < number, "<=": (a) => a <= number, ">": (a) => a > number, ">=": (a) => a >= number,
          "=": (a) => Math.abs(a - number) <= 1e-9 * Math.abs(number) }[sign];
        checks.push((one) => value(one) !== null && holds(value(one)));
      }
    }
    return { accepts: (one) => checks.every((check) => check(one)), wrong };
  }

  /** actions: {first(configuration), second(configuration), look(configuration or null)} */
  function open(place, { sort, sorted, actions }) {
    let rows = [];
    let most = PAGE;
    let order = sort || "-validation";
    let pinned = {};
    const head = make("tr");
    const body = make("tbody");
    const more = make("button", { type: "button", onclick: () => { most += 4 * PAGE; paint(); } });
    const box = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of configurations" },
      make("table", {}, make("thead", {}, head), body));
    place.append(box, more);

    function headings() {
      const name = order.replace("-", "");
      head.replaceChildren(make("th", { scope: "col" }, "pin"), ...COLUMNS.map((column) => make("th", {
        scope: "col", "aria-sort": column.name === name ? (order[0] === "-" ? "descending" : "ascending") : "none", class: column.text ? "" : "figure",
      }, make("button", { type: "button", "data-sort": column.name, onclick: () => by(column) },
        column.label, column.name === name ? (order[0] === "-" ? " ↓" : " ↑") : ""))));
    }
    function by(column) {
      const falling = order === column.name || (order.replace("-", "") !== column.name && !column.text);
      order = falling ? `-${column.name}` : column.name;
      most = PAGE;
      headings();
      arrange();
      paint();
      sorted(order);
      head.querySelector(`[data-sort=${column.name}]`).focus();
    }
    function arrange() {
      const column = COLUMNS.find((one) => order.replace("-", "") === one.name) || COLUMNS[2];
      const sign = order[0] === "-" ? -1 : 1;
      rows = rows.slice().sort((a, b) => {
        const [x, y] = [column.of(a), column.of(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (column.text ? x.localeCompare(y, "en", { numeric: true }) : x - y);
      });
    }
    function paint() {
      body.replaceChildren(...rows.slice(0, most).map((one) => {
        const pin = (which, letter) => make("button", {
          type: "button", class: "pin", "aria-pressed": pinned[which] === one ? "true" : "false", title: `Compare this one as ${letter}`,
          "aria-label": `Pin ${one.name} as ${letter}`, onclick: () => actions[which](one),
        }, letter);
        return make("tr", { "data-id": one.id, onpointerenter: () => actions.look(one), onpointerleave: () => actions.look(null) },
          make("td", { class: "pins" }, pin("first", "A"), pin("second", "B")),
          COLUMNS.map((column) => make("td", { class: column.text ? "name" : "figure" },
            column.shown ? column.shown(one) : column.of(one), column.text && one.lost ? make("span", { class: "lost" }, ` ${one.lost}`) : null,
            column.text && one.own ? make("span", { class: "own" }, " yours") : null)));
      }));
      more.hidden = rows.length <= most;
      more.textContent = `Show more of ${count(rows.length)}`;
    }
    headings();
    return {
      show(those, pins) { rows = those; pinned = pins; arrange(); paint(); },
      pins(pins) { pinned = pins; paint(); },
      first: () => rows[0],
    };
  }

  return { open, understood, COLUMNS };
})();
