"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { build, units, history, plain_cargo: plain } = data;
  const at = (id) => document.getElementById(id);

  // Text from a build never becomes markup.
  const el = (name, attributes, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (key === "style") Object.assign(node.style, value);
      else node.setAttribute(key, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  };
  const time = (ms) => {
    if (ms < 10) return `${ms.toFixed(1)} ms`;
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 60000) return `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`;
    const seconds = Math.round(ms / 1000);
    if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`;
    return `${Math.floor(seconds / 3600)}h ${String(Math.floor(seconds / 60) % 60).padStart(2, "0")}m`;
  };
  const bytes = (count) => {
    const names = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = 0;
    while (count >= 1024 && step + 1 < names.length) { count /= 1024; step += 1; }
    return `${step === 0 ? count : count.toFixed(1)} ${names[step]}`;
  };
  const many = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
  const FATES = [
    ["compiled", "compiled"], ["restored", "restored"], ["in_place", "in place"], ["not_built", "not built"],
  ];
  const fateName = Object.fromEntries(FATES);
  const colour = (name) => `var(--${name})`;
  const dot = (name) => el("i", { class: "dot", style: { background: colour(name) } });
  const percent = (part, whole) => `${(whole > 0 ? (100 * part) / whole : 0).toFixed(4)}%`;

  const count = Object.fromEntries(FATES.map(([fate]) => [fate, 0]));
  for (const unit of units) count[unit.fate] += 1;

  // ---- heading
  const name = build.workspace.split(/[\\/]/).filter(Boolean).pop() || build.workspace;
  at("workspace").append(name);
  at("meta").append(
    el("code", {}, `cargo zbuild ${build.command}`), ` · ${new Date(build.time_ms).toLocaleString()} `,
    build.exit_code === 0 ? "" : el("span", { class: "bad" }, `· failed (${build.exit_code ?? "signal"}) `),
    data.cargo_report ? el("a", { href: data.cargo_report }, "cargo's own report") : "",
  );

  // ---- plain cargo against this build
  const took = build.duration_ms;
  const scale = Math.max(plain.total_ms, took, 1);
  const names = ["plan", "lookup", "restore", "cargo", "capture"];
  const phases = names.filter((phase) => build.phases_ms[phase] > 0).map((phase) => [phase, build.phases_ms[phase]]);
  const known = phases.reduce((sum, [, ms]) => sum + ms, 0);
  if (took > known) phases.push(["other", took - known]);
  const label = (ms, place) => {
    // Beside the bar where there is room, else inside at its end.
    const inside = place > 78;
    return el("span", { class: inside ? "at inside" : "at", style: inside ? {} : { left: `${place}%` } }, time(ms));
  };
  const row = (title, ms, parts) => el("div", { class: "row" }, el("span", {}, title),
    el("div", { class: "track" },
      el("div", { class: "bar", style: { width: percent(ms, scale) } }, parts),
      label(ms, (100 * ms) / scale)));
  const segment = ([phase, ms], whole) => el("i", {
    style: { background: colour(phase), width: percent(ms, whole) }, title: `${phase} ${time(ms)}`,
  });
  const saved = plain.total_ms - took;
  const ratio = plain.total_ms / Math.max(took, 1);
  const headline = () => {
    if (plain.total_ms === 0) return el("div", {}, el("div", { class: "big" }, time(took)),
      el("p", { class: "note" }, "nothing had to be built"));
    if (ratio >= 1.15) return el("div", {}, el("div", { class: "big" }, ratio < 10 ? ratio.toFixed(1) : Math.round(ratio), el("small", {}, "× faster")),
      el("p", { class: "note" }, `${time(saved)} less waiting than with plain cargo`));
    return el("div", {}, el("div", { class: "big even" }, time(took)),
      el("p", { class: "note" }, `${ratio > 0.8 ? "about what plain cargo takes" : `plain cargo may take ${time(plain.total_ms)}`}: ${
        many(count.compiled, "unit")} had to be compiled`));
  };
  at("hero").append(headline(),
    el("div", {},
      row("plain cargo", plain.total_ms, [el("i", { style: { background: colour("plain"), width: "100%" } })]),
      row("this build", took, phases.map((phase) => segment(phase, took)))),
    el("div", { class: "zoom" },
      el("div", { class: "strip" }, phases.map((phase) => segment(phase, took))),
      el("p", { class: "legend" }, phases.map(([phase, ms]) => el("span", {}, dot(phase), `${phase} `, el("b", {}, time(ms)))))));

  // ---- figures
  const tile = (value, text) => el("div", { class: "tile" }, el("b", {}, value), el("span", {}, text));
  at("tiles").append(
    tile(build.units.toLocaleString("en"), "units"),
    tile((count.in_place + count.restored).toLocaleString("en"), count.restored ? `reused, ${count.restored.toLocaleString("en")} restored` : "reused"),
    tile(count.compiled.toLocaleString("en"), "compiled"),
    tile(time(build.time_saved_ms), "compile time saved"),
    tile(bytes(build.bytes_restored), "restored"));

  // ---- over time
  const tip = at("tip");
  const box = (unit, index, style, critical) => el("i", {
    "data-unit": index, class: critical ? "critical" : null, style: { background: colour(unit.fate), ...style },
  });
  const lanes = (list) => {
    const free = [];
    const placed = list.sort((one, other) => one.begin - other.begin).map((item) => {
      let lane = free.findIndex((end) => end <= item.begin + 0.5);
      if (lane < 0) lane = free.push(0) - 1;
      free[lane] = item.begin + item.ms;
      return { ...item, lane };
    });
    return { placed, lanes: Math.max(free.length, 1) };
  };
  const drawLanes = (list, critical) => {
    const { placed, lanes: number } = lanes(list);
    const height = number > 16 ? 6 : number > 6 ? 10 : 18;
    return el("div", { class: "lanes", style: { height: `${number * height}px` } },
      placed.map(({ unit, index, begin, ms, lane }) => box(unit, index, {
        left: percent(begin, scale), width: percent(ms, scale), top: `${lane * height}px`, height: `${height - 1}px`,
      }, critical.has(index))));
  };
  const axis = () => {
    const rough = scale / 6;
    const power = 10 ** Math.floor(Math.log10(rough));
    const round = [1, 2, 5, 10].map((n) => n * power);
    const step = (rough > 5000 ? [10, 15, 30, 60, 120, 300, 600, 1800, 3600].map((n) => n * 1000) : round)
      .find((n) => n >= rough) || round[3];
    const ticks = [];
    for (let ms = 0; ms <= scale; ms += step) ticks.push(ms);
    return el("div", { class: "axis" }, ticks.map((ms) => el("span", {
      class: ms / scale > 0.96 ? "last" : null, style: { left: percent(ms, scale) },
    }, ms === 0 ? "0" : time(ms))));
  };
  const legend = () => el("p", { class: "legend" }, FATES.filter(([fate]) => count[fate])
    .map(([fate, text]) => el("span", {}, dot(fate), `${text} `, el("b", {}, count[fate].toLocaleString("en")))));
  const needed = units.map((unit, index) => ({ unit, index, begin: unit.plain_begin_ms, ms: unit.build_ms || 0 }))
    .filter(({ unit }) => unit.needed && unit.build_ms > 0);
  if (needed.length) {
    const before = names.slice(0, 3).reduce((sum, phase) => sum + (build.phases_ms[phase] || 0), 0);
    const built = units.map((unit, index) => ({ unit, index, begin: before + (unit.begun_ms || 0), ms: unit.build_ms || 1 }))
      .filter(({ unit }) => unit.fate === "compiled" && unit.begun_ms !== null);
    let from = 0;
    const strip = phases.map(([phase, ms]) => {
      const part = el("i", { title: `${phase} ${time(ms)}`, style: {
        left: percent(from, scale), width: percent(ms, scale), height: "7px", background: colour(phase) } });
      from += ms;
      return part;
    });
    const path = plain.critical.filter((index) => units[index].needed);
    at("time").append(el("h2", {}, "What it would have been, and what it was"),
      el("p", { class: "note" }, `${many(data.jobs, "job")} at once, one row each`),
      el("div", { class: "what" }, "plain cargo, ", el("b", {}, time(plain.total_ms)),
        `, of that ${time(plain.critical_ms)} in the longest chain of ${many(path.length, "unit")} (underlined)`),
      drawLanes(needed, new Set(plain.critical)), axis(),
      el("div", { class: "what" }, "this build, ", el("b", {}, time(took))),
      el("div", { class: "lanes phases", style: { height: "8px" } }, strip),
      built.length ? drawLanes(built, new Set()) : "",
      axis(), legend());
  } else {
    at("time").append(el("h2", {}, "Nothing to build"),
      el("p", { class: "note" }, `${many(units.length, "unit")} looked at in ${time(took)}; cargo was ${build.cargo_started ? "" : "not "}started`));
  }

  // ---- map of units: squarified, by the time that each takes to build
  const squarify = (items, x, y, width, height, place) => {
    let total = items.reduce((sum, item) => sum + item.value, 0);
    let first = 0;
    while (first < items.length) {
      const short = Math.min(width, height);
      let sum = 0, last = first, worst = Infinity;
      while (last < items.length) {
        const next = sum + items[last].value;
        const area = (next / total) * width * height;
        const side = area / short;
        const ratioOf = (value) => {
          const length = (value / next) * short;
          return Math.max(length / side, side / length);
        };
        const ratio = Math.max(ratioOf(items[first].value), ratioOf(items[last].value));
        if (ratio > worst) break;
        worst = ratio; sum = next; last += 1;
      }
      const side = ((sum / total) * width * height) / short;
      let along = 0;
      for (const item of items.slice(first, last)) {
        const length = (item.value / sum) * short;
        if (width <= height) place(item, x + along, y, length, side);
        else place(item, x, y + along, side, length);
        along += length;
      }
      if (width <= height) { y += side; height -= side; } else { x += side; width -= side; }
      total -= sum;
      first = last;
    }
  };
  const mapped = units.map((unit, index) => ({ unit, index, value: unit.build_ms || 0 }))
    .filter(({ value }) => value > 0).sort((one, other) => other.value - one.value);
  const map = el("div", { class: "treemap" });
  const drawMap = () => {
    const { width, height } = map.getBoundingClientRect();
    if (width < 1) return;
    map.replaceChildren();
    squarify(mapped, 0, 0, width, height, ({ unit, index }, x, y, w, h) => {
      const shown = w > 44 && h > 17 ? unit.package : "";
      map.append(el("i", { "data-unit": index, class: unit.fate, style: {
        left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px`, background: colour(unit.fate),
        padding: shown ? null : "0",
      } }, shown));
    });
  };
  at("map").append(el("h2", {}, "All units, by the time they take to build"), map, legend());
  drawMap();
  addEventListener("resize", drawMap);

  // ---- why something was compiled
  const roots = units.filter((unit) => unit.fate === "compiled" && unit.code !== "dependency");
  const cascade = count.compiled - roots.length;
  at("why").append(el("h2", {}, "Why units were compiled"));
  if (count.compiled === 0) {
    at("why").append(el("p", { class: "calm" }, count.not_built ? "cargo compiled nothing" : "Nothing was compiled."));
  } else {
    const groups = new Map();
    for (const unit of roots) {
      const why = unit.reason || "built by cargo although it was there";
      groups.set(why, [...(groups.get(why) || []), unit.title]);
    }
    const sorted = [...groups].sort((one, other) => other[1].length - one[1].length);
    const item = ([why, titles]) => el("li", {}, el("b", {}, titles.length === 1 ? titles[0] : many(titles.length, "unit")), `: ${why}`,
      titles.length > 1 ? el("small", {}, titles.slice(0, 6).join(", "), titles.length > 6 ? ` and ${titles.length - 6} more` : "") : null);
    at("why").append(el("ul", { class: "reasons" }, sorted.slice(0, 8).map(item),
      sorted.length > 8 ? el("li", {}, `and ${sorted.length - 8} more reasons, see below`) : null,
      cascade > 0 ? el("li", {}, el("b", {}, many(cascade, "unit")), " above them had to follow") : null));
  }

  // ---- history
  at("history").append(el("h2", {}, `The last ${many(history.length, "build")} of this workspace`));
  const values = history.flatMap((past) => [past.duration_ms, past.plain_cargo_ms]).filter((ms) => ms > 0);
  const floor = Math.log10(Math.max(Math.min(...values, took) * 0.7, 1));
  const top = Math.max(Math.log10(Math.max(...values, took) * 1.3), floor + 1);
  const up = (ms) => `${(100 * (Math.log10(Math.max(ms, 1)) - floor)) / (top - floor)}%`;
  const grid = [];
  for (let power = Math.ceil(floor); power <= top; power += 1) {
    grid.push(el("div", { class: "grid", style: { bottom: up(10 ** power) } }, el("span", {}, time(10 ** power).replace(".0", ""))));
  }
  at("history").append(el("div", { class: "past" }, grid, history.map((past, index) => {
    const now = index + 1 === history.length;
    const slow = past.plain_cargo_ms > 0 && past.duration_ms > 0.87 * past.plain_cargo_ms;
    const text = `${past.command}: ${time(past.duration_ms)}, plain cargo ${time(past.plain_cargo_ms)}, ${past.hits} hits, ${past.misses} misses`;
    const low = Math.min(past.duration_ms, past.plain_cargo_ms || past.duration_ms);
    return el("div", { class: `build${now ? " now" : ""}${slow ? " slow" : ""}`, title: text,
      style: { left: `${(100 * (index + 0.6)) / Math.max(history.length + 0.2, 4)}%` } },
    past.plain_cargo_ms > 0 ? [
      el("u", { style: { bottom: up(low), top: `calc(100% - ${up(Math.max(past.duration_ms, past.plain_cargo_ms))})` } }),
      el("s", { style: { bottom: up(past.plain_cargo_ms) } })] : null,
    el("b", { style: { bottom: up(past.duration_ms) } }));
  })), el("p", { class: "legend" },
    el("span", {}, el("i", { class: "dot", style: { background: colour("good"), borderRadius: "50%" } }), "took"),
    el("span", {}, el("i", { class: "dot", style: { border: `2px solid ${colour("plain")}`, borderRadius: "50%" } }), "plain cargo, estimated")));

  // ---- table
  const columns = [
    ["unit", (unit) => unit.title, ""],
    ["", (unit) => fateName[unit.fate], ""],
    ["why", (unit) => unit.reason || "", "wide"],
    ["build time", (unit) => unit.build_ms ?? -1, "n"],
    ["size", (unit) => unit.bytes, "n wide"],
  ];
  const state = { by: 3, down: true, text: "", fate: null, all: false };
  const body = el("tbody");
  const heads = columns.map(([title, , kind], index) => {
    const head = el("th", { class: kind || null, scope: "col" }, title);
    head.addEventListener("click", () => {
      state.down = state.by === index ? !state.down : index >= 3;
      state.by = index;
      fill();
    });
    return head;
  });
  const more = el("button", { type: "button" });
  more.addEventListener("click", () => { state.all = true; fill(); });
  function fill() {
    const of = columns[state.by][1];
    const text = state.text.toLowerCase();
    const shown = units.filter((unit) => (!state.fate || unit.fate === state.fate)
      && (!text || `${unit.title} ${unit.reason || ""}`.toLowerCase().includes(text)));
    shown.sort((one, other) => {
      const [a, b] = [of(one), of(other)];
      const order = typeof a === "number" ? a - b : a.localeCompare(b);
      return state.down ? -order : order;
    });
    const rows = state.all ? shown : shown.slice(0, 40);
    body.replaceChildren(...rows.map((unit) => el("tr", {},
      el("td", {}, unit.title, unit.reason ? el("span", { class: "short" }, unit.reason) : null),
      el("td", { style: { whiteSpace: "nowrap" } }, dot(unit.fate), fateName[unit.fate]),
      el("td", { class: "wide" }, unit.reason || ""),
      el("td", { class: "n" }, unit.build_ms === null ? "" : time(unit.build_ms)),
      el("td", { class: "n wide" }, unit.bytes ? bytes(unit.bytes) : ""))));
    heads.forEach((head, index) => {
      if (index === state.by) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    more.hidden = rows.length === shown.length;
    more.textContent = `show all ${shown.length.toLocaleString("en")}`;
  }
  const search = el("input", { type: "search", placeholder: "name or reason", "aria-label": "filter units" });
  search.addEventListener("input", () => { state.text = search.value; fill(); });
  const chips = FATES.filter(([fate]) => count[fate]).map(([fate, text]) => {
    const chip = el("button", { type: "button", "aria-pressed": "false" }, dot(fate), text);
    chip.addEventListener("click", () => {
      state.fate = state.fate === fate ? null : fate;
      chips.forEach((other) => other.setAttribute("aria-pressed", String(other === chip && state.fate === fate)));
      fill();
    });
    return chip;
  });
  at("units").append(el("h2", {}, "Units"), el("div", { class: "tools" }, search, chips),
    el("table", {}, el("thead", {}, el("tr", {}, heads)), body), more);
  fill();
  at("foot").append(`cargo-zbuild ${data.zbuild} · plain cargo's time is an estimate from recorded compile times`);

  // ---- what is under the pointer
  addEventListener("pointermove", (event) => {
    const target = event.target.closest ? event.target.closest("[data-unit]") : null;
    tip.hidden = !target;
    if (!target) return;
    const unit = units[Number(target.dataset.unit)];
    tip.replaceChildren(el("b", {}, unit.title),
      el("small", {}, `${fateName[unit.fate]}${unit.build_ms === null ? "" : ` · takes ${time(unit.build_ms)}`}${unit.bytes ? ` · ${bytes(unit.bytes)}` : ""}`),
      unit.reason ? el("small", {}, unit.reason) : null);
    const { innerWidth: width, innerHeight: height } = window;
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, width - tip.offsetWidth - 6))}px`;
    tip.style.top = `${event.clientY + 18 + tip.offsetHeight > height ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18}px`;
  });
  document.documentElement.dataset.rendered = String(units.length);
})();
