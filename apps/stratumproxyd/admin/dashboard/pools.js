// Pools, the connections to them, and the algorithms that they have.

import {add_algorithm} from './algorithm_change.js';
import {data} from './data.js';
import {by_id, changing_tools, make} from './dom.js';
import * as format from './format.js';
import {worst_first} from './overview.js';
import {add_pool} from './pool_change.js';
import {data_table} from './table.js';

let pools;
let links;
let algorithms;

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
  {id: 'fault', label: 'Fault', wide: true, text: (row) => row.fault ?? ''},
];

const algorithm_columns = [
  {id: 'name', label: 'Algorithm', kind: 'main', text: (row) => row.name},
  {id: 'pools', label: 'Pools', kind: 'number', text: (row) => format.count(row.pools), value: (row) => row.pools},
  {id: 'divider', label: 'Divider', kind: 'number', text: (row) => String(row.divider), value: (row) => row.divider},
  {id: 'dialect', label: 'Dialect', narrow: true, text: (row) => row.dialect},
  {id: 'aliases', label: 'Also known as', wide: true, text: (row) => row.aliases.join(', ')},
  {id: 'source', label: 'Source', wide: true, text: (row) => row.source},
];

export function create(open) {
  const root = by_id('view-pools');
  const upper = make('div', {className: 'half'});
  const lower = make('div', {className: 'half'});
  const lowest = make('div', {className: 'half'});
  root.append(make('h2', {textContent: 'Pools'}), upper, make('h2', {textContent: 'Links'}), lower,
    make('h2', {textContent: 'Algorithms'}), lowest);
  pools = new data_table(upper, {
    columns: pool_columns, label: 'Pools', sort: {id: 'state', down: false}, placeholder: 'Search pools: host, algorithm',
      empty: 'No pool is in use.',
    on_open: (row) => open('pool', row.name),
    filters: [{label: 'in use', test: (row) => row.state !== 'unused'}, {label: 'all known'},
      {label: 'not up', test: (row) => !['up', 'unused', 'idle'].includes(row.state)}],
    tools: changing_tools('Add a pool', () => add_pool()),
  });
  links = new data_table(lower, {
    columns: link_columns, label: 'Links', sort: {id: 'state', down: false}, placeholder: 'Search links: pool, account, state',
      empty: 'No connection to any pool.',
    filters: [{label: 'all'}, {label: 'not live', test: (row) => !['live', 'parked'].includes(row.state)},
      {label: 'shared', test: (row) => row.mode === 'shared'}],
  });
  algorithms = new data_table(lowest, {
    columns: algorithm_columns, label: 'Algorithms', sort: {id: 'name', down: false},
    placeholder: 'Search algorithms: name, alias, dialect', empty: 'No algorithm is known.',
    on_open: (row) => open('hash', row.name), tools: changing_tools('Add an algorithm', () => add_algorithm()),
  });
}

export function render() {
  pools.set_rows(data.pools);
  links.set_rows(data.links);
  const pools_of = new Map();
  for (const {algorithm} of data.known_pools) pools_of.set(algorithm, (pools_of.get(algorithm) ?? 0) + 1);
  algorithms.set_rows(data.known_algorithms.map((each) => ({...each, key: each.name, pools: pools_of.get(each.name) ?? 0})));
}
