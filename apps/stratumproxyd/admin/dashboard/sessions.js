// What is kept for workers that dropped, until they come back.

import {ask, ask_all} from './api.js';
import {asking, data} from './data.js';
import {ask_in_dialog} from './dialog.js';
import {by_id, read_only_note} from './dom.js';
import * as format from './format.js';
import {data_table} from './table.js';

let table;

const columns = [
  {id: 'name', label: 'Worker', kind: 'main', text: (row) => row.rig || row.worker},
  {id: 'kept', label: 'Lost', kind: 'number', text: (row) => `${format.duration(row.kept_seconds)} ago`,
    value: (row) => row.kept_seconds},
  {id: 'expires', label: 'Ends in', kind: 'number', text: (row) => format.duration(row.expires_seconds),
    value: (row) => row.expires_seconds},
  {id: 'user', label: 'Account', wide: true, text: (row) => row.user},
  {id: 'pool', label: 'Pool', wide: true, text: (row) => row.pool},
  {id: 'hash', label: 'Algorithm', wide: true, text: (row) => row.hash},
  {id: 'worker', label: 'Address', wide: true, text: (row) => row.worker},
  {id: 'session', label: 'Session', wide: true, text: (row) => row.session},
  {id: 'end', label: '', kind: 'action', text: () => 'End', act: end},
];

function end(row) {
  ask_in_dialog({
    title: `End the session of ${row.rig || row.worker}?`, action: 'End it',
    text: 'When the worker comes back it gets a new one, and shares for its old work are not taken.',
    send: () => ask(`api/v1/workers/${encodeURIComponent(row.worker)}`, {method: 'DELETE'}),
  });
}

async function look() {
  const listed = await ask_all('api/v1/sessions', 'sessions');
  data.sessions = listed.map((each) => ({...each, key: `${each.session} ${each.worker}`}));
}

export function create() {
  asking('sessions', look, {every: 3000, view: 'sessions'});
  table = new data_table(by_id('view-sessions'), {
    columns, label: 'Kept sessions', sort: {id: 'expires', down: false},
    placeholder: 'Search kept sessions: worker, account, pool, address',
    empty: 'No session is kept: no worker dropped lately, or all of them are back.', tools: [read_only_note()],
  });
}

export function render() {
  table.set_rows(data.sessions);
}
