"use strict";
(() => {
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const options = { mode: "vega-lite", renderer: "svg", logLevel: 1, actions: { export: true, source: false, compiled: false, editor: false } };
  const views = {};
  window.reportViews = views;

  // Columns take a third of the room that rows take; texts that repeat stand once, with the places where they belong.
  const cells = (column) => (Array.isArray(column) ? column : column.at.map((place) => column.of[place]));

  const rows = (columns) => {
    const named = Object.entries(columns).map(([name, column]) => [name, cells(column)]);
    return named[0][1].map((_, index) => Object.fromEntries(named.map(([name, values]) => [name, values[index]])));
  };

  // How many columns of a legend fit is settled before drawing: a legend that grows afterwards would be cut off.
  const fitLegends = (part, width) => {
    for (const [key, value] of Object.entries(part)) {
      if (value === null || typeof value !== "object") continue;
      const entry = key === "columns" && typeof value.expr === "string" ? value.expr.match(/width \/ (\d+)/) : null;
      if (entry) part[key] = Math.max(1, Math.floor(width / Number(entry[1])));
      else fitLegends(value, width);
    }
  };

  const draw = async (name, columns) => {
    const box = document.getElementById(`figure-${name}`);
    if (!box) return;
    if (views[name]) views[name].finalize();
    const specification = structuredClone(report.figures[name]);
    fitLegends(specification, box.clientWidth - 60);
    if (name === "methods") {
      for (const layer of specification.layer) layer.encoding.y.axis.labelLimit = Math.min(320, 0.42 * box.clientWidth);
    }
    specification.datasets = { rows: rows(columns) };
    try {
      const result = await vegaEmbed(box, specification, options);
      views[name] = result.view;
    } catch (error) {
      delete views[name];
      box.textContent = "This figure could not be drawn.";
      console.error(name, error);
    }
  };

  const signal = async (name, values) => {
    const view = views[name];
    if (!view) return;
    for (const [key, value] of Object.entries(values)) view.signal(key, value);
    await view.runAsync();
  };

  const compareMethods = async (groups, methods) => {
    const chosen = new Set(rows(report.columns.methods)
      .filter((row) => groups.includes(row.group) && methods.includes(row.method))
      .map((row) => row.label));
    if (views.methods) views.methods.height(26 * Math.max(2, chosen.size));
    await signal("methods", { shownGroups: groups, shownMethods: methods });
  };

  // Filters -----------------------------------------------------------------
  const form = document.getElementById("filters");
  const checked = (name) => [...form.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);

  const applyFilters = async () => {
    const groups = checked("group");
    const text = document.getElementById("filter-text").value.trim().toLowerCase();
    const methods = checked("method").filter((method) => method.toLowerCase().includes(text));
    for (const row of document.querySelectorAll("tr[data-method]")) {
      row.hidden = !(groups.includes(row.dataset.group) && methods.includes(row.dataset.method));
    }
    for (const block of document.querySelectorAll("div.group[data-group], details[data-group]")) {
      block.hidden = !groups.includes(block.dataset.group);
    }
    await compareMethods(groups, methods);
    await signal("curves", { shownMethods: methods });
    await showSweep();
  };

  if (form) {
    form.addEventListener("change", applyFilters);
    form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("filter-text").addEventListener("input", applyFilters);
    document.getElementById("show-plain").addEventListener("change", (event) => {
      document.body.classList.toggle("plain-shown", event.target.checked);
    });
    document.getElementById("filter-reset").addEventListener("click", () => {
      form.reset();
      document.body.classList.remove("plain-shown");
      applyFilters();
    });
  }

  // A logarithmic scale without a single row would draw no figure but infinities.
  const showSweep = async () => {
    if (!views.sweep) return;
    const settings = [...document.querySelectorAll('select[data-figure="sweep"]')].map((select) => [select.dataset.signal, select.value]);
    const { field, metric } = Object.fromEntries(settings);
    const groups = checked("group");
    const any = rows(report.columns.sweep).some((row) => row.field === field && groups.includes(row.group));
    document.getElementById("figure-sweep").hidden = !any;
    if (any) await signal("sweep", { shownGroups: groups, field, metric });
  };

  const chosen = (select) => ({ [select.dataset.signal]: "list" in select.dataset ? [select.value] : select.value });
  for (const select of document.querySelectorAll("select[data-figure]")) {
    select.addEventListener("change", () => (select.dataset.figure === "sweep" ? showSweep() : signal(select.dataset.figure, chosen(select))));
  }

  // A closer look -----------------------------------------------------------
  const cell = (row, tag, content) => {
    const element = document.createElement(tag);
    if (typeof content === "string") element.textContent = content;
    else element.append(content);
    row.append(element);
  };

  const image = (base64, text) => {
    const element = document.createElement("img");
    element.src = `data:image/png;base64,${base64}`;
    element.alt = text;
    return element;
  };

  const drawImages = (strips) => {
    const table = document.getElementById("images");
    table.replaceChildren();
    const head = table.insertRow();
    for (const title of ["class", "mean", "generated, never seen", "real"]) cell(head, "th", title);
    for (const strip of strips) {
      const row = table.insertRow();
      cell(row, "th", strip.class);
      for (const part of ["mean", "generated", "real"]) cell(row, "td", image(strip[part], `${part} samples of ${strip.class}`));
    }
  };

  const showCloser = async (view, isWanted) => {
    if (!isWanted()) return;
    const runs = view.nRuns > 1 ? `the middle one of ${view.nRuns} runs by ${view.by}, ` : "";
    document.getElementById("closer-run").textContent = `${view.method} on ${view.group}: ${runs}${view.run}`;
    const left = view.confusionLeftOut;
    document.getElementById("confusion-left-out").textContent = left > 0 ? `The ${left} least confused classes are left out.` : "";
    for (const panel of document.querySelectorAll("[data-closer]")) {
      const name = panel.dataset.closer;
      const columns = view.columns[name];
      const empty = name === "images" ? !view.images.length : !rows(columns).length;
      panel.hidden = empty;
      if (empty) continue;
      if (name === "images") drawImages(view.images);
      else await draw(name, columns);
      if (!isWanted()) return;
    }
  };

  // One look after another, as two draws of one box would leave a view that is never finalised; the last one counts.
  const choice = document.getElementById("closer-choice");
  let looks = 0;
  let looking = Promise.resolve();
  const lookCloser = () => {
    const look = ++looks;
    looking = looking.then(() => showCloser(report.closer[Number(choice.value)], () => look === looks));
    return looking;
  };
  if (choice) choice.addEventListener("change", lookCloser);

  const start = async () => {
    for (const select of document.querySelectorAll("select")) select.selectedIndex = 0;
    for (const [name, columns] of Object.entries(report.columns)) if (rows(columns).length) await draw(name, columns);
    for (const select of document.querySelectorAll('select[data-figure]:not([data-figure="sweep"])')) {
      await signal(select.dataset.figure, chosen(select));
    }
    if (form) await applyFilters();
    if (report.closer.length) await lookCloser();
    document.documentElement.dataset.drawn = "true";
  };
  start();
})();
