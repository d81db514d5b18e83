"use strict";
/* The study: read from the page itself where it is one file, else from the server. Rows become objects here. */

const data = (() => {
  const CONFIGURATION = ["id", "model", "dataset", "values", "name", "n", "validation", "low", "high", "told", "test",
    "testTold", "seconds", "parameters", "steps", "lost", "own"];
  const RUN = ["configuration", "seed", "id", "validation", "test", "status", "fresh"];
  const POINT = ["label", "configuration", "values", "verdict", "against"];
  const MISTAKE = ["index", "truth", "predicted", "confidence"];

  const named = (names) => (row, place) => {
    const made = { place };
    for (let index = 0; index < names.length; index++) made[names[index]] = row[index];
    return made;
  };

  const within = document.getElementById("data");
  /** What the file holds, where the page is one file; else null. */
  let held = null;
  const token = new URLSearchParams(location.search).get("token");

  async function fetched(path) {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 400) || `the server said ${answer.status}`);
    return answer;
  }
  const json = async (path) => (await fetched(path)).json();

  /** Asks the server to do something: only a page that was opened with the token may. */
  async function write(path, body) {
    if (!token) throw new Error("This link only shows. To train, open the link with the token that the command printed.");
    let answer;
    try {
      answer = await fetch(`${path}?token=${encodeURIComponent(token)}`, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body || {}),
      });
    } catch {
      throw new Error("The server does not answer. Is the command `page` still running?");
    }
    if (answer.status === 403) throw new Error("The server was started anew: open the link that it printed.");
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 400));
    return answer.json();
  }

  function understood(raw) {
    const study = { ...raw };
    study.configurations = raw.configurations.map(named(CONFIGURATION));
    study.runs = raw.runs.map(named(RUN));
    for (const one of study.configurations) one.runs = [];
    for (const run of study.runs) study.configurations[run.configuration].runs.push(run);
    study.sweeps = raw.sweeps.map((sweep) => ({ ...sweep, points: sweep.points.map(named(POINT)) }));
    study.byId = new Map(study.configurations.map((one) => [one.id, one]));
    study.title = (kind, name) => (study[kind].find((one) => one.name === name) || { title: name }).title;
    return study;
  }

  let study = null;
  async function load() {
    if (within && !held) held = JSON.parse(new TextDecoder().decode(await unpacked(within.textContent)));
    study = understood(held ? held.study : await json("api/study"));
    return study;
  }

  const kept = new Map();
  /** Of each run of a configuration what it saw along the way. */
  async function curves(configuration) {
    if (held) return held.curves[configuration.place] || [];
    const key = `${configuration.id}/${configuration.runs.length}`;
    if (!kept.has(key)) kept.set(key, await json(`api/curves/${configuration.id}`));
    return kept.get(key);
  }

  /** The command that trains a configuration. */
  const command = async (one) => (held ? held.commands[one.place] : json(`api/command/${one.id}`));

  async function compare(first, second) {
    if (!held) return json(`api/compare/${first.id}/${second.id}`);
    const [sentence, test] = held.compared[`${first.id} ${second.id}`] ||
      ["This file has the verdicts within each question alone. The command below compares any two.", ""];
    return {
      sentence, test,
      differs: study.fields.map((field, place) => ({
        label: field.label, first: text(field, first.values[place]), second: text(field, second.values[place]),
      })).filter((one) => one.first !== one.second),
    };
  }
  const text = (field, place) => (place < 0 ? "-" : field.values[place]);

  function bytes(base64) {
    const letters = atob(base64);
    const found = new Uint8Array(letters.length);
    for (let index = 0; index < letters.length; index++) found[index] = letters.charCodeAt(index);
    return found;
  }

  /** Bytes that a file holds as base64, packed by gzip. */
  async function unpacked(base64) {
    const stream = new Blob([bytes(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /** float32 from the upper 24 bits of each: all first bytes, all second, all third. */
  function fromPlanes(planes) {
    const count = planes.length / 3;
    const found = new Uint32Array(count);
    for (let index = 0; index < count; index++) {
      found[index] = (planes[index] << 24) | (planes[count + index] << 16) | (planes[2 * count + index] << 8);
    }
    return found.buffer;
  }

  /** The surest mistakes of the best nets. */
  async function galleries() {
    const found = held ? held.galleries : await json("api/galleries");
    return found.map((one) => ({ ...one, mistakes: one.mistakes.map(named(MISTAKE)), pixels: bytes(one.pixels) }));
  }

  /** The nets that were kept, with their weights still to be fetched. */
  const nets = async () => (held ? held.nets : json("api/nets"));
  async function weights(net) {
    if (held) return fromPlanes(await unpacked(document.getElementById(`weights-${net.id}`).textContent));
    return (await fetched(`api/nets/${net.id}`)).arrayBuffer();
  }

  /** Hears what happens on the server, again and again until it is closed; says when the line is lost and back. */
  function listen(path, hear, lost) {
    const source = new EventSource(path);
    source.onmessage = (event) => { lost(false); hear(JSON.parse(event.data)); };
    source.onerror = () => lost(true);
    return () => source.close();
  }

  return { load, curves, command, compare, galleries, nets, weights, json, write, listen, text, token, live: !within };
})();
