// Chart.js, with this page's colours. It draws on canvases and needs no style sheet of its own.
/* global Chart */

import * as format from './format.js';

const bars = 60;  // at most, side by side
const widths = [30, 60, 120, 300, 600, 1800].map((seconds) => seconds * 1000);  // that a bar may stand for
const tick_steps = [60, 120, 300, 600, 1800, 3600, 7200, 14_400].map((seconds) => seconds * 1000);
const ticks = 7;  // at most, on the axis of time
const longest_gap = 60_000;  // milliseconds, of what the page saw itself: where nobody looked for longer, nothing is known
const charts = new Set();

export const spans = [['15 min', 900], ['1 h', 3600], ['6 h', 21_600], ['24 h', 86_400]];
let span = 3600;
const span_choices = [];

/** A <select> for how far back charts look; all of them say the same. */
export function use_as_span_choice(select, on_choice) {
  select.append(...spans.map(([label, seconds]) => new Option(label, String(seconds), false, seconds === span)));
  span_choices.push(select);
  select.addEventListener('change', () => {
    span = Number(select.value);
    for (const each of span_choices) each.value = select.value;
    on_choice();
  });
}
export const seconds_back = () => span;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Without animation, and yet never updated in mode 'none': in that one Chart.js leaves points and bars as they once were.
function common(tick_text, tip_text) {
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    parsing: false,
    normalized: true,
    interaction: {mode: 'index', intersect: false, axis: 'x'},
    scales: {
      x: {
        type: 'linear',
        ticks: {maxRotation: 0, autoSkipPadding: 24, includeBounds: false, callback: (value) => format.clock(value, false)},
        grid: {display: false},
        border: {display: false},
      },
      y: {beginAtZero: true, ticks: {maxTicksLimit: 5, callback: tick_text}, grid: {drawBorder: false}},
    },
    plugins: {
      legend: {display: false},
      tooltip: {
        displayColors: true,
        callbacks: {title: (items) => (items.length ? format.date_and_time(items[0].parsed.x) : ''), label: tip_text},
      },
    },
  };
}

const width_of_bars = (back) => widths.find((each) => back / each <= bars) ?? widths.at(-1);

/** Of points of the proxy's history each stands for a step; the page's own are closer together. */
const longest_step = (points) => Math.max(0, ...points.map((each) => each.step ?? 0));

/** A step of the history as bars of this width, up to where the next point begins. */
function as_bars(points, width) {
  return points.flatMap((each, i) => {
    if (!(each.step > width)) return [each];
    const next = points[i + 1];
    const end = next ? next.time - (next.step ?? 0) / 2 : Date.now();
    return [...Array(Math.round(each.step / width)).keys()]
      .map((bar) => ({...each, time: each.time - each.step / 2 + (bar + 0.5) * width})).filter(({time}) => time < end);
  });
}

/** Averages over so much time that there are few bars. Each stands for a span of its own, so that only the last one changes. */
function thinned(points, width) {
  const groups = new Map();
  for (const each of points) {
    const time = (Math.floor(each.time / width) + 0.5) * width;
    if (groups.has(time)) groups.get(time).push(each);
    else groups.set(time, [each]);
  }
  const mean = (some, name) => some.reduce((sum, each) => sum + (each[name] ?? 0), 0) / some.length;
  return [...groups].map(([time, some]) => ({time, accepted: mean(some, 'accepted'), rejected: mean(some, 'rejected'),
    unknown: mean(some, 'unknown')}));
}

class drawn {
  constructor(canvas, options) {
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    this.chart = new Chart(canvas, options);
    this.style();
    charts.add(this);
  }

  style() {
    const {options} = this.chart;
    for (const axis of [options.scales.x, options.scales.y]) {
      axis.ticks.color = colour('--muted');
      axis.grid.color = colour('--line');
    }
    Object.assign(options.plugins.tooltip, {
      backgroundColor: colour('--raised'), titleColor: colour('--text'), bodyColor: colour('--text'),
        borderColor: colour('--line'), borderWidth: 1,
    });
    this.chart.data.datasets.forEach((set) => this.paint(set));
    this.chart.update();
  }

  /** `points`: of series_store.of() or of the proxy's history. */
  show(points) {
    const now = Date.now();
    const seen = points.filter((each) => each.time >= now - span * 1000);
    const {x} = this.chart.options.scales;
    // A chart that begins begins at the left, and is not an empty one with a line at its end.
    x.min = Math.max(now - span * 1000, Math.min(seen[0]?.time ?? now, now - 300_000));
    x.max = now;
    x.ticks.stepSize = tick_steps.find((each) => (x.max - x.min) / each <= ticks) ?? tick_steps.at(-1);
    this.put(seen, x.max - x.min);
    this.chart.update();
  }

  remove() {
    charts.delete(this);
    this.chart.destroy();
  }
}

export class hashrate_chart extends drawn {
  constructor(canvas) {
    super(canvas, {
      type: 'line',
      data: {datasets: [{data: [], borderWidth: 2, pointRadius: 0, pointHitRadius: 8, fill: 'origin', tension: 0.25}]},
      options: common(format.round_hashrate, (item) => ` ${format.hashrate(item.parsed.y)}`),
    });
  }
  paint(set) {
    set.borderColor = colour('--accent');
    set.backgroundColor = colour('--accent-soft');
  }
  put(points) {
    const [set] = this.chart.data.datasets;
    const known = points.filter((each) => each.hashrate !== null && each.hashrate !== undefined);
    set.data = known.map((each) => ({x: each.time, y: each.hashrate}));
    set.spanGaps = Math.max(longest_gap, 1.5 * longest_step(known));
    set.pointRadius = known.length < 3 ? 3 : 0;
  }
}

export class share_chart extends drawn {
  constructor(canvas) {
    const options = common((value) => (value < 1000 ? String(value) : format.count(value)),
      (item) => ` ${item.dataset.label}: ${item.parsed.y.toFixed(1)} a minute`);
    options.scales.x.stacked = true;
    options.scales.x.offset = false;
    options.scales.y.stacked = true;
    options.plugins.legend = {display: true, align: 'end', labels: {boxWidth: 10, boxHeight: 10, padding: 12}};
    super(canvas, {
      type: 'bar',
      data: {datasets: ['accepted', 'rejected', 'unknown'].map((label) => ({label, data: [], stack: 'shares',
        maxBarThickness: 22, barPercentage: 1, categoryPercentage: 0.85}))},
      options,
    });
  }
  paint(set) {
    set.backgroundColor = colour({accepted: '--good', rejected: '--bad', unknown: '--warn'}[set.label]);
    this.chart.options.plugins.legend.labels.color = colour('--muted');
  }
  put(points, back) {
    const width = width_of_bars(back);
    const known = points.filter((each) => each.accepted !== null && each.accepted !== undefined);
    const few = thinned(as_bars(known, width), width);
    const {x} = this.chart.options.scales;
    x.max = Math.ceil(x.max / width) * width;  // the last bar is whole, what it stands for is not over
    for (const set of this.chart.data.datasets) set.data = few.map((each) => ({x: each.time, y: each[set.label] ?? 0}));
  }
}

document.addEventListener('themechange', () => { for (const each of charts) each.style(); });
