// The process: what it is, what it uses, and its configuration, which may be read again.

import {ask, refused} from './api.js';
import {asking, data, refresh} from './data.js';
import {by_id, make, patch_facts, read_only_note, set_text} from './dom.js';
import * as format from './format.js';

const nearly_all = 0.8;  // of the descriptors: time to allow more
const roles = {admin: 'may change everything', 'read-only': 'may read everything and change nothing'};
let parts;

function process_facts(status) {
  const {open_descriptors: used, descriptor_limit: limit} = status;
  return [
    ['Version', status.version], ['Tag', status.tag], ['Running for', format.duration(status.uptime_seconds)],
    ['Ready', {state: status.ready ? 'up' : 'failing', text: status.ready ? 'ready' : 'not ready'}],
    ['Database', {state: status.database === 'up' ? 'up' : 'failing', text: status.database}],
    ['Miners connect to', status.stratum], ['This page is at', status.web], ['Shards', format.count(status.shards)],
    ['Open descriptors', {state: used > nearly_all * limit ? 'warning' : 'idle',
      text: `${format.count(used)} of ${format.count(limit)}`}],
  ];
}

const miner_facts = (status) => [
  ['Connections', format.count(status.connections)], ['Workers', format.count(status.workers)],
  ['Kept sessions', format.count(status.kept_sessions)],
  ...status.hashrates.map((each) => [`Hashrate, ${each.hash}`, format.hashrate(each.hashrate)]),
  ['Bans', format.count(status.bans)],
];

const reload_facts = ({reloaded_at, reload_error, needs_restart = []}) => [
  ['Read again', reloaded_at ? `${format.date_and_time(Date.parse(reloaded_at))}, ${format.ago(Date.parse(reloaded_at))}` :
    'not since the start'],
  ...(reload_error ? [['Outcome', {state: 'failing', text: 'refused'}], ['Reason', reload_error]] :
    reloaded_at ? [['Outcome', {state: 'up', text: 'taken over'}]] : []),
  ['Waits for a restart', needs_restart.join(', ')],
];

async function reload() {
  parts.reload.disabled = true;
  try {
    const {taken} = await ask('api/v1/reload', {method: 'POST'});
    set_text(parts.said, `Taken over: ${taken.join(', ') || 'nothing new'}.`);
  } catch (error) {
    set_text(parts.said, error instanceof refused ? `Refused, nothing is changed: ${error.message}` :
      'The proxy does not answer.');
  }
  parts.reload.disabled = false;
  refresh();
}

async function look() {
  data.status = await ask('api/v1/status');
}

export function create() {
  asking('status', look, {every: 5000});
  const list = () => make('dl', {className: 'facts'});
  parts = {process: list(), miners: list(), configuration: list(), token: list(),
    said: make('p', {className: 'muted', id: 'reload-said', role: 'status'}),
    reload: make('button', {type: 'button', className: 'changing', textContent: 'Read it again', on: {click: reload}})};
  const card = (title, ...children) => make('div', {className: 'card'}, make('h2', {textContent: title}), ...children);
  by_id('view-status').append(make('div', {className: 'two'},
    make('div', {className: 'stack'}, card('Process', parts.process), card('Who looks', parts.token)),
    make('div', {className: 'stack'}, card('Miners', parts.miners),
      card('Configuration', parts.configuration, parts.said, parts.reload, read_only_note()))));
}

export function render() {
  const {status} = data;
  if (!status) return;
  patch_facts(parts.process, process_facts(status));
  patch_facts(parts.miners, miner_facts(status));
  patch_facts(parts.configuration, reload_facts(status));
  patch_facts(parts.token, [['Token', status.actor === 'open' ? 'none is needed' : status.actor],
    ['Role', `${status.role}: ${roles[status.role] ?? ''}`]]);
}
