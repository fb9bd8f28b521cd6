// All accounts that are known: of the proxy's list where it has one, of their workers and of their share totals.

import {data} from './data.js';
import {by_id} from './dom.js';
import * as format from './format.js';
import {data_table} from './table.js';

let table;

const last_seen = (row) => (row.workers ? Date.now() : Date.parse(row.listed?.last_seen ?? '') || 0);

/** Of a removed one the share totals stay. */
export const state_of = (row) =>
  (row.workers ? 'mining' : row.kept ? 'kept' : data.listed_users && !row.listed ? 'removed' : 'idle');

const columns = [
  {id: 'name', label: 'Account', kind: 'main', text: (row) => row.name},
  {id: 'state', label: 'State', kind: 'badge', text: state_of, state: state_of},
  {id: 'hashrate', label: 'Hashrate', kind: 'number', text: (row) => format.hashrate(row.hashrate),
    value: (row) => row.hashrate},
  {id: 'workers', label: 'Workers', kind: 'number', narrow: true, text: (row) => format.count(row.workers),
    value: (row) => row.workers},
  {id: 'accepted', label: 'Accepted', kind: 'number', wide: true, text: (row) => format.count(row.accepted),
    value: (row) => row.accepted},
  {id: 'rejected', label: 'Rejected', kind: 'number', wide: true,
    text: (row) => format.percent(row.rejected, row.accepted + row.rejected),
    value: (row) => row.rejected / (row.accepted + row.rejected || 1)},
  {id: 'unknown', label: 'Unknown', kind: 'number', wide: true, text: (row) => format.count(row.unknown),
    value: (row) => row.unknown},
  {id: 'hashes', label: 'Algorithm', wide: true, text: (row) => [...row.hashes].join(', ')},
  {id: 'pools', label: 'Pools', wide: true, text: (row) => [...row.pools].join(', ')},
  {id: 'seen', label: 'Last seen', wide: true, first: 'down',
    text: (row) => (row.workers ? 'now' : last_seen(row) ? format.ago(last_seen(row)) : '–'), value: last_seen},
];

export function create(open) {
  table = new data_table(by_id('view-accounts'), {
    columns, label: 'Accounts', sort: {id: 'hashrate', down: true}, placeholder: 'Search accounts: name, algorithm, pool',
    empty: 'No account has mined yet.', on_open: (row) => open('user', row.name),
    filters: [{label: 'all'}, {label: 'mining', test: (row) => row.workers > 0}, {label: 'idle', test: (row) => !row.workers}],
  });
}

export function render() {
  table.set_rows(data.accounts);
}
