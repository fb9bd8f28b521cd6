// Adding, changing and removing a pool.

import {ask, ask_tagged} from './api.js';
import {data} from './data.js';
import {ask_in_dialog} from './dialog.js';
import {check, choice, field, make} from './dom.js';

const path_of = (name) => `api/v1/pools/${encodeURIComponent(name)}`;
const flags = {
  vardiff: 'Give each worker a difficulty of its own', fixed_difficulty: 'The pool’s difficulty does not follow the hashrate',
  rig_logins: 'Every rig logs in, on a shared connection',
};
const checks = [['its job and form', 'off'], ['also duplicates and the time', 'basic'], ['also the proof of work', 'full']];
const modes = [['one worker', 'dedicated'], ['many workers', 'shared']];
const tls_modes = [['off', 'off'], ['with a certificate that this system trusts', 'verify'],
  ['with the certificate of this fingerprint', 'pin'], ['with any certificate', 'insecure']];

/** Fields for `row`, and the body that they stand for. */
function form_of(row) {
  const offered = make('datalist', {id: 'algorithms'},
    ...data.known_algorithms.map(({name}) => make('option', {value: name})));
  const text = {
    algorithm: field('Algorithm', {name: 'algorithm', required: true, value: row.algorithm ?? ''}),
    divider: field('Divider', {name: 'divider', type: 'number', min: 0, step: 'any', value: row.divider ?? '',
      placeholder: 'of the algorithm'}),
    login_template: field('What the pool sees as login', {name: 'login_template', required: true,
      value: row.login_template ?? '{user}.{rig}', maxLength: 256}),
    reconnect_hosts: field('Hosts that it may send miners to', {name: 'reconnect_hosts', placeholder: 'none',
      value: (row.reconnect_hosts ?? []).join(' ')}),
  };
  const tls = choice('TLS', 'tls', tls_modes, row.tls ?? 'off');
  text.tls_fingerprint = field('Fingerprint (SHA-256)', {name: 'tls_fingerprint', placeholder: 'none',
    value: row.tls_fingerprint ?? '', maxLength: 95});
  text.algorithm.querySelector('input').setAttribute('list', offered.id);
  const mode = choice('A connection has', 'mode', modes, row.mode ?? 'dedicated');
  const verify = choice('Of shares is checked', 'verify', checks, row.verify ?? 'basic');
  const boxes = Object.entries(flags).map(([name, label]) => [name, check(label, name, row[name])]);
  const value = (name) => text[name].querySelector('input').value.trim();
  return {
    content: [offered, make('div', {className: 'pair'}, text.algorithm, text.divider),
      make('div', {className: 'pair'}, verify, mode), text.login_template, text.reconnect_hosts,
      make('div', {className: 'pair'}, tls, text.tls_fingerprint), ...boxes.map(([, box]) => box)],
    body: () => ({
      algorithm: value('algorithm'), divider: value('divider') ? Number(value('divider')) : null,
      login_template: value('login_template'), reconnect_hosts: value('reconnect_hosts').split(/[\s,]+/).filter(Boolean),
      mode: mode.querySelector('select').value, verify: verify.querySelector('select').value,
      tls: tls.querySelector('select').value, tls_fingerprint: value('tls_fingerprint'),
      ...Object.fromEntries(boxes.map(([name, box]) => [name, box.querySelector('input').checked])),
    }),
  };
}

export function add_pool() {
  const pool = field('Address', {name: 'pool', required: true, placeholder: 'stratum.example.com:3333'});
  const {content, body} = form_of({});
  const send = () => {
    const {divider, ...rest} = body();
    return ask('api/v1/pools', {method: 'POST',
      body: {pool: pool.querySelector('input').value.trim(), ...rest, ...(divider === null ? {} : {divider})}});
  };
  ask_in_dialog({title: 'Add a pool', action: 'Add', content: [pool, ...content], send});
}

export async function change_pool({name}) {
  const {row, tag} = await ask_tagged(path_of(name));
  const {content, body} = form_of(row);
  ask_in_dialog({title: `Change pool ${name}`, action: 'Change', content, again: () => change_pool({name}),
    text: 'Its workers go on with the new values, without being disconnected.',
    send: () => ask(path_of(name), {method: 'PATCH', if_match: tag, body: body()})});
}

export function remove_pool({name}, then) {
  ask_in_dialog({
    title: `Remove pool ${name}?`, text: 'It can be removed only while no account has it.', action: 'Remove', is_grave: true,
    send: async () => {
      await ask(path_of(name), {method: 'DELETE'});
      then();
    },
  });
}
