// Who is not served.

import {ask} from './api.js';
import {asking, data} from './data.js';
import {ask_in_dialog} from './dialog.js';
import {by_id, changing_tools, check, choice, field} from './dom.js';
import * as format from './format.js';
import {data_table} from './table.js';

let table;

const spans = [['until it is lifted', 0], ['for an hour', 3600], ['for a day', 86_400], ['for a week', 604_800],
  ['for 30 days', 2_592_000]];
const left = (row) => row.seconds ?? Infinity;

const columns = [
  {id: 'name', label: 'Banned', kind: 'main', text: (row) => row.subject},
  {id: 'reason', label: 'Reason', text: (row) => row.reason},
  {id: 'since', label: 'Since', wide: true, first: 'down', text: (row) => format.date_and_time(Date.parse(row.created_at)),
    value: (row) => Date.parse(row.created_at)},
  {id: 'ends', label: 'Ends', kind: 'number', narrow: true,
    text: (row) => (row.seconds === null ? 'when lifted' : `in ${format.duration(row.seconds)}`), value: left},
  {id: 'lift', label: '', kind: 'action', text: () => 'Lift', act: lift},
];

/** An address without its port, in the form in which it can be banned. */
export const host_of = (address) => address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');

export function add_ban(subject = '') {
  const fields = {
    subject: field('Whom', {name: 'subject', required: true, value: subject, maxLength: 256},
      'An address, a network such as 10.0.0.0/8, or an account.'),
    reason: field('Reason', {name: 'reason', required: true, maxLength: 256}, 'The miner reads it.'),
  };
  const value = (name) => fields[name].querySelector('input').value.trim();
  const span = choice('How long', 'seconds', spans, 0);
  const force = check('Even if it covers the proxy’s own host', 'force');
  ask_in_dialog({
    title: 'Add a ban', action: 'Ban',
    content: [fields.subject, fields.reason, span, force],
    send: () => {
      const seconds = Number(span.querySelector('select').value);
      const body = {subject: value('subject'), reason: value('reason'), force: force.querySelector('input').checked};
      return ask('api/v1/bans', {method: 'POST', body: seconds ? {...body, seconds} : body});
    },
  });
}

function lift(row) {
  ask_in_dialog({
    title: `Lift the ban of ${row.subject}?`, text: `It was banned for: ${row.reason}`, action: 'Lift',
    send: () => ask(`api/v1/bans/${encodeURIComponent(row.subject)}`, {method: 'DELETE'}),
  });
}

async function look() {
  data.bans = (await ask('api/v1/bans')).bans.map((each) => ({...each, key: each.subject}));
}

export function create() {
  asking('bans', look, {every: 4000, view: 'bans'});
  table = new data_table(by_id('view-bans'), {
    columns, label: 'Bans', sort: {id: 'since', down: true}, placeholder: 'Search bans: address, account, reason',
    empty: 'Nobody is banned.',
    tools: changing_tools('Add a ban', () => add_ban()),
  });
}

export function render() {
  table.set_rows(data.bans);
}
