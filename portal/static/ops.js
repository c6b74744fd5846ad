// Draws the dashboard's panels with uPlot. The latest values stand below each chart as a table, for everybody.
const figures = document.querySelector(".figures");
const language = document.documentElement.lang;
const number = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const colours = ["#2b6ca3", "#b3402f", "#2f9d6b", "#d08a1d", "#8a64c4", "#3aa6b9", "#c2588f", "#8d8d3a", "#7a7a7a", "#5f8fd9"];
const clock = new Intl.DateTimeFormat(language, { timeZone: "Asia/Jakarta", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const charts = new Map();

const shown = (value, unit) => {
  if (value === undefined) return "–";
  if (unit === "percentunit") return `${number.format(value * 100)} %`;
  return number.format(value) + (unit === "s" ? " s" : "");
};

function table(panel, series) {
  const rows = series.map(({ label, values }, at) => {
    const row = document.createElement("tr");
    const head = row.appendChild(Object.assign(document.createElement("th"), { scope: "row" }));
    const swatch = head.appendChild(Object.assign(document.createElement("span"), { className: "swatch" }));
    swatch.style.background = colours[at % colours.length];
    head.append(label);
    row.insertCell().textContent = shown(values.findLast((value) => value !== null), panel.dataset.unit);
    return row;
  });
  panel.querySelector("table").hidden = rows.length === 0;
  panel.querySelector("tbody").replaceChildren(...rows);
}

function chart(panel, { times, series }) {
  const place = panel.querySelector(".chart");
  const data = [times, ...series.map(({ values }) => values)];
  const known = charts.get(panel);
  const names = JSON.stringify(series.map(({ label }) => label));
  if (known?.names === names) return known.plot.setData(data);
  known?.plot.destroy();
  charts.delete(panel);
  if (series.length === 0) return;
  const style = getComputedStyle(document.documentElement);
  const axis = { stroke: style.getPropertyValue("--soft"), grid: { stroke: style.getPropertyValue("--line"), width: 1 } };
  const values = (_, ticks) => ticks.map((tick) => shown(tick, panel.dataset.unit));
  const plot = new uPlot({
    width: panel.querySelector("h3").clientWidth, height: 170, legend: { show: false }, cursor: { show: false },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1000)) }, { ...axis, values, size: 64 }],
    series: [{}, ...series.map((_, at) => ({ stroke: colours[at % colours.length], width: 2, points: { size: 4 } }))],
  }, data, place);
  charts.set(panel, { names, plot });
}

async function refresh(panel) {
  const said = panel.querySelector(".said");
  try {
    const answer = await fetch(`/ops/query_range?panel=${panel.dataset.panel}&minutes=${figures.dataset.minutes}&lang=${language}`);
    if (!answer.ok) throw new Error(answer.status);
    const found = await answer.json();
    chart(panel, found);
    table(panel, found.series);
    said.textContent = found.series.length ? "" : figures.dataset.empty;
  } catch {
    said.textContent = figures.dataset.failed;
  }
}

async function refreshAll() {
  if (!document.hidden) await Promise.all([...figures.querySelectorAll("[data-panel]")].map(refresh));
  figures.dataset.drawn = "yes";
  setTimeout(refreshAll, 10_000);
}

if (figures) {
  refreshAll();
  addEventListener("resize", () => {
    for (const [panel, { plot }] of charts) plot.setSize({ width: panel.querySelector("h3").clientWidth, height: 170 });
  });
}
