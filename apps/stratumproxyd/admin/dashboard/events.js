// What happened, newest first.

import {data} from './data.js';
import {by_id, make, set_text} from './dom.js';
import * as format from './format.js';
import {data_table} from './table.js';

let table;

const joined = (...texts) => texts.filter(Boolean).join(' · ');

/** The newest events for the overview: what happens to a whole farm at once is one line, with how often. */
export function grouped_events(most) {
  const groups = [];
  for (const row of data.events) {
    const last = groups.at(-1);
    if (last && ['event', 'pool', 'detail', 'level'].every((name) => last.row[name] === row[name])) {
      last.count += 1;
      last.key = row.key;  // of its oldest, so that it stays when more come
      continue;
    }
    if (groups.length === most) break;
    groups.push({row, count: 1, key: row.key});
  }
  return groups;
}

export function make_event_line() {
  return make('div', {className: 'event'}, make('span', {className: 'dot'}), make('time'), make('span', {className: 'name'}),
    make('span', {className: 'about'}));
}

export function fill_event_line(node, {row, count}) {
  const [dot, time, name, about] = node.children;
  const what = format.words(row.event);
  dot.dataset.state = row.level;
  set_text(time, format.clock(row.at));
  set_text(name, count > 1 ? `${what} × ${count}` : what);
  set_text(about, joined(row.detail, row.pool ?? row.account));
  node.title = joined(format.date_and_time(row.at), what, row.account, row.worker, row.pool, row.detail);
}

const columns = [
  {id: 'time', label: 'Time', first: 'down', text: (row) => format.recent_time(row.at), value: (row) => row.seq},
  {id: 'level', label: 'Level', kind: 'badge', text: (row) => row.level, state: (row) => row.level},
  {id: 'event', label: 'What', text: (row) => format.words(row.event)},
  {id: 'account', label: 'Account', wide: true, text: (row) => row.account ?? ''},
  {id: 'worker', label: 'Worker', wide: true, text: (row) => row.worker ?? ''},
  {id: 'pool', label: 'Pool', wide: true, text: (row) => row.pool ?? ''},
  {id: 'detail', label: 'Detail', text: (row) => row.detail ?? ''},
];

export function create() {
  table = new data_table(by_id('view-events'), {
    columns, label: 'Events', sort: {id: 'time', down: true}, placeholder: 'Search events: what, account, worker, pool',
      empty: 'Nothing has happened yet.',
    filters: [{label: 'all'}, {label: 'warnings and errors', test: (row) => row.level !== 'info'}],
  });
}

export function render() {
  table.set_rows(data.events);
}
