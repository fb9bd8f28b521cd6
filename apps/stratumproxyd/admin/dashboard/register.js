// The way of a newcomer: choose a pool, get a name, copy the command line, see the miner come.

import {ask, refused} from './api.js';
import {data, refresh} from './data.js';
import {by_id, copy_button, make, patch_list, set_text} from './dom.js';
import * as format from './format.js';
import {mode_choice, offer_known_pools, pool_rows} from './pool_rows.js';

const texts = {
  account: 'An account stands for your login at a pool. Miners get its short name; the pool’s password stays here.',
  steps: [
    'Say which pool, and who you are there. Miners of any algorithm then use one address, that of this proxy.',
    'Copy the command line, or type its parts into the page of your miner.',
    'Watch it come: the worker appears here within seconds, its hashrate after its first shares.',
  ],
};
let parts;
let name = '';  // of the account that was registered last
let open_worker;

function body_of_form() {
  const rows = parts.pools.values();
  const body = rows.length > 1 ? {pools: rows} : {pool: rows[0].pool, user: rows[0].user, password: rows[0].password};
  if (parts.mode.value) body.mode = parts.mode.value;
  return body;
}

async function submit(event) {
  event.preventDefault();
  set_text(parts.fault, '');
  parts.send.disabled = true;
  try {
    name = (await ask('api/v1/users', {method: 'POST', body: body_of_form()})).name;
    parts.result.hidden = false;
    parts.steps.hidden = true;
    show_commands();
    parts.result.scrollIntoView({block: 'nearest'});
    refresh();
  } catch (error) {
    set_text(parts.fault, `Not registered: ${error instanceof refused ? error.message : 'the proxy does not answer'}`);
  } finally {
    parts.send.disabled = false;
  }
}

/** Where miners connect to: what the proxy listens on, under the name by which this page was reached if it listens on all. */
function address() {
  const stratum = data.proxy.stratum ?? ':9332';
  const at = stratum.lastIndexOf(':');
  const host = stratum.slice(0, at);
  const everywhere = ['', '0.0.0.0', '[::]', '[::0]'].includes(host);
  return `${everywhere ? location.hostname : host}:${stratum.slice(at + 1)}`;
}

function show_commands() {
  const to = parts.address.value.trim() || address();
  const rig = parts.rig.value.trim() || 'rig1';
  set_text(parts.name, name);
  set_text(parts.command, `cgminer -o stratum+tcp://${to} -u ${name}.${rig} -p x`);
  set_text(parts.asic, `Pool      stratum+tcp://${to}\nWorker    ${name}.${rig}\nPassword  x`);
}

export function create(open) {
  open_worker = open;
  const root = by_id('view-register');
  parts = {
    pools: new pool_rows({password: {value: 'x'}}),
    mode: mode_choice({id: 'register-mode'}),
    fault: make('p', {className: 'fault', id: 'register-fault', role: 'alert'}),
    send: make('button', {type: 'submit', textContent: 'Register'}),
    name: make('code', {id: 'registered-name'}), command: make('code', {id: 'command'}), asic: make('code', {id: 'asic'}),
    address: make('input', {id: 'miner-address', spellcheck: false, autocomplete: 'off'}),
    rig: make('input', {id: 'rig', value: 'rig1', maxLength: 64, spellcheck: false, autocomplete: 'off'}),
    arrived: make('div', {id: 'arrived'}), waiting: make('p', {className: 'muted', id: 'waiting'}),
  };
  parts.form = make('form', {className: 'card', id: 'register', autocomplete: 'off', on: {submit}},
    make('h2', {textContent: 'Register an account'}),
    make('p', {className: 'muted', textContent: texts.account}),
    parts.pools.root, make('label', {}, 'Connections to the pool', parts.mode), parts.fault, parts.send);
  parts.result = make('div', {className: 'card', id: 'registered', hidden: true},
    make('h2', {}, 'Account ', parts.name),
    make('div', {className: 'pair'}, make('label', {}, 'Miners reach this proxy at', parts.address),
      make('label', {}, 'Rig', parts.rig)),
    make('h3', {textContent: 'Command line'}), make('div', {className: 'command'}, parts.command,
      copy_button(() => parts.command.textContent)),
    make('h3', {textContent: 'On a miner’s own page'}), make('div', {className: 'command'}, parts.asic,
      copy_button(() => parts.asic.textContent)),
    make('h3', {textContent: 'Its workers'}), parts.waiting, parts.arrived);
  parts.steps = make('div', {className: 'card', id: 'steps'}, make('h2', {textContent: 'Three steps'}),
    make('ol', {}, ...texts.steps.map((textContent) => make('li', {textContent}))));
  root.append(make('div', {className: 'two'}, parts.form, make('div', {}, parts.steps, parts.result)));
  for (const each of [parts.address, parts.rig]) each.addEventListener('input', show_commands);
  parts.pools.add();
}

export function render() {
  offer_known_pools();
  parts.address.placeholder = address();
  if (!name) return;
  show_commands();
  const workers = data.workers.filter((each) => each.user === name);
  const waiting = workers.length ? '' : 'Waiting for the first one to log in …';
  set_text(parts.waiting, data.is_signed_in ? waiting : 'Sign in to see them come.');
  patch_list(parts.arrived, workers.slice(0, 20), (each) => each.key,
    (each) => make('button', {type: 'button', className: 'line', on: {click: () => open_worker('worker', each.key)}},
      make('span', {className: 'badge'}), make('span', {className: 'name'}), make('span', {className: 'figure'})),
    (node, each) => {
      set_text(node.children[0], each.state);
      node.children[0].dataset.state = each.state;
      set_text(node.children[1], each.name);
      set_text(node.children[2], `${format.hashrate(each.hashrate)} · ${format.count(each.accepted)} accepted`);
    });
}
