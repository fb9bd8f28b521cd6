// Who changed what, newest first: the newest page is looked at again and again, older ones when they are asked for.

import {ask} from './api.js';
import {asking, data} from './data.js';
import {by_id, make} from './dom.js';
import * as format from './format.js';
import {data_table} from './table.js';

const entries_of_a_page = 200;
let table;
let older;

const columns = [
  {id: 'time', label: 'Time', first: 'down', text: (row) => format.recent_time(Date.parse(row.at)), value: (row) => row.id},
  {id: 'actor', label: 'Who', narrow: true, text: (row) => row.actor},
  {id: 'action', label: 'What', text: (row) => row.action},
  {id: 'subject', label: 'Of', text: (row) => row.subject},
  {id: 'detail', label: 'Set to', wide: true, text: (row) => row.detail},
  {id: 'address', label: 'From', wide: true, text: (row) => row.address},
];

const page_of = async (query) => {
  const {audit, next} = await ask(`api/v1/audit?limit=${entries_of_a_page}${query}`);
  return {rows: audit.map((each) => ({...each, key: String(each.id)})), next};
};

async function look() {
  const {rows, next} = await page_of('');
  const newest = data.audit[0]?.id ?? 0;
  const fresh = rows.filter((each) => each.id > newest);
  // More than a page is new, or nothing was there: what lies between is not known.
  if (fresh.length === rows.length) Object.assign(data, {audit: rows, audit_next: next});
  else data.audit = [...fresh, ...data.audit];
}

async function look_further_back() {
  older.disabled = true;
  try {
    const {rows, next} = await page_of(`&after=${data.audit_next}`);
    const oldest = data.audit.at(-1)?.id ?? Infinity;
    Object.assign(data, {audit: [...data.audit, ...rows.filter((each) => each.id < oldest)], audit_next: next});
    render();
  } catch {
    // The looks at the newest page say what is wrong.
  }
  older.disabled = false;
}

export function create() {
  asking('audit', look, {every: 5000, view: 'audit'});
  older = make('button', {type: 'button', className: 'quiet', id: 'older-entries', textContent: 'Older entries',
    on: {click: look_further_back}});
  table = new data_table(by_id('view-audit'), {
    columns, label: 'Audit log', sort: {id: 'time', down: true}, placeholder: 'Search what is shown: who, what, account',
    empty: 'Nothing has been changed yet.', tools: [older],
  });
}

export function render() {
  older.hidden = !data.audit_next;
  table.set_rows(data.audit);
}
