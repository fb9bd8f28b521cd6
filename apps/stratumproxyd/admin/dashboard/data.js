// What is known of the proxy, and how it is kept up to date. Views read it and are told when something is new.

import {ask, ask_all, ask_if_there, ask_text, has_token, refused, set_token} from './api.js';
import {parse_metrics} from './metrics_text.js';
import {poller} from './poller.js';
import {series_store} from './series.js';

const shares = {
  sent: 'proxy_shares_sent_total', accepted: 'proxy_shares_accepted_total', rejected: 'proxy_shares_rejected_total',
  unknown: 'proxy_shares_unknown_total',
};
const of_the_page = [
  ...Object.values(shares), 'proxy_pool_up', 'proxy_pool_state', 'proxy_links', 'proxy_link_drops_total',
  'proxy_link_refused_logins_total', 'proxy_connections', 'proxy_sessions_kept', 'proxy_database_up', 'proxy_build_info',
  'process_start_time_seconds',
];
const seen_by_all = {hashrate: 'proxy_worker_speed', workers: 'proxy_workers'};
const most_events = 2000;

/** What only those see who are let in. */
const nothing = () => ({
  workers: [], links: [], events: [],  // events: newest first
  listed_users: null,  // of GET /api/v1/users, where it is
  sessions: [], bans: [], audit: [], audit_next: '',  // audit: newest first, and what its next page is asked with
  status: null,        // of GET /api/v1/status
});

export const data = {
  is_signed_in: true,  // until the proxy says that it wants a token
  role_fault: '',      // why the token opens nothing here, though the proxy knows it: one that may only register
  trouble: '',         // why there is nothing new
  updated: null,
  proxy: {},           // of /dashboard.json
  ...nothing(),
  workers_known: false,
  accounts: [],
  pools: [],           // those in use first
  known_pools: [],
  known_algorithms: [],
  rejects: [],         // [{reason, count}]
  totals: {accepted: 0, rejected: 0, unknown: 0, sent: 0},
  algorithms: [],      // [{name, hashrate, workers}]
  series: new series_store(),   // of workers, 'worker KEY', by the list of workers
  totals_series: new series_store(),  // of 'user NAME', 'pool NAME', 'hash NAME' and 'all', by the metrics
  view: 'overview',
};

const changed = new EventTarget();
export const on_change = (listener) => changed.addEventListener('change', listener);
const tell = () => changed.dispatchEvent(new Event('change'));

let metrics = new Map();
const rows = (name) => metrics.get(name) ?? [];

const troubles = new Map();  // by what was asked for

function set_trouble(what, text) {
  if (text) troubles.set(what, text);
  else troubles.delete(what);
  data.trouble = troubles.values().next().value ?? '';
}

const is_of_role = (error) => error.status === 403 && error.is_of_proxy && has_token();

/** One that is known is kept, for what it may. */
function refuse_token(error) {
  data.role_fault = is_of_role(error) ? error.message : '';
  if (!data.role_fault) set_token('');
}

function on_error(what, error) {
  if (error.is_outdated) return;
  if (error instanceof refused && (error.status === 401 || is_of_role(error))) {
    data.is_signed_in = false;
    refuse_token(error);
    Object.assign(data, nothing());
    troubles.clear();
    data.trouble = '';
    combine();
  } else {
    set_trouble(what, error instanceof refused ? error.message : 'The proxy does not answer');
  }
  tell();
}

/** One row for each worker: where its account has weights, the API has one for each pool, which are kept as `of_pools`. */
function workers_of(listed) {
  const merged = new Map();
  for (const row of listed) {
    const key = `${row.worker} ${row.user} ${row.session}`;
    const there = merged.get(key);
    if (!there) {
      merged.set(key, {...row, key, name: row.rig || row.worker, state: row.up ? 'up' : 'kept', of_pools: [row]});
      continue;
    }
    there.of_pools.push(row);
    const {hashrate, sent, accepted, rejected, unknown} = there;
    if (row.current) Object.assign(there, row);
    there.hashrate = hashrate + row.hashrate;
    there.sent = sent + row.sent;
    there.accepted = accepted + row.accepted;
    there.rejected = rejected + row.rejected;
    there.unknown = unknown + row.unknown;
  }
  return [...merged.values()];
}

async function look_at_workers(pause) {
  data.workers = workers_of(await ask_all('api/v1/workers', 'workers'));
  data.series.note(Date.now(), data.workers.map((each) => [each.key, each]), pause);
  data.workers_known = true;
  combine();
}

async function look_at_metrics(pause) {
  const wanted = new Set(data.is_signed_in ? of_the_page : [...of_the_page, ...Object.values(seen_by_all)]);
  metrics = parse_metrics(await ask_text('metrics'), wanted);
  combine();
  note_totals(pause);
}

async function look_at_pools() {
  data.known_pools = (await ask('api/v1/pools')).pools;
  combine();
}

async function look_at_algorithms() {
  data.known_algorithms = (await ask('api/v1/algorithms')).algorithms;
}

async function look_at_users() {
  data.listed_users = await ask_if_there('users', () => ask_all('api/v1/users', 'users'));
  combine();
}

async function look_at_links() {
  data.links = (await ask_all('api/v1/links', 'links')).map((each) => ({...each, key: String(each.link)}));
  combine();
}

let newest = 0;
async function look_at_events() {
  const page = await ask(`api/v1/events?after=${newest}`);
  if (page.events.length) {
    newest = page.next;
    const fresh = page.events.reverse().map((each) => ({...each, key: String(each.seq), at: Date.parse(each.time)}));
    data.events = [...fresh, ...data.events].slice(0, most_events);
  }
}

async function look_at_proxy() {
  data.proxy = await ask('dashboard.json');
}

// --- what follows from the answers

const blank = () => ({workers: 0, kept: 0, hashrate: 0, sent: 0, accepted: 0, rejected: 0, unknown: 0});

function group(map, key, more) {
  let found = map.get(key);
  if (!found) map.set(key, (found = {key, name: key, ...blank(), ...more}));
  return found;
}

function combine() {
  const accounts = new Map();
  const pools = new Map();
  const algorithms = new Map();
  for (const each of data.known_pools) group(pools, each.pool, {...each, hash: each.algorithm});
  for (const {labels: {pool, hash, state}, value} of rows('proxy_pool_state')) {
    const row = group(pools, pool, {pool, hash});
    row.in_use = true;
    row.hash ??= hash;
    if (value) row.state = state;
  }
  for (const each of data.listed_users ?? []) {
    const of_it = new Set((each.pools ?? []).map(({pool}) => pool));
    group(accounts, each.name, {pools: of_it, hashes: new Set(), listed: each});
  }
  for (const [part, name] of Object.entries(shares)) {
    for (const {labels: {user, pool, hash}, value} of rows(name)) {
      const account = group(accounts, user, {pools: new Set(), hashes: new Set()});
      account.hashes.add(hash);
      for (const row of [account, group(pools, pool, {pool, hash}), group(algorithms, hash)]) row[part] += value;
    }
  }
  for (const each of data.workers) {
    const account = group(accounts, each.user, {pools: new Set(), hashes: new Set()});
    account.hashes.add(each.hash);
    // A worker counts at the pool that it is on now; each pool has the hashrate that the worker brought it.
    for (const {pool, hash, hashrate} of each.of_pools) {
      account.pools.add(pool);
      group(pools, pool, {pool, hash}).hashrate += hashrate;
    }
    const at_work = [account, group(algorithms, each.hash)];
    for (const row of at_work) row.hashrate += each.hashrate;
    for (const row of [...at_work, group(pools, each.pool)]) row[each.up ? 'workers' : 'kept'] += 1;
  }
  if (!data.is_signed_in) {
    for (const [part, name] of Object.entries(seen_by_all)) {
      for (const {labels: {pool, hash}, value} of rows(name))
        for (const row of [group(algorithms, hash), group(pools, pool, {pool, hash})]) row[part] += value;
    }
  }
  for (const {labels: {pool, state}, value} of rows('proxy_links')) {
    const row = group(pools, pool, {pool});
    row.links = (row.links ?? 0) + value;
    if (['live', 'silent', 'parked'].includes(state)) row.live = (row.live ?? 0) + value;
  }
  for (const [part, name] of [['drops', 'proxy_link_drops_total'], ['refused', 'proxy_link_refused_logins_total']])
    for (const {labels: {pool}, value} of rows(name)) group(pools, pool, {pool})[part] = value;

  data.accounts = [...accounts.values()].filter((each) => data.is_signed_in || each.sent);
  data.pools = [...pools.values()].map((each) => ({...each, state: each.state ?? 'unused'}));
  data.algorithms = [...algorithms.values()].sort((a, b) => b.workers - a.workers || b.accepted - a.accepted);
  const reasons = new Map();
  for (const {labels: {reason}, value} of rows(shares.rejected)) reasons.set(reason, (reasons.get(reason) ?? 0) + value);
  data.rejects = [...reasons].map(([reason, count]) => ({reason, count})).sort((a, b) => b.count - a.count);
  data.totals = blank();
  for (const each of data.algorithms) for (const name of Object.keys(data.totals)) data.totals[name] += each[name];
}

/** Counters are what is committed in the database; hashrates are known once the workers are. */
function note_totals(pause) {
  const is_known = data.workers_known || !data.is_signed_in;
  const keyed = (kind, list) => list.map((each) => [`${kind} ${each.name}`, is_known ? each : {...each, hashrate: undefined}]);
  const pools = data.pools.filter((each) => each.in_use);
  data.totals_series.note(Date.now(), [...keyed('user', data.accounts), ...keyed('pool', pools),
    ...keyed('hash', data.algorithms)], pause);
}

export const gauge = (name) => rows(name)[0]?.value;
export const build = () => rows('proxy_build_info')[0]?.labels ?? {};
/** Whether whoever looks may also change things: yes, no, or not known yet. */
export const may_change = () => (data.is_signed_in && data.status ? data.status.role === 'admin' : undefined);

// --- who asks when

const pollers = new Map();

/** `work` is done again and again, with a `view` only while that one is shown. What is not open to all waits for the token. */
export function asking(what, work, {every, view, is_open = false}) {
  const ask_once = async (pause) => {
    await work(pause);
    data.updated = Date.now();
    set_trouble(what, '');
    tell();
  };
  const is_wanted = () => (is_open || data.is_signed_in) && (!view || data.view === view);
  pollers.set(what, {view, poller: new poller(ask_once, {every, is_wanted, on_error: (error) => on_error(what, error)})});
}

asking('metrics', look_at_metrics, {every: 4000, is_open: true});
asking('workers', look_at_workers, {every: 3000});
asking('events', look_at_events, {every: 3000});
asking('pools', look_at_pools, {every: 30_000});
asking('algorithms', look_at_algorithms, {every: 30_000, view: 'pools'});
asking('users', look_at_users, {every: 15_000});
asking('links', look_at_links, {every: 4000, view: 'pools'});
asking('proxy', look_at_proxy, {every: 60_000, is_open: true});

export function start() {
  for (const each of pollers.values()) each.poller.now();
}

export function show_view(name) {
  data.view = name;
  for (const [what, each] of pollers) {
    if (each.view === name) each.poller.now();
    else if (each.view) set_trouble(what, '');
  }
}

export const refresh = () => start();

/** Asked once before everything is: a proxy counts how often somebody has a wrong token. Says what is wrong, or nothing. */
export async function sign_in(token) {
  if (!/^[\x21-\x7e]+$/.test(token)) return 'A token has only visible ASCII characters, and no blanks.';
  set_token(token);
  try {
    await look_at_pools();
  } catch (error) {
    refuse_token(error);
    tell();
    if (data.role_fault) return '';
    if (!(error instanceof refused)) return 'The proxy does not answer.';
    return error.status === 401 ? 'The proxy does not take this token.' : error.message;
  }
  data.role_fault = '';
  data.is_signed_in = true;
  data.workers_known = false;
  newest = 0;
  start();
  return '';
}

/** Nothing that was seen with the token stays in the page. */
export function sign_out() {
  set_token('');
  location.reload();
}

export {has_token};
