// Disconnecting a worker, and moving it to another account.

import {ask} from './api.js';
import {data} from './data.js';
import {ask_in_dialog} from './dialog.js';
import {field, make} from './dom.js';

const path_of = (row) => `api/v1/workers/${encodeURIComponent(row.worker)}`;

export function disconnect_worker(row) {
  ask_in_dialog({
    title: `Disconnect ${row.name}?`, action: 'Disconnect', send: () => ask(path_of(row), {method: 'DELETE'}),
    text: 'Its session is not kept. Nothing keeps it from connecting again: ban its address or its account for that.',
  });
}

export function move_worker(row, then) {
  const others = data.accounts.filter((each) => each.name !== row.user && (!each.hashes.size || each.hashes.has(row.hash)));
  const offered = make('datalist', {id: 'other-accounts'}, ...others.map((each) => make('option', {value: each.name})));
  const account = field('Account', {name: 'user', required: true, placeholder: others[0]?.name ?? ''});
  account.querySelector('input').setAttribute('list', offered.id);
  ask_in_dialog({
    title: `Move ${row.name}`, action: 'Move', content: [offered, account],
    text: 'It mines for the other account until it logs in again, without a disconnect. Its counters begin anew.',
    send: async () => {
      const user = account.querySelector('input').value.trim();
      await ask(`${path_of(row)}/move`, {method: 'POST', body: {user}});
      then();
    },
  });
}
