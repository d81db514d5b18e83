"use strict";
/* The frame around the views: tabs, address, theme, the line of the command, keys. */

(() => {
  const { make, address, say, copy } = core;
  const VIEWS = { explore, sweep, play, draw };
  const NAMES = { explore: "Explore", sweep: "Sweep", play: "Play", draw: "Draw" };
  const place = document.getElementById("view");
  let shown = null;
  let study = null;

  function theme(wanted) {
    if (wanted) document.documentElement.dataset.theme = wanted;
    else delete document.documentElement.dataset.theme;
    try { wanted ? localStorage.setItem("theme", wanted) : localStorage.removeItem("theme"); } catch { /* a file's page may not */ }
    if (shown && shown.paint) shown.paint();
  }

  function isDark() {
    return (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  }

  function show() {
    const { view, said } = address.read();
    const name = VIEWS[view] ? view : "explore";
    for (const tab of document.querySelectorAll("#tabs a")) {
      if (tab.dataset.view === name) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    if (shown && shown.close) shown.close();
    place.replaceChildren();
    document.title = `${NAMES[name]} · MNIST explorer`;
    core.command("");
    shown = VIEWS[name].open(place, said, study) || null;
  }

  async function start() {
    document.getElementById("tabs").append(...Object.keys(VIEWS).map((view, index) =>
      make("a", { href: `#${view}`, "data-view": view, title: `Alt+${index + 1}` }, NAMES[view])));
    document.getElementById("tools").append(
      make("button", { type: "button", title: "Copy a link to what is shown", onclick: () => copy(address.shareable()) }, "Link"),
      make("button", { type: "button", id: "theme", title: "Dark or light", onclick: () => theme(isDark() ? "light" : "dark") }, "Dark / light"));
    document.getElementById("foot").append(
      make("div", { id: "same", hidden: true }, make("span", { class: "hint" }, "The same as a command "), make("code", { id: "command", tabindex: "0" }),
        make("button", { type: "button", onclick: () => copy(document.getElementById("command").textContent) }, "Copy")),
      make("div", { id: "said", role: "status", "aria-live": "polite" }));
    try { const kept = localStorage.getItem("theme"); if (kept) document.documentElement.dataset.theme = kept; } catch { /* as above */ }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown && shown.paint && shown.paint());
    addEventListener("hashchange", show);
    addEventListener("keydown", (event) => {
      const view = event.altKey && Object.keys(VIEWS)[Number(event.key) - 1];
      if (view) { event.preventDefault(); address.go(view); }
    });
    try {
      study = await data.load();
    } catch (error) {
      place.replaceChildren(make("p", { class: "wrong" }, `The study could not be read: ${error.message}`));
      return;
    }

    if (study.left_out.length) say(study.left_out.join(" "));
    show();
  }

  start();
})();
