// Adding, changing and removing an algorithm.

import {ask, ask_tagged} from './api.js';
import {ask_in_dialog} from './dialog.js';
import {field, make} from './dom.js';

const path_of = (name) => `api/v1/algorithms/${encodeURIComponent(name)}`;

function form_of(row) {
  const fields = {
    divider: field('Divider', {name: 'divider', type: 'number', required: true, min: 0, step: 'any', value: row.divider ?? 1},
      'A share stands for 2³² · difficulty / divider hashes.'),
    aliases: field('Also known as', {name: 'aliases', placeholder: 'nothing else', value: (row.aliases ?? []).join(' ')}),
    dialect: field('Dialect of its pools', {name: 'dialect', required: true, value: row.dialect ?? 'bitcoin'}),
    coinb1_index: field('Position of the coinbase', {name: 'coinb1_index', type: 'number', required: true, min: 2, max: 8,
      value: row.coinb1_index ?? 2}),
  };
  const value = (name) => fields[name].querySelector('input').value.trim();
  return {
    content: [fields.divider, fields.aliases, make('div', {className: 'pair'}, fields.dialect, fields.coinb1_index)],
    body: () => ({divider: Number(value('divider')), aliases: value('aliases').split(/[\s,]+/).filter(Boolean),
      dialect: value('dialect'), coinb1_index: Number(value('coinb1_index'))}),
  };
}

export function add_algorithm() {
  const name = field('Name', {name: 'name', required: true, maxLength: 64});
  const {content, body} = form_of({});
  ask_in_dialog({title: 'Add an algorithm', action: 'Add', content: [name, ...content],
    send: () => ask('api/v1/algorithms', {method: 'POST', body: {name: name.querySelector('input').value.trim(), ...body()}})});
}

export async function change_algorithm({name}) {
  const {row, tag} = await ask_tagged(path_of(name));
  const {content, body} = form_of(row);
  ask_in_dialog({title: `Change algorithm ${name}`, action: 'Change', content, again: () => change_algorithm({name}),
    text: 'Workers that mine it go on with the new values.',
    send: () => ask(path_of(name), {method: 'PATCH', if_match: tag, body: body()})});
}

export function remove_algorithm({name}, then) {
  ask_in_dialog({
    title: `Remove algorithm ${name}?`, text: 'It can be removed only while no pool has it.', action: 'Remove', is_grave: true,
    send: async () => {
      await ask(path_of(name), {method: 'DELETE'});
      then();
    },
  });
}
