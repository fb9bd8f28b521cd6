// The first view: is everything well, and if not, where.

import {hashrate_chart, share_chart, use_as_span_choice} from './charts.js';
import {data, gauge} from './data.js';
import {by_id, make, patch_list, set_state, set_text} from './dom.js';
import {fill_event_line, grouped_events, make_event_line} from './events.js';
import * as format from './format.js';
import {points_of} from './history.js';

const pools_shown = 8;
const events_shown = 8;
export const worst_first = ['failing', 'silent', 'up', 'idle', 'unused'];

let hash_chart;
let shares_chart;
let algorithm = '';

export function create(open) {
  hash_chart = new hashrate_chart(by_id('overview-hashrate'));
  shares_chart = new share_chart(by_id('overview-shares'));
  use_as_span_choice(document.querySelector('#view-overview .span-choice'), draw_charts);
  by_id('overview-algorithm').addEventListener('change', (event) => {
    algorithm = event.target.value;
    draw_charts();
  });
  by_id('overview-pools').addEventListener('click', (event) => {
    const row = event.target.closest('[data-pool]');
    if (row) open('pool', row.dataset.pool);
  });
}

function tiles() {
  const {totals, workers, pools, algorithms} = data;
  const judged = totals.accepted + totals.rejected;
  const used = pools.filter((each) => each.state !== 'unused' && each.state !== 'idle');
  const up = used.filter((each) => each.state === 'up').length;
  const connected = data.is_signed_in ? workers.filter((each) => each.up).length : algorithms.reduce((sum,
    each) => sum + each.workers, 0);
  const kept = data.is_signed_in ? workers.length - connected : gauge('proxy_sessions_kept') ?? 0;
  const list = algorithms.filter((each) => each.workers || each.hashrate).slice(0, 3)
    .map((each) => ({key: each.name, label: `Hashrate, ${each.name}`, value: format.hashrate(each.hashrate),
      note: format.workers(each.workers)}));
  if (!list.length) list.push({key: 'none', label: 'Hashrate', value: '0 H/s', note: 'nobody mines'});
  return [
    ...list,
    {key: 'workers', label: 'Workers', value: format.count(connected),
      note: kept ? `${format.count(kept)} dropped, may return` : 'all connected', state: kept ? 'warn' : ''},
    {key: 'pools', label: 'Pools up', value: `${up} of ${used.length}`,
      note: up === used.length ? 'all in use are up' : `${used.length - up} in trouble`,
      state: up === used.length ? '' : 'bad'},
    {
      key: 'shares', label: 'Shares accepted', value: format.percent(totals.accepted, judged),
      note: `${format.count(totals.rejected)} rejected${totals.unknown ? `, ${format.count(totals.unknown)} unknown` : ''}`,
    },
  ];
}

function draw_charts() {
  const name = algorithm || data.algorithms[0]?.name;
  const points = name ? points_of({algorithm: name}, data.totals_series.of(`hash ${name}`), draw_charts) : [];
  hash_chart.show(points);
  shares_chart.show(points);
}

function pool_list() {
  const used = data.pools.filter((each) => each.state !== 'unused')
    .sort((a, b) => worst_first.indexOf(a.state) - worst_first.indexOf(b.state) || b.workers - a.workers ||
      (a.name < b.name ? -1 : 1));
  const root = by_id('overview-pools');
  patch_list(root, used.slice(0, pools_shown), (each) => each.name,
    (each) => make('button', {type: 'button', className: 'line', data: {pool: each.name}},
      make('span', {className: 'badge'}), make('span', {className: 'name'}), make('span', {className: 'figure'})),
    (node, each) => {
      set_state(node.children[0], each.state);
      set_text(node.children[1], each.name);
      set_text(node.children[2], data.is_signed_in ? format.hashrate(each.hashrate) : each.hash ?? '');
    });
  root.dataset.empty = used.length ? '' : 'No pool is in use.';
}

const reasons = {
  stale: 'for an old job', duplicate: 'sent before', low_difficulty: 'below the difficulty', bad_time: 'time out of range',
  bad_version: 'version bits not allowed', bad_extranonce: 'extranonce of a wrong size', malformed: 'not a proper share',
  unauthorized: 'for an account that is not logged in', no_pool: 'no pool took it in time',
  malformed_reply: 'the pool said neither yes nor no', other: 'for another reason',
};

function reject_list() {
  const whole = data.totals.accepted + data.totals.rejected;
  const most = data.rejects[0]?.count || 1;
  const root = by_id('overview-rejects');
  patch_list(root, data.rejects, (each) => each.reason,
    () => make('div', {className: 'reason'}, make('span', {className: 'name'}), make('span', {className: 'figure'}),
      make('meter', {min: 0, max: 1})),
    (node, each) => {
      set_text(node.children[0], format.words(each.reason));
      node.children[0].title = reasons[each.reason] ?? '';
      set_text(node.children[1], `${format.count(each.count)} · ${format.percent(each.count, whole)}`);
      node.children[2].value = each.count / most;
    });
  root.dataset.empty = data.rejects.length ? '' : 'None so far.';
}

export function render() {
  patch_list(by_id('tiles'), tiles(), (each) => each.key,
    () => make('div', {className: 'tile'}, make('div', {className: 'label'}), make('div', {className: 'value'}),
      make('div', {className: 'note'})),
    (node, each) => {
      set_text(node.children[0], each.label);
      set_text(node.children[1], each.value);
      set_text(node.children[2], each.note);
      node.dataset.state = each.state ?? '';
    });
  by_id('welcome').hidden = !data.updated || data.workers.length > 0 || data.totals.sent > 0 ||
    (data.is_signed_in && !data.workers_known);
  const choice = by_id('overview-algorithm');
  const names = data.algorithms.map((each) => each.name);
  if (choice.length !== names.length || names.some((name, i) => choice.options[i].value !== name)) {
    const chosen = algorithm || choice.value;
    choice.replaceChildren(...names.map((name) => new Option(name)));
    if (names.includes(chosen)) choice.value = chosen;
  }
  algorithm ||= choice.value;
  draw_charts();
  pool_list();
  reject_list();
  by_id('overview-events-card').hidden = !data.is_signed_in;
  const root = by_id('overview-events');
  patch_list(root, grouped_events(events_shown), (each) => each.key, make_event_line, fill_event_line);
  root.dataset.empty = data.events.length ? '' : 'None so far.';
}
