"use strict";
(() => {
  const all = (root, selector) => Array.from(root.querySelectorAll(selector));
  const text = (cell) => cell.textContent.replace("−", "-").trim();
  const number = (value) => { const found = parseFloat(value.replace(/[,$+%]/g, "")); return value && !Number.isNaN(found) ? found : null; };

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

  // A click on a heading orders its table; numbers as numbers, what is empty last.
  const order = (head) => {
    const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
    const up = head.getAttribute("aria-sort") !== "ascending";
    const value = (row) => (row.cells[column] ? text(row.cells[column]) : "");
    const keyed = Array.from(body.rows, (row) => ({ row, words: value(row), size: number(value(row)) }));
    const numeric = keyed.some((one) => one.size !== null);
    keyed.sort((a, b) => {
      if (numeric && (a.size === null || b.size === null)) return (a.size === null) - (b.size === null);
      return (numeric ? a.size - b.size : a.words.localeCompare(b.words)) * (up ? 1 : -1);
    });
    all(table, "th").forEach((one) => one.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...keyed.map((one) => one.row));
    limit(table);
  };

  const limit = (table) => {
    const shown = Number(table.dataset.shown || Infinity);
    Array.from(table.tBodies[0].rows).forEach((row, place) => { row.hidden = place >= shown; });
  };

  // The chosen metric orders the table of the best and colours the lines of the settings.
  const choose = (select) => {
    const panel = select.closest(".panel"), values = JSON.parse(panel.querySelector("script.values").textContent);
    const metric = values.metrics[select.selectedIndex], table = panel.querySelector("table.ranking");
    const place = (row) => {
      const mean = metric.mean[row];
      return [values.last[row] ? 1 : 0, mean === null ? 1 : 0, mean === null ? 0 : metric.lower ? mean : -mean];
    };
    const compare = (a, b) => { const [x, y] = [place(a), place(b)]; return x[0] - y[0] || x[1] - y[1] || x[2] - y[2] || a - b; };
    const rows = new Map(all(table, "tr[data-row]").map((row) => [Number(row.dataset.row), row]));
    const ranked = Array.from(rows.keys()).sort(compare);
    ranked.forEach((row) => metric.text[row].forEach((html, cell) => { rows.get(row).cells[cell + 2].innerHTML = html; }));
    table.tBodies[0].append(...ranked.map((row) => rows.get(row)));
    all(table, "th").forEach((one) => one.setAttribute("aria-sort", "none"));
    limit(table);
    panel.querySelector(".best .says").innerHTML = metric.says;
    const lines = new Map(all(panel, "path.run").map((line) => [Number(line.dataset.line), line]));
    const drawn = ranked.filter((row) => lines.has(row) && metric.mean[row] !== null);
    drawn.forEach((row, rank) => {
      const shade = Math.min(6, Math.floor(((drawn.length - 1 - rank) * 7) / drawn.length));
      lines.get(row).setAttribute("class", "run q" + shade);
    });
    all(panel, ".by").forEach((one) => { one.textContent = metric.name; });
    if (drawn.length) lines.get(drawn[0]).parentElement.append(...drawn.slice().reverse().map((row) => lines.get(row)), ...all(lines.get(drawn[0]).parentElement, "text"));
  };

  const light = (panel, line, row) => {
    all(panel, ".lit").forEach((one) => one.classList.remove("lit"));
    all(panel, `path.run[data-line="${line}"],tr[data-row="${row}"]`).forEach((one) => one.classList.add("lit"));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button"), head = event.target.closest("th");
    if (button && button.classList.contains("csv")) save(button);
    else if (button && button.classList.contains("all")) {
      const table = button.parentElement.querySelector("table.ranking");
      table.removeAttribute("data-shown");
      table.parentElement.classList.add("ranking-box");
      limit(table);
      button.remove();
    } else if (head && head.hasAttribute("aria-sort")) order(head);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("th[aria-sort]")) order(event.target);
  });
  document.addEventListener("change", (event) => { if (event.target.matches("select.metric")) choose(event.target); });

  // What is pointed at, or touched, is named below its figure too: a touch screen shows no titles.
  document.addEventListener("pointerover", (event) => {
    const shape = event.target.closest("svg *"), title = shape && shape.querySelector(":scope > title");
    const panel = event.target.closest(".panel"), row = event.target.closest("tr[data-row]");
    if (title) {
      const figure = shape.closest(".figure") || shape.closest("details") || shape.closest("section");
      const read = figure && figure.querySelector(".read");
      if (read) read.textContent = title.textContent;
    }
    if (panel && shape && shape.dataset.line) light(panel, shape.dataset.line, shape.dataset.line);
    else if (panel && row) light(panel, row.dataset.row, row.dataset.row);
  });

  all(document, "thead th").forEach((head) => { head.setAttribute("aria-sort", "none"); head.tabIndex = 0; });
})();
