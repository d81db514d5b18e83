"use strict";
/* What every view stands on: elements made of text, the state in the address, figures in words. */

const core = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, given, children) {
    for (const [name, value] of Object.entries(given || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") node[name] = value;
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;
      node.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
    return node;
  }

  /** An element. Children are nodes or text: what others wrote is never markup. */
  const make = (tag, given, ...children) => fill(document.createElement(tag), given, children);
  const draw = (tag, given, ...children) => fill(document.createElementNS(SVG, tag), given, children);

  /* The address: #view?name=value, so that a link says what was looked at. */
  const address = {
    read() {
      const [view, query] = location.hash.replace(/^#/, "").split("?");
      return { view: view || "explore", said: Object.fromEntries(new URLSearchParams(query || "")) };
    },
    text(view, said) {
      const kept = Object.entries(said).filter(([, value]) => value !== "" && value !== null && value !== undefined);
      const query = new URLSearchParams(kept).toString();
      return `#${view}${query ? `?${query}` : ""}`;
    },
    /** Says it without a step in the history. */
    replace(view, said) {
      history.replaceState(null, "", address.text(view, said));
    },
    go(view, said) {
      location.hash = address.text(view, said || {});
    },
    /** The page's link without the token that lets its holder write. */
    shareable() {
      const url = new URL(location.href);
      url.searchParams.delete("token");
      return url.href;
    },
  };

  /** A fraction as per cent: 97.93 */
  const percent = (fraction, digits = 2) => (fraction === null || fraction === undefined ? "–" : (100 * fraction).toFixed(digits));
  const count = (number) => number.toLocaleString("en");

  function seconds(value) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    if (value < 10) return `${value.toFixed(2)} s`;
    if (value < 100) return `${value.toFixed(0)} s`;
    return value < 6000 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
  }

  /** A number as short as it can be read: 0.001, 1e-5, 12,800 */
  function brief(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-4 || size >= 1e6) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
    return size >= 1000 ? count(Math.round(value)) : String(Number(value.toPrecision(3)));
  }

  let waiting = 0;
  /** Tells a reader of the screen, and shows for a while. */
  function say(text, wrong) {
    const place = document.getElementById("said");
    place.textContent = text;
    place.className = wrong ? "wrong shown" : "shown";
    clearTimeout(waiting);
    waiting = setTimeout(() => { place.className = ""; }, wrong ? 8000 : 3000);
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied.");
    } catch {
      say("The browser does not let this page copy; select the text instead.", true);
    }
  }

  /** The line of the command that does the same, with a button to copy it. */
  function command(text) {
    const place = document.getElementById("command");
    place.textContent = text;
    place.parentElement.hidden = !text;
  }

  const select = (label, options, chosen, change, given) =>
    make("label", { class: "field" }, make("span", {}, label),
      make("select", { ...given, onchange: (event) => change(event.target.value) },
        options.map(([value, text]) => make("option", { value, selected: value === chosen }, text))));

  /** Calls once a frame at most, with the last arguments. */
  function onceAFrame(action) {
    let asked = null;
    return (...words) => {
      if (asked === null) requestAnimationFrame(() => { const last = asked; asked = null; action(...last); });
      asked = words;
    };
  }

  /** A colour that style sheets name. */
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  return { make, draw, address, percent, count, seconds, brief, say, copy, command, select, onceAFrame, colour };
})();
