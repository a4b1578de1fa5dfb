"use strict";

// `asked` describes what is shown, or about to be; fields and tabs may have gone on since.
const state = { overview: null, chosen: null, moved: false, way: null, values: [], blend: new Map(), asked: null, seed: 0 };
const part = (id) => document.getElementById(id);
const KINDS = { seen: "seen in training", unseen: "never seen in training", added: "added by you, without a sample" };
const WAYS = { attributes: "Sliders", blend: "Blend of classes", sentence: "A sentence" };
const HINTS = {
  attributes: "Start from a class, then move the sliders: what is imagined follows.",
  blend: "Start from a class and blend it with others.",
  sentence: "Look at a class, or say what a new one looks like.",
};
const MANY_CLASSES = 48, MANY_SLIDERS = 12, N_PREVIEW = 6, N_NEAR = 6, WORTH_TELLING = 0.005, PEN = 22, DRAWING = "your drawing";

function make(tag, options = {}, ...children) {
  const made = Object.assign(document.createElement(tag), options);
  made.append(...children);
  return made;
}

function picture(png, alt = "") {
  return make("img", { src: `data:image/png;base64,${png}`, alt });
}

async function ask(path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, body === undefined ? {} : { method: "POST", body, headers });
  } catch {
    throw new Error("the app does not answer. Has it ended?");
  }
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

const question = (path, asked) => ask(path, JSON.stringify(asked), { "Content-Type": "application/json" });

// Says what went wrong in the card where it was asked for; the next success takes it away.
async function guarded(card, work) {
  const line = part(`${card}-line`);
  try {
    const made = await work();
    line.textContent = "";
    return made;
  } catch (error) {
    line.textContent = error.message;
    return undefined;
  }
}

function kindOf(name) {
  return state.overview.classes.find((each) => each.name === name)?.kind;
}

/* 1 Describe */

function showClasses() {
  const wanted = part("class-filter").value.trim().toLowerCase();
  const shown = state.overview.classes.filter((each) => each.name.toLowerCase().includes(wanted));
  part("classes").replaceChildren(...shown.map(chip));
  const added = state.overview.classes.some((each) => each.kind === "added");
  part("keep").hidden = !added;
  markChosen();
}

// Changes the chips in place: whoever has just pressed one is still on it.
function markChosen() {
  for (const each of part("classes").children) {
    const chosen = each.dataset.name === state.chosen && !state.moved;
    each.classList.toggle("chosen", chosen);
    each.querySelector("button").setAttribute("aria-pressed", String(chosen));
  }
}

function chip({ name, kind, picture: png }) {
  const choose = make("button", { type: "button", title: `${name}: ${KINDS[kind]}`, onclick: () => look(name) },
    make("span", { className: `dot ${kind}` }), ...(png ? [picture(png)] : []), name);
  const made = make("span", { className: "chip" }, choose);
  made.dataset.name = name;
  if (kind === "added") made.append(removal(`Drop ${name}`, () => drop(name)));
  return made;
}

const removal = (what, onclick) => make("button", { type: "button", className: "away", title: what, ariaLabel: what, onclick }, "×");

function slider(of, name, { low, high, value }, moved) {
  const id = `${of}-${name}`;
  const said = make("output", { value: short(value) });
  const range = make("input", { type: "range", id, min: low, max: high, step: "any" });
  range.value = value;
  range.addEventListener("input", () => {
    said.value = short(range.valueAsNumber);
    row.classList.add("moved");
    moved(range.valueAsNumber);
  });
  const row = make("div", { className: "slider" }, make("label", { htmlFor: id, title: name }, name), range, said);
  row.dataset.name = name;
  return row;
}

function short(value) {
  return value.toFixed(Math.abs(value) >= 100 ? 0 : 2).replace(/^-(?=[0.]*$)/, "");
}

function showSliders() {
  const rows = state.overview.sliders.map((each, index) =>
    slider("attribute", each.name, { ...each, value: state.values[index] }, (value) => {
      state.values[index] = value;
      describe();
    }));
  part("sliders").replaceChildren(...rows);
  filterSliders();
}

function filterSliders() {
  const wanted = part("slider-filter").value.trim().toLowerCase();
  for (const row of part("sliders").children) row.hidden = !row.dataset.name.toLowerCase().includes(wanted);
}

function showBlend() {
  const rows = [...state.blend].map(([name, weight]) => {
    const row = slider("share", name, { low: 0, high: 1, value: weight }, (value) => {
      state.blend.set(name, value);
      describe();
    });
    row.classList.add("removable");
    row.append(removal(`Leave out ${name}`, () => {
      state.blend.delete(name);
      showBlend();
      describe();
    }));
    return row;
  });
  part("shares").replaceChildren(...rows);
  const others = state.overview.classes.filter((each) => !state.blend.has(each.name));
  part("blend-with").replaceChildren(make("option", { value: "" }, "Blend with …"),
    ...others.map((each) => make("option", { value: each.name }, each.name)));
}

function showWay(way) {
  state.way = way;
  const slidersToo = way === "sentence" && state.overview.sliders.length > 0;
  for (const each of Object.keys(WAYS)) part(`way-${each}`).hidden = each !== way && !(each === "attributes" && slidersToo);
  for (const tab of part("ways").children) tab.setAttribute("aria-selected", String(tab.dataset.way === way));
}

function description() {
  const attributes = Object.fromEntries(state.overview.sliders.map((each, index) => [each.name, state.values[index]]));
  if (state.way === "blend") return { blend: Object.fromEntries(state.blend) };
  return state.way === "sentence" ? { sentence: part("sentence").value, attributes } : { attributes };
}

// One question at a time: while it is answered, only the latest wish is kept.
let wish = null;

async function show(asked) {
  wish = asked;
  if (part("see").getAttribute("aria-busy") === "true") return;
  part("see").setAttribute("aria-busy", "true");
  while (wish) {
    const { path, body, then } = wish;
    wish = null;
    await guarded("describe", async () => {
      const told = await question(path, { ...body, seed: state.seed });
      if (wish) return;
      then?.(told);
      draw(told);
    });
  }
  part("see").setAttribute("aria-busy", "false");
}

function describe() {
  state.asked = description();
  state.moved = true;
  markChosen();
  return imagine();
}

const imagine = () => show({ path: "imagine", body: { description: state.asked } });

// Nothing changes before the answer is there: until then the page is about the class before.
function look(name) {
  return show({ path: "look", body: { name }, then: ({ values }) => {
    if (name !== state.chosen) showResults([]);
    Object.assign(state, { chosen: name, moved: false, asked: { blend: { [name]: 1 } }, values, blend: new Map([[name, 1]]) });
    markChosen();
    showSliders();
    showBlend();
  } });
}

/* 2 See */

function draw(told) {
  const title = state.moved ? `Something new${"sentence" in state.asked ? "" : `, started from ${state.chosen}`}` : `${state.chosen}: ${KINDS[kindOf(state.chosen)]}`;
  part("shown").textContent = title;
  part("pictures").hidden = !told.mean;
  part("again").hidden = !told.mean;
  if (told.mean) {
    part("mean").src = `data:image/png;base64,${told.mean}`;
    part("drawn").replaceChildren(...told.pictures.map((png) => picture(png, "An imagined sample")));
    part("preview").replaceChildren(...[told.mean, ...told.pictures].slice(0, N_PREVIEW).map((png) => picture(png)));
  }
  part("real-box").hidden = told.real.length === 0;
  part("real").replaceChildren(...told.real.map((png) => picture(png, "A real sample")));
  showNearest(told.real.length ? [] : told.nearest);
  part("answers-box").hidden = told.answers.length === 0;
  part("answers").replaceChildren(...bars(told.answers));
  showTarget();
  document.documentElement.dataset.drawn = Number(document.documentElement.dataset.drawn ?? 0) + 1;
}

function showNearest(nearest) {
  part("nearest-box").hidden = nearest.length === 0;
  if (nearest.length && nearest[0].picture) {
    const shown = nearest.map((each) =>
      make("figure", { title: `${each.name}, similarity ${each.similarity}` }, picture(each.picture, each.name), make("figcaption", {}, each.name)));
    part("nearest").replaceChildren(make("div", { className: "grid small" }, ...shown));
    return;
  }
  const counts = new Map();
  for (const { name, kind } of nearest) counts.set(name, { name, kind, count: (counts.get(name)?.count ?? 0) + 1 });
  const most = [...counts.values()].sort((one, other) => other.count - one.count).slice(0, N_NEAR);
  part("nearest").replaceChildren(...most.map((each) => bar(each, each.count / nearest.length, `${each.count} of ${nearest.length}`)));
}

function bar({ name, kind }, share, much) {
  const full = make("div");
  full.style.width = `${100 * share}%`;
  const label = make("span", { className: "name", title: name }, make("span", { className: `dot ${kind}` }), make("span", {}, name));
  const made = make("div", { className: `bar ${kind}` }, label, make("div", { className: "track" }, full), make("span", { className: "much" }, much));
  made.dataset.name = name;
  return made;
}

const bars = (answers) => answers.filter((each, rank) => rank === 0 || each.share >= WORTH_TELLING).map((each) => bar(each, each.share, `${(100 * each.share).toFixed(0)} %`));

async function add(event) {
  event.preventDefault();
  const name = part("new-name").value.trim().replace(/\s+/g, " ");
  const asked = { name, description: state.asked };
  const button = part("adding").querySelector("button");
  Object.assign(button, { disabled: true, textContent: "Adding …" });
  const overview = await guarded("see", () => question("add", asked));
  Object.assign(button, { disabled: false, textContent: "Add as a class" });
  if (!overview) return;
  state.overview = overview;
  part("new-name").value = part("class-filter").value = "";
  showClasses();
  await look(name);
  part("classes").querySelector(".chip:last-child")?.scrollIntoView({ block: "nearest" });
}

async function drop(name) {
  const overview = await guarded("describe", () => question("drop", { name }));
  if (!overview) return;
  state.overview = overview;
  showClasses();
  await look(state.chosen === name ? overview.classes[0].name : state.chosen);
}

/* 3 Try */

function showTarget() {
  const name = state.chosen;
  part("try-hint").textContent = state.moved
    ? "Add your class in step 2 to see whether samples of it are recognised. Until then the model chooses among those that it knows."
    : `Is a sample of ${name} recognised among all ${state.overview.classes.length} classes?`;
  part("try-real").hidden = !state.overview.real || state.moved || kindOf(name) === "added";
  part("try-real").textContent = `Try real samples of ${name}`;
}

function resultOf(what, told, target) {
  const hits = told.counts.find((each) => each.name === target)?.count ?? 0;
  const best = told.counts.slice(0, 3).map((each) => told.n_rows > 1 ? `${each.name} (${each.count})` : each.name).join(", ");
  const verdict = target === null
    ? `taken for ${best}`
    : told.n_rows === 1
      ? (hits ? `recognised as ${target}` : `not ${target}: taken for ${best}`)
      : `${hits} of ${told.n_rows} recognised as ${target}${hits === told.n_rows ? "" : `; most often: ${best}`}`;
  const mood = target === null ? "" : told.counts[0].name === target ? "right" : "wrong";
  const rows = told.rows.map((row) =>
    make("div", { className: "tried" }, ...(row.picture ? [picture(row.picture, "What was tried")] : []), make("div", { className: "bars" }, ...bars(row.answers.slice(0, 3)))));
  const left = told.n_rows - told.rows.length;
  return make("div", { className: "result" },
    make("p", { className: `verdict ${mood}` }, `${what}: ${verdict}`),
    ...(told.note && what !== DRAWING ? [make("p", { className: "muted" }, told.note)] : []),
    ...rows,
    ...(left > 0 ? [make("p", { className: "muted" }, `and ${left} more`)] : []));
}

// Only the latest try is shown: one whose answer comes after another try or another class is dropped.
let latest = 0;

function showResults(results) {
  latest += 1;
  part("results").replaceChildren(...results);
  part("results").setAttribute("aria-busy", "false");
}

async function attempt(tries) {
  const number = (latest += 1);
  const target = state.moved ? null : state.chosen;
  const results = [];
  const complaints = [];
  part("results").setAttribute("aria-busy", "true");
  for (const { what, answer } of tries) {
    try {
      results.push(resultOf(what, await answer(), target));
    } catch (error) {
      complaints.push(error.message);
    }
    if (number !== latest) return;
  }
  part("try-line").textContent = complaints.join(" ");
  showResults(results);
}

// The app breaks off what is far too large; the browser would take that for its end.
async function recognised(file) {
  const most = state.overview.uploads.max_bytes;
  if (file.size > most) {
    throw new Error(`${file.name} is too large (expected at most ${mebibytes(most)}; received ${mebibytes(file.size)}). Give a part of it.`);
  }
  return ask(`recognise?name=${encodeURIComponent(file.name)}`, file);
}

const mebibytes = (bytes) => `${Number((bytes / 2 ** 20).toPrecision(4)).toLocaleString("en")} MiB`;

const tryFiles = (files) => attempt(files.map((file) => ({ what: file.name, answer: () => recognised(file) })));

const tryReal = () => attempt([{ what: "Real samples", answer: () => question("try", { name: state.chosen }) }]);

function preparePad() {
  const pad = part("pad"), pen = pad.getContext("2d");
  const clear = () => {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, pad.width, pad.height);
  };
  const place = (event) => [event.offsetX * pad.width / pad.clientWidth, event.offsetY * pad.height / pad.clientHeight];
  let drawing = false;
  Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
  clear();
  pad.addEventListener("pointerdown", (event) => {
    drawing = true;
    pad.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(...place(event));
  });
  pad.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    pen.lineTo(...place(event));
    pen.stroke();
  });
  pad.addEventListener("pointerup", () => {
    drawing = false;
    pad.toBlob((blob) => tryFiles([new File([blob], DRAWING)]), "image/png");
  });
  part("pad-clear").addEventListener("click", clear);
}

/* Start */

function prepare() {
  const { title, facts, note, classes, ways, images, uploads, generates } = state.overview;
  document.title = `${title} · zslearn app`;
  part("facts").textContent = [title, ...Object.entries(facts).map(([name, value]) => `${name} ${value}`)].join(" · ");
  part("note").textContent = generates ? note : `${note} This model imagines no samples: it compares them with descriptions.`.trim();
  part("note").hidden = !part("note").textContent;
  part("class-filter").hidden = classes.length <= MANY_CLASSES;
  part("slider-filter").hidden = state.overview.sliders.length <= MANY_SLIDERS;
  part("describe-hint").textContent = HINTS[ways[0]];
  part("ways").hidden = ways.length < 2;
  part("ways").replaceChildren(...ways.map((way) => {
    const tab = make("button", { type: "button", role: "tab", onclick: () => showWay(way) }, WAYS[way]);
    tab.dataset.way = way;
    return tab;
  }));
  showWay(ways[0]);
  part("mean-of").textContent = `mean of ${state.overview.n_drawn}`;
  part("pad-box").hidden = !images;
  part("drop-text").textContent = uploads.images ? "Drop images or rows of features here, or choose files" : "Drop a file with rows of features here, or choose one";
  if (images) preparePad();
  showClasses();
}

function listen() {
  part("class-filter").addEventListener("input", showClasses);
  part("slider-filter").addEventListener("input", filterSliders);
  part("reset").addEventListener("click", () => look(state.chosen));
  part("say").addEventListener("click", describe);
  part("blend-add").addEventListener("click", () => {
    const name = part("blend-with").value;
    if (!name) return;
    state.blend.set(name, 1);
    showBlend();
    describe();
  });
  part("again").addEventListener("click", () => {
    state.seed += 1;
    return state.moved ? imagine() : look(state.chosen);
  });
  part("adding").addEventListener("submit", add);
  part("try-real").addEventListener("click", tryReal);
  part("files").addEventListener("change", (event) => {
    tryFiles([...event.target.files]);
    event.target.value = "";
  });
  const zone = part("drop");
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", name === "dragenter" || name === "dragover");
    });
  }
  zone.addEventListener("drop", (event) => tryFiles([...event.dataTransfer.files]));
  // A file that falls beside the zone would otherwise replace the page.
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
}

async function start() {
  state.overview = await guarded("describe", () => ask("overview"));
  if (!state.overview) return;
  prepare();
  listen();
  const first = state.overview.classes.find((each) => each.kind === "unseen") ?? state.overview.classes[0];
  await look(first.name);
  document.documentElement.dataset.ready = "";
}

start();
