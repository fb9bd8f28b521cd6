// The page: which view is shown, signing in and out, and what is drawn when something is new.

import * as accounts from './accounts.js';
import * as audit from './audit.js';
import * as bans from './bans.js';
import {build, data, gauge, has_token, may_change, on_change, show_view, sign_in, sign_out, start} from './data.js';
import * as detail from './detail.js';
import {by_id, set_state, set_text} from './dom.js';
import * as events from './events.js';
import * as format from './format.js';
import * as overview from './overview.js';
import * as pools from './pools.js';
import * as register from './register.js';
import * as sessions from './sessions.js';
import * as status from './status.js';
import * as workers from './workers.js';

const views = {overview, workers, sessions, accounts, pools, events, bans, audit, status, register};
const open_without_token = ['overview', 'register'];
let current = 'overview';

function show() {
  const asked = location.hash.slice(1);
  current = asked in views ? asked : 'overview';
  show_view(current);
  detail.close();
  for (const link of document.querySelectorAll('.tabs a')) {
    const here = link.hash === `#${current}`;
    if (here) link.ariaCurrent = 'page';
    else link.removeAttribute('aria-current');
    if (here) link.scrollIntoView({block: 'nearest', inline: 'nearest'});
  }
  scrollTo(0, 0);
  render();
}

function render_frame() {
  const closed = !data.is_signed_in && !open_without_token.includes(current);
  for (const name of Object.keys(views)) by_id(`view-${name}`).hidden = name !== current || closed;
  by_id('sign-in').hidden = data.is_signed_in || current === 'register';
  const may = may_change();
  document.body.dataset.may = may === undefined ? '' : may ? 'change' : 'read';
  by_id('sign-out').hidden = !has_token() || !(data.is_signed_in || data.role_fault);
  set_text(by_id('sign-in-role'), data.role_fault &&
    `Your token is kept for “Add a miner”; this needs another one: ${data.role_fault}.`);
  set_text(by_id('count-workers'), data.workers.length ? format.count(data.workers.length) : '');
  set_text(by_id('count-accounts'), data.accounts.length ? format.count(data.accounts.length) : '');

  const connection = by_id('connection');
  if (data.trouble) set_state(connection, 'failing', 'no answer');
  else if (!data.updated) set_state(connection, 'idle', 'connecting');
  else if (gauge('proxy_database_up') === 0) set_state(connection, 'failing', 'database away');
  else set_state(connection, 'up', 'live');
  by_id('trouble').hidden = !data.trouble;
  const age = data.updated ? `What you see is of ${format.clock(data.updated)}. ` : '';
  if (data.trouble) set_text(by_id('trouble'), `${data.trouble}. ${age}It is asked again.`);

  const started = gauge('process_start_time_seconds');
  const {proxy, version = data.proxy.version} = build();
  set_text(by_id('version'), [`stratumproxy ${version ?? ''}`, proxy && `tag ${proxy}`, data.proxy.stratum &&
    `miners at ${data.proxy.stratum}`,
    started && `up ${format.duration(Date.now() / 1000 - started)}`].filter(Boolean).join(' · '));
}

function render() {
  render_frame();
  if (!by_id(`view-${current}`).hidden) views[current].render();
  detail.render();
}

by_id('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const fault = by_id('sign-in-fault');
  set_text(fault, '');
  set_text(fault, await sign_in(by_id('token').value.trim()));
  by_id('token').value = '';
});
by_id('sign-out').addEventListener('click', sign_out);

for (const each of Object.values(views)) each.create(detail.open);
detail.create();
addEventListener('hashchange', show);
let is_due = false;
on_change(() => {
  // Several answers between two frames are drawn once.
  if (!is_due) requestAnimationFrame(() => { is_due = false; render(); });
  is_due = true;
});
show();
start();
