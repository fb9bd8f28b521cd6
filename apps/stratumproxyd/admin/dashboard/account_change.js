// Changing and removing an account.

import {ask, ask_tagged} from './api.js';
import {ask_in_dialog} from './dialog.js';
import {make} from './dom.js';
import {mode_choice, offer_known_pools, pool_rows} from './pool_rows.js';

const path_of = (name) => `api/v1/users/${encodeURIComponent(name)}`;

/** Begins with what the account is now, and is done only if it still is when it is sent. */
export async function change_account({name}) {
  const {row: account, tag} = await ask_tagged(path_of(name));
  offer_known_pools();
  const pools = new pool_rows({given: account.pools});
  const mode = mode_choice({name: 'mode'});
  mode.value = account.mode ?? '';
  const send = () => ask(path_of(name), {method: 'PATCH', if_match: tag,
    body: {pools: pools.values(), mode: mode.value || null}});
  ask_in_dialog({
    title: `Change account ${name}`, action: 'Change', send, again: () => change_account({name}),
    text: 'Its workers go to their new pools at once, without being disconnected.',
    content: [pools.root, make('label', {}, 'Connections to the pool', mode)],
  });
}

export function remove_account({name, workers}, then) {
  const who = workers === 1 ? 'Its worker is' : `Its ${workers} workers are`;
  const let_go = workers ? `${who} let go, and cannot log in again. ` : '';
  ask_in_dialog({
    title: `Remove account ${name}?`, action: `Remove ${name}`, is_grave: true,
    text: `${let_go}Its share totals stay. The same pool and user registered again get another name.`,
    send: async () => {
      await ask(path_of(name), {method: 'DELETE'});
      then();
    },
  });
}
