// Pools, and the connections to them.

import {data} from './data.js';
import {by_id, make} from './dom.js';
import * as format from './format.js';
import {worst_first} from './overview.js';
import {data_table} from './table.js';

let pools;
let links;

const pool_columns = [
  {id: 'name', label: 'Pool', kind: 'main', text: (row) => row.name},
  {id: 'state', label: 'State', kind: 'badge', text: (row) => row.state, state: (row) => row.state,
    value: (row) => worst_first.indexOf(row.state)},
  {id: 'hashrate', label: 'Hashrate', kind: 'number', text: (row) => format.hashrate(row.hashrate),
    value: (row) => row.hashrate},
  {id: 'hash', label: 'Algorithm', wide: true, text: (row) => row.hash ?? ''},
  {id: 'workers', label: 'Workers', kind: 'number', narrow: true, text: (row) => format.count(row.workers),
    value: (row) => row.workers},
  {id: 'links', label: 'Links live', kind: 'number', wide: true,
    text: (row) => (row.links ? `${row.live ?? 0} of ${row.links}` : '–'), value: (row) => row.links ?? 0},
  {id: 'rejected', label: 'Rejected', kind: 'number', wide: true,
    text: (row) => format.percent(row.rejected, row.accepted + row.rejected),
    value: (row) => row.rejected / (row.accepted + row.rejected || 1)},
  {id: 'drops', label: 'Drops', kind: 'number', wide: true, text: (row) => format.count(row.drops),
    value: (row) => row.drops ?? 0},
  {id: 'mode', label: 'Links are', wide: true, text: (row) => row.mode ?? ''},
];

const order = ['failing', 'refused', 'silent', 'connecting', 'handshaking', 'waiting', 'parked', 'live'];
const link_columns = [
  {id: 'link', label: 'Link', narrow: true, text: (row) => String(row.link), value: (row) => row.link},
  {id: 'pool', label: 'Pool', text: (row) => row.pool},
  {id: 'state', label: 'State', kind: 'badge', text: (row) => row.state, state: (row) => row.state,
    value: (row) => order.indexOf(row.state)},
  {id: 'user', label: 'Account', wide: true, text: (row) => row.user},
  {id: 'mode', label: 'Mode', wide: true, text: (row) => row.mode},
  {id: 'workers', label: 'Workers', kind: 'number', text: (row) => `${row.workers} of ${row.limit}`,
    value: (row) => row.workers},
  {id: 'difficulty', label: 'Difficulty', kind: 'number', wide: true, text: (row) => format.difficulty(row.difficulty),
    value: (row) => row.difficulty},
  {id: 'round_trip', label: 'Verdict after', kind: 'number', narrow: true,
    text: (row) => format.milliseconds(row.round_trip_seconds), value: (row) => row.round_trip_seconds},
];

export function create(open) {
  const root = by_id('view-pools');
  const upper = make('div', {className: 'half'});
  const lower = make('div', {className: 'half'});
  root.append(make('h2', {textContent: 'Pools'}), upper, make('h2', {textContent: 'Links'}), lower);
  pools = new data_table(upper, {
    columns: pool_columns, label: 'Pools', sort: {id: 'state', down: false}, placeholder: 'Search pools: host, algorithm',
      empty: 'No pool is in use.',
    on_open: (row) => open('pool', row.name),
    filters: [{label: 'in use', test: (row) => row.state !== 'unused'}, {label: 'all known'},
      {label: 'not up', test: (row) => !['up', 'unused', 'idle'].includes(row.state)}],
  });
  links = new data_table(lower, {
    columns: link_columns, label: 'Links', sort: {id: 'state', down: false}, placeholder: 'Search links: pool, account, state',
      empty: 'No connection to any pool.',
    filters: [{label: 'all'}, {label: 'not live', test: (row) => !['live', 'parked'].includes(row.state)},
      {label: 'shared', test: (row) => row.mode === 'shared'}],
  });
}

export function render() {
  pools.set_rows(data.pools);
  links.set_rows(data.links);
}
