"use strict";
(() => {
  const all = (root, selector) => Array.from(root.querySelectorAll(selector));
  const text = (cell) => cell.textContent.replace("−", "-").trim();
  const number = (value) => { const found = parseFloat(value.replace(/[,$+%▲▼ ]/g, "")); return value && !Number.isNaN(found) ? found : null; };

  // Every table of data can be saved: its text is the data.
  const save = (button) => {
    const quote = (value) => (/[",\n]/.test(value) ? '"' + value.replace(/"/g, '""') + '"' : value);
    const rows = all(button.parentElement, "table tr").map((row) => Array.from(row.cells, (cell) => quote(text(cell))).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([rows.join("\r\n") + "\r\n"], { type: "text/csv;charset=utf-8" }));
    link.download = button.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  const turn = (head) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    all(head.parentElement, "th").forEach((one) => one.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    return up;
  };

  // A click on a heading orders its table; numbers as numbers, what is empty last.
  const order = (head) => {
    const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex, up = turn(head);
    const value = (row) => (row.cells[column] ? text(row.cells[column]) : "");
    const keyed = Array.from(body.rows, (row) => ({ row, words: value(row), size: number(value(row)) }));
    const numeric = keyed.some((one) => one.size !== null);
    keyed.sort((a, b) => {
      if (numeric && (a.size === null || b.size === null)) return (a.size === null) - (b.size === null);
      return (numeric ? a.size - b.size : a.words.localeCompare(b.words)) * (up ? 1 : -1);
    });
    body.append(...keyed.map((one) => one.row));
    limit(table);
  };
  const limit = (table) => {
    const shown = Number(table.dataset.shown || Infinity);
    Array.from(table.tBodies[0].rows).forEach((row, place) => { row.hidden = place >= shown; });
  };

  // What is wider than its box fades at the edge behind which more is.
  const fade = (box) => box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  const fadeAll = () => all(document, ".scroll").forEach(fade);
  document.addEventListener("scroll", (event) => { if (event.target.matches && event.target.matches(".scroll")) fade(event.target); }, true);
  document.addEventListener("toggle", fadeAll, true);
  window.addEventListener("resize", fadeAll);

  // What a mark stands for is shown where it is pointed at or touched.
  const tip = document.createElement("div");
  tip.className = "tip"; tip.hidden = true;
  document.body.append(tip);
  const show = (event) => {
    const mark = event.target.closest && event.target.closest("svg.chart [aria-label]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.getAttribute("aria-label");
    const edge = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(4, Math.min(event.pageX + 12, edge)) + "px";
    tip.style.top = event.pageY + 14 + "px";
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("pointerdown", show);

  // The choices, query by query.
  const queries = () => {
    const holder = document.getElementById("choices"), table = document.querySelector("table.queries");
    if (!holder) return;
    const data = JSON.parse(holder.textContent), form = document.querySelector(".filters"), more = document.querySelector("button.more");
    const field = (name) => form.querySelector(`[name=${name}]`), search = form.querySelector("[type=search]"), step = 25;
    let shown = step, column = 3, sign = -1;
    const digits = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(4))).replace("-", "−"));
    const fill = () => {
      const scenario = data.scenarios[field("scenario").value], router = scenario.routers[field("router").value];
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), task = field("task").value, wrong = field("wrong").checked;
      const rows = [];
      data.ids.forEach((id, row) => {
        if (task && data.tasks[row] !== task) return;
        const top = scenario.top[row], got = router.reward[row], regret = top === null || got === null ? null : Math.max(top - got, 0);
        if (wrong && !(regret > 1e-9)) return;
        const whole = `${id} ${data.texts[row]} ${data.tasks[row]}`.toLowerCase();
        if (!words.every((word) => whole.includes(word))) return;
        rows.push([id, data.llms[router.chosen[row]] || "–", data.llms[scenario.best[row]] || "–", regret, router.performance[row],
          router.predicted[row], got, top, router.cost[row], data.tasks[row], data.texts[row]]);
      });
      const compare = (a, b) => {
        const [x, y] = [a[column], b[column]];
        if (x === null || y === null || x === y) return (x === null) - (y === null);
        return (typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true })) * sign;
      };
      rows.sort(compare);
      const missed = rows.reduce((sum, row) => sum + (row[3] || 0), 0) / Math.max(rows.length, 1);
      form.querySelector(".found").textContent = `${rows.length.toLocaleString("en")} queries, mean regret ${digits(missed)}`;
      const make = (row) => {
        const line = document.createElement("tr");
        row.slice(0, 10).forEach((value, place) => {
          const cell = document.createElement(place ? "td" : "th");
          cell.textContent = typeof value === "number" || value === null ? digits(value) : value;
          if (!place && row[10]) { const small = document.createElement("small"); small.textContent = row[10]; cell.append(small); }
          if (place === 3 && value > 1e-9) cell.className = "bad";
          line.append(cell);
        });
        return line;
      };
      table.tBodies[0].replaceChildren(...rows.slice(0, shown).map(make));
      more.hidden = rows.length <= shown;
    };
    form.hidden = false;
    const again = () => { shown = step; fill(); };
    form.addEventListener("input", again);
    more.addEventListener("click", () => { shown += 100; fill(); });
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th");
      if (head) { sign = turn(head) ? 1 : -1; column = head.cellIndex; again(); }
    });
    table.tBodies[0].addEventListener("click", (event) => event.target.closest("tr").classList.toggle("open"));
    all(table, "thead th").forEach((head) => { head.setAttribute("aria-sort", head.cellIndex === column ? "descending" : "none"); head.tabIndex = 0; });
    fill();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button"), head = event.target.closest("th[aria-sort]");
    if (button && button.classList.contains("csv")) save(button);
    else if (head && !head.closest(".queries")) order(head);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("th[aria-sort]")) event.target.click();
  });
  all(document, "table:not(.queries) thead th").forEach((head) => { head.setAttribute("aria-sort", "none"); head.tabIndex = 0; });
  queries();
  fadeAll();
})();
