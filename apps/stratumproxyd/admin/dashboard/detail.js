// The drawer: all that is known of one worker, account, pool or algorithm, with its charts, and what can be done with it.

import {ask, refused} from './api.js';
import {change_account, remove_account} from './account_change.js';
import {state_of} from './accounts.js';
import {change_algorithm, remove_algorithm} from './algorithm_change.js';
import {add_ban, host_of} from './bans.js';
import {hashrate_chart, share_chart, use_as_span_choice} from './charts.js';
import {data} from './data.js';
import {by_id, make, patch_facts, patch_list, read_only_note, set_state, set_text} from './dom.js';
import * as format from './format.js';
import {points_of} from './history.js';
import {change_pool, remove_pool} from './pool_change.js';
import {disconnect_worker, move_worker} from './worker_change.js';

const ask_every = 5_000;  // milliseconds
const titles = {worker: 'Worker', user: 'Account', pool: 'Pool', hash: 'Algorithm'};

let shown = null;  // {kind, key}
let parts;
let account = null;  // GET /api/v1/users/{name}
let asked = 0;
let opener = null;

export function create() {
  const root = by_id('drawer');
  const close_button = make('button', {type: 'button', className: 'quiet close', textContent: 'Close', on: {click: close}});
  parts = {
    kind: make('p', {className: 'kind'}), title: make('h2', {className: 'name'}), facts: make('dl', {className: 'facts'}),
    actions: make('div', {className: 'actions changing'}), fault: make('p', {className: 'fault', role: 'alert'}),
    routes: make('div', {className: 'routes'}), span: make('select', {ariaLabel: 'How far back'}),
    hashrate: make('canvas', {role: 'img', ariaLabel: 'Hashrate over time'}),
      shares: make('canvas', {role: 'img', ariaLabel: 'Shares per minute over time'}),
  };
  parts.routes_title = make('h3', {textContent: 'Its pools'});
  root.append(make('div', {className: 'drawer-top'}, make('div', {}, parts.kind, parts.title), close_button),
    parts.actions, parts.fault, read_only_note(),
    make('div', {className: 'chart-bar'}, make('label', {}, 'Last ', parts.span)),
    make('figure', {}, make('figcaption', {textContent: 'Hashrate'}), make('div', {className: 'chart low'}, parts.hashrate)),
    make('figure', {}, make('figcaption', {textContent: 'Shares per minute'}),
      make('div', {className: 'chart low'}, parts.shares)),
    parts.routes_title, parts.routes, parts.facts);
  parts.hashrate_chart = new hashrate_chart(parts.hashrate);
  parts.share_chart = new share_chart(parts.shares);
  use_as_span_choice(parts.span, render);
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !document.querySelector('dialog[open]')) close();
  });
}

export function open(kind, key) {
  if (!shown) opener = document.activeElement;
  shown = {kind, key};
  account = null;
  asked = 0;
  set_text(parts.fault, '');
  by_id('drawer').hidden = false;
  document.body.classList.add('has-drawer');
  parts.actions.replaceChildren(...kinds[kind].actions.map(([label, act]) =>
    make('button', {type: 'button', className: 'quiet', textContent: label, on: {click: () => start(act)}})));
  render();
  by_id('drawer').querySelector('.close').focus();
}

export function close() {
  if (!shown) return;
  shown = null;
  by_id('drawer').hidden = true;
  document.body.classList.remove('has-drawer');
  opener?.focus?.();
}

const shares_of = (row) => [
  ['Accepted', format.count(row.accepted)],
  ['Rejected', `${format.count(row.rejected)} (${format.percent(row.rejected, row.accepted + row.rejected)})`],
  ['Unknown', format.count(row.unknown)],
];

/** What the miner counts itself, and what the proxy put before it. */
const split_of = ({mark, miner_bytes}) =>
  (miner_bytes ? `${mark ? `mark ${mark}` : 'the pool’s extranonce1'}, ${miner_bytes} bytes of the miner` : undefined);
const past = (seconds) => (Number.isFinite(seconds) ? `${format.duration(seconds)} ago` : undefined);

function worker_facts(row) {
  return [
    ['State', {state: row.state}], ['Hashrate', format.hashrate(row.hashrate)], ...shares_of(row),
      ['Last share', past(row.last_share_seconds)],
    ['Best share', row.best_share ? format.difficulty(row.best_share) : undefined],
      ['Difficulty', format.difficulty(row.difficulty)],
    ['Account', row.user], ['Pool', row.pool], ['Algorithm', row.hash], ['Miner', row.agent], ['Address', row.worker],
    ['Connected', row.connected_seconds === undefined ? undefined : format.duration(row.connected_seconds)],
    ['Version mask', row.version_mask], ['Extranonce split', split_of(row)], ['Session', row.session],
  ];
}

function user_facts(row) {
  return [
    ['State', {state: state_of(row)}], ['Hashrate', format.hashrate(row.hashrate)],
    ['Workers', row.kept ? `${row.workers}, and ${row.kept} dropped` : String(row.workers)], ...shares_of(row),
    ['Algorithm', [...row.hashes].join(', ')], ['Links', account?.mode ?? undefined],
    ['Registered', account?.created_at ? format.date_and_time(Date.parse(account.created_at)) : undefined],
    ['Last seen', row.listed?.last_seen ? format.ago(Date.parse(row.listed.last_seen)) : undefined],
  ];
}

function pool_facts(row) {
  return [
    ['State', {state: row.state}], ['Hashrate', format.hashrate(row.hashrate)], ['Workers', String(row.workers)],
      ...shares_of(row),
    ['Links', row.links ? `${row.live ?? 0} live of ${row.links}` : 'none'], ['Live links lost', format.count(row.drops)],
    ['Logins refused', format.count(row.refused)], ['Algorithm', row.hash], ['Mode', row.mode], ['Checks', row.verify],
    ['Vardiff', row.vardiff === undefined ? undefined : row.vardiff ? 'on' : 'off'], ['TLS', row.tls], ['Login', row.login_template],
      ['Source', row.source],
  ];
}

const find_algorithm = (key) => {
  const known = data.known_algorithms.find((each) => each.name === key);
  return known && {...known, ...data.algorithms.find((each) => each.name === key)};
};

const algorithm_facts = (row) => [
  ...(row.workers === undefined ? [] :
    [['Hashrate', format.hashrate(row.hashrate)], ['Workers', String(row.workers)], ...shares_of(row)]),
  ['Divider', String(row.divider)], ['Also known as', row.aliases.join(', ')], ['Dialect', row.dialect],
  ['Position of the coinbase', String(row.coinb1_index)], ['Source', row.source],
];

const kinds = {
  worker: {find: (key) => data.workers.find((each) => each.key === key), facts: worker_facts,
    actions: [['Disconnect', disconnect_worker], ['Move', move_worker],
      ['Ban its address', (row) => add_ban(host_of(row.worker))]]},
  user: {find: (key) => data.accounts.find((each) => each.name === key), facts: user_facts,
    actions: [['Change', change_account], ['Ban', (row) => add_ban(row.name)], ['Remove', remove_account]]},
  pool: {find: (key) => data.pools.find((each) => each.name === key), facts: pool_facts,
    actions: [['Change', change_pool], ['Remove', remove_pool]]},
  hash: {find: find_algorithm, facts: algorithm_facts, actions: [['Change', change_algorithm], ['Remove', remove_algorithm]]},
};

/** `act` is given the row, and what to do when it is gone. */
async function start(act) {
  const row = kinds[shown.kind].find(shown.key);
  set_text(parts.fault, '');
  try {
    if (row) await act(row, close);
  } catch (error) {
    set_text(parts.fault, error instanceof refused ? error.message : 'The proxy does not answer');
  }
}

async function ask_for_account(name) {
  if (performance.now() - asked < ask_every) return;
  asked = performance.now();
  try {
    const answer = await ask(`api/v1/users/${encodeURIComponent(name)}`);
    if (shown?.key !== name) return;
    account = answer;
    render();
  } catch (error) {
    if (!(error instanceof refused)) return;  // the pollers say that the proxy does not answer
    account = null;
  }
}

function show_routes() {
  const routes = shown.kind === 'user' ? account?.pools ?? [] : [];
  parts.routes_title.hidden = parts.routes.hidden = routes.length === 0;
  patch_list(parts.routes, routes.map((each, i) => ({...each, key: `${i} ${each.pool} ${each.user}`})), (each) => each.key,
    () => make('div', {className: 'route'}, make('span', {className: 'badge'}), make('span', {className: 'name'}),
      make('span', {className: 'figure'}), make('span', {className: 'about'})),
    (node, each) => {
      set_state(node.children[0], each.usable ? 'usable' : 'failing',
        each.usable ? 'usable' : format.words(each.cause || 'no'));
      set_text(node.children[1], each.pool);
      set_text(node.children[2], format.workers(each.workers));
      const weight = each.weight ? `weight ${each.weight}` : routes.length > 1 ? 'no weight' : 'only pool';
      const part = each.work ? `${format.percent(each.share, 1)} of the work` : '';
      set_text(node.children[3], [`as ${each.user}`, weight, part].filter(Boolean).join(' · '));
    });
}

export function render() {
  if (!shown) return;
  const {kind, key} = shown;
  const row = kinds[kind].find(key);
  set_text(parts.kind, titles[kind]);
  if (!row) {
    set_text(parts.kind, `${titles[kind]}, not here any more`);
    parts.actions.hidden = true;
    return;
  }
  set_text(parts.title, row.name);
  parts.actions.hidden = kind === 'user' && state_of(row) === 'removed';
  const seen = kind === 'worker' ? data.series.of(key) : data.totals_series.of(`${kind} ${key}`);
  // Of a worker without a name of its own the proxy keeps no history.
  const what = kind !== 'worker' ? {[kind === 'hash' ? 'algorithm' : kind]: row.name} :
    row.rig ? {user: row.user, worker: row.rig} : null;
  const points = what ? points_of(what, seen, render) : seen;
  parts.hashrate_chart.show(points);
  parts.share_chart.show(points);
  patch_facts(parts.facts, kinds[kind].facts(row));
  if (kind === 'user') ask_for_account(row.name);
  show_routes();
}
