"use strict";
(() => {
  const all = (root, selector) => Array.from(root.querySelectorAll(selector));
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
    const drawn = ranked.filter((row) => metric.mean[row] !== null && panel.querySelector(`[data-line="${row}"]`));
    drawn.slice().reverse().forEach((row, rank) => all(panel, `[data-line="${row}"]`).forEach((line) => {
      const item = line.closest('g[class*="pathgroup"] > g') || line;
      line.style.stroke = `var(--q${Math.min(6, Math.floor((rank * 7) / drawn.length))})`;
      item.parentElement.append(item);
    }));
    all(panel, ".by").forEach((one) => { one.textContent = metric.name; });
  };

  const light = (panel, line, row) => {
    all(panel, ".lit").forEach((one) => one.classList.remove("lit"));
    all(panel, `[data-line="${line}"],tr[data-row="${row}"]`).forEach((one) => one.classList.add("lit"));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.all");
    if (!button) return;
    const table = button.parentElement.querySelector("table.ranking");
    table.removeAttribute("data-shown");
    table.parentElement.classList.add("ranking-box");
    limit(table);
    button.remove();
  });
  document.addEventListener("change", (event) => { if (event.target.matches("select.metric")) choose(event.target); });
  document.addEventListener("pointerover", (event) => {
    const panel = event.target.closest && event.target.closest(".panel"), one = event.target.closest && event.target.closest("[data-line],tr[data-row]");
    if (panel && one) light(panel, one.dataset.line || one.dataset.row, one.dataset.row || one.dataset.line);
  });
})();
