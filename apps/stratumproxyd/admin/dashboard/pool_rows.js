// The pools of an account in a form: a row for each, in the order of their use.

import {data} from './data.js';
import {field, make, patch_list, set_text} from './dom.js';

const most_pools = 8;
const of_weights = 'Pools with weights share the hashrate, 70 to 30 for example. Those with weight 0 are fall-backs, in this ' +
  'order; when no pool has a weight, the first one has all.';
const known = make('datalist', {id: 'known-pools'});

/** What the browser offers for the address of a pool. */
export function offer_known_pools() {
  const listed = data.pools.filter((each) => each.pool).sort((a, b) => (a.name < b.name ? -1 : 1));
  patch_list(known, listed, (each) => each.name, ({name, hash}) => make('option', {value: name, label: hash ?? ''}), () => {});
}

export class pool_rows {
  /** `password`: properties of the fields for passwords. `given`: the rows to begin with, of an account that is there already. */
  constructor({password = {}, given = []}) {
    this.password = password;
    this.given = given;
    this.rows = make('div');
    this.hint = make('p', {className: 'muted', textContent: of_weights});
    this.more = make('button', {type: 'button', className: 'quiet more-pools', textContent: 'Add a fall-back or a second pool',
      on: {click: () => this.add()}});
    this.root = make('div', {className: 'pool-rows'}, this.rows, this.hint, this.more);
    document.body.append(known);
    for (const each of given) this.add(each);
  }

  /** `was`: the row of the account that it begins as. */
  add(was) {
    const {pool = '', user = '', weight = 0} = was ?? {};
    const up = make('button', {type: 'button', className: 'quiet up', textContent: 'Up'});
    const remove = make('button', {type: 'button', className: 'quiet', textContent: 'Remove'});
    const row = make('fieldset', {className: 'pool-row'}, make('legend'),
      field('Pool address', {name: 'pool', required: true, placeholder: 'stratum.example.com:3333', value: pool}),
      field('Weight', {name: 'weight', type: 'number', min: 0, max: 1000, value: weight, className: 'weight'}),
      field('User there', {name: 'user', required: true, maxLength: 256, value: user,
        placeholder: 'wallet address or user name'}),
      field('Password', {name: 'password', maxLength: 256, ...(was ? {placeholder: 'as it is'} : this.password)}),
      make('div', {className: 'row-end'}, up, remove));
    row.was = was;
    row.querySelector('[name=pool]').setAttribute('list', known.id);
    up.addEventListener('click', () => { row.previousSibling?.before(row); this.arrange(); });
    remove.addEventListener('click', () => { row.remove(); this.arrange(); });
    this.rows.append(row);
    this.arrange();
  }

  arrange() {
    const rows = [...this.rows.children];
    const is_several = rows.length > 1;
    this.root.classList.toggle('several', is_several);
    rows.forEach((row, i) => set_text(row.firstChild, is_several ? `Pool ${i + 1}` : 'Pool'));
    this.more.hidden = rows.length >= most_pools;
    this.hint.hidden = !is_several;
  }

  /**
   * As the API takes them. The page does not know passwords: one that is not typed is left out, and stays with its pool and user.
   * Where those are others now, the proxy says that it has none for them.
   */
  values() {
    return [...this.rows.children].map((row) => {
      const value = (each) => row.querySelector(`[name=${each}]`).value;
      const pool = value('pool').trim();
      const typed = value('user');
      const user = typed === row.was?.user ? typed : typed.trim();  // blanks that were there are a part of it
      const is_there = row.was || this.given.some((each) => each.pool === pool.toLowerCase() && each.user === user);
      return {pool, user, password: value('password') || (is_there ? undefined : ''), weight: Number(value('weight'))};
    });
  }
}

/** How many workers a connection to a pool has, as a choice. */
export const mode_choice = (properties) => make('select', properties, new Option('as the pool has it', ''),
  new Option('one connection for each worker', 'dedicated'), new Option('shared by many workers', 'shared'));
