// All workers, and which of them to look at.

import {data} from './data.js';
import {by_id} from './dom.js';
import * as format from './format.js';
import {data_table} from './table.js';

let table;

const rejected_part = (row) => (row.accepted + row.rejected ? row.rejected / (row.accepted + row.rejected) : 0);

const columns = [
  {id: 'name', label: 'Worker', kind: 'main', text: (row) => row.name},
  {id: 'state', label: 'State', kind: 'badge', text: (row) => row.state, state: (row) => row.state},
  {id: 'hashrate', label: 'Hashrate', kind: 'number', text: (row) => format.hashrate(row.hashrate),
    value: (row) => row.hashrate},
  {id: 'accepted', label: 'Accepted', kind: 'number', wide: true, text: (row) => format.count(row.accepted),
    value: (row) => row.accepted},
  {id: 'rejected', label: 'Rejected', kind: 'number', narrow: true,
    text: (row) => format.percent(row.rejected, row.accepted + row.rejected), value: rejected_part},
  {id: 'difficulty', label: 'Difficulty', kind: 'number', wide: true, text: (row) => format.difficulty(row.difficulty),
    value: (row) => row.difficulty},
  {id: 'user', label: 'Account', wide: true, text: (row) => row.user},
  {id: 'pool', label: 'Pool', wide: true, text: (row) => row.pool},
  {id: 'agent', label: 'Miner', wide: true, text: (row) => row.agent},
  {id: 'worker', label: 'Address', wide: true, text: (row) => row.worker},
];

export function create(open) {
  table = new data_table(by_id('view-workers'), {
    columns, label: 'Workers', sort: {id: 'name', down: false},
      placeholder: 'Search workers: name, account, pool, miner, address',
    empty: 'No worker is connected.', on_open: (row) => open('worker', row.key),
    filters: [
      {label: 'all'}, {label: 'connected', test: (row) => row.up}, {label: 'dropped, may return', test: (row) => !row.up},
      {label: 'without hashrate', test: (row) => !row.hashrate},
        {label: 'over 1 % rejected', test: (row) => rejected_part(row) > 0.01},
    ],
  });
}

export function render() {
  table.set_rows(data.workers);
}
