// A table of thousands of rows: sorted and searched as a whole, drawn where one looks. A row's element stays its own as long as
// it is in sight; an update writes the cells that differ.

import {make, set_state, set_text} from './dom.js';

const beyond = 8;  // rows that are drawn above and below what is in sight
const in_order = new Intl.Collator('en', {numeric: true, sensitivity: 'base'});

export class data_table {
  /**
   * `columns`: {id, label, text(row), value(row)?, kind?: 'number'|'badge'|'main'|'action',
   * state(row)?, act(row)?, wide?, narrow?, first?: 'down'}.
   * Rows have a `key`. `wide` columns are left out where there is little room, `narrow` ones where there is hardly any.
   * An `action` is a button that changes something. `tools` are further elements beside the search.
   */
  constructor(root, {columns, sort, on_open, filters, tools = [], placeholder, empty, label}) {
    this.columns = columns;
    this.searched = columns.filter((each) => each.kind !== 'action');
    this.on_open = on_open;
    this.sort = {...sort};
    this.rows = [];
    this.shown = [];
    this.drawn = new Map();
    this.words = [];
    this.filter = filters?.[0];
    this.empty_text = empty;

    this.search = make('input', {type: 'search', placeholder, ariaLabel: placeholder, spellcheck: false});
    this.search.addEventListener('input', () => {
      this.words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
      this.choose();
    });
    this.total = make('span', {className: 'total'});
    const bar = make('div', {className: 'table-bar'}, this.search);
    if (filters) {
      this.choice = make('select', {ariaLabel: 'Which rows'},
        ...filters.map((each, i) => make('option', {value: String(i), textContent: each.label})));
      this.choice.addEventListener('change', () => {
        this.filter = filters[Number(this.choice.value)];
        this.choose();
      });
      bar.append(this.choice);
    }
    bar.append(...tools, this.total);

    this.heads = columns.map((column) => this.make_head(column));
    this.body = make('tbody');
    this.above = make('tr', {className: 'spacer'}, make('td'));
    this.below = make('tr', {className: 'spacer'}, make('td'));
    this.body.append(this.above, this.below);
    this.table = make('table', {ariaLabel: label}, make('thead', {}, make('tr', {}, ...this.heads)), this.body);
    this.scroller = make('div', {className: 'scroller', tabIndex: 0}, this.table);
    this.none = make('p', {className: 'none', hidden: true});
    this.scroller.addEventListener('scroll', () => this.draw(), {passive: true});
    new ResizeObserver(() => this.draw()).observe(this.scroller);
    root.append(bar, this.scroller, this.none);
    this.show_sort();
  }

  make_head(column) {
    if (column.kind === 'action') return make('th', {scope: 'col', className: this.class_of(column), data: {id: column.id}});
    const button = make('button', {type: 'button', textContent: column.label});
    button.addEventListener('click', () => {
      const down = column.kind === 'number' || column.first === 'down';
      if (this.sort.id === column.id) this.sort.down = !this.sort.down;
      else this.sort = {id: column.id, down};
      this.show_sort();
      this.choose();
    });
    return make('th', {scope: 'col', className: this.class_of(column), data: {id: column.id}}, button);
  }

  class_of({kind, wide, narrow}) {
    const of_kind = {badge: 'state', action: 'action changing'}[kind] ?? kind;
    return [of_kind, wide && 'wide', narrow && 'narrow'].filter(Boolean).join(' ');
  }

  show_sort() {
    this.columns.forEach((column, i) => {
      if (column.id === this.sort.id) this.heads[i].ariaSort = this.sort.down ? 'descending' : 'ascending';
      else this.heads[i].removeAttribute('aria-sort');
    });
  }

  set_rows(rows) {
    this.rows = rows;
    this.choose();
  }

  /** Which rows are shown, in which order. */
  choose() {
    const column = this.columns.find((each) => each.id === this.sort.id);
    const value_of = column.value ?? column.text;
    let found = this.rows;
    if (this.filter?.test) found = found.filter(this.filter.test);
    if (this.words.length) {
      found = found.filter((row) => {
        const text = this.searched.map((each) => each.text(row)).join(' ').toLowerCase();
        return this.words.every((word) => text.includes(word));
      });
    }
    const sign = this.sort.down ? -1 : 1;
    const compare = (a, b) => (typeof a === 'string' ? in_order.compare(a, b) : a - b);
    const valued = found.map((row) => ({row, value: value_of(row)}));
    valued.sort((a, b) => sign * compare(a.value, b.value) || (a.row.key < b.row.key ? -1 : 1));
    this.shown = valued.map((each) => each.row);
    const all = String(this.rows.length);
    set_text(this.total, this.shown.length === this.rows.length ? all : `${this.shown.length} of ${all}`);
    this.none.hidden = this.shown.length > 0;
    set_text(this.none, this.rows.length ? 'Nothing matches.' : this.empty_text);
    this.table.ariaRowCount = String(this.shown.length);
    this.draw();
  }

  draw() {
    if (!this.scroller.offsetParent) return;  // not in sight
    const height = this.row_height();
    const from = Math.max(0, Math.floor(this.scroller.scrollTop / height) - beyond);
    const to = Math.min(this.shown.length, Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / height) + beyond);
    const wanted = this.shown.slice(from, to);
    const keys = new Set(wanted.map((row) => row.key));
    for (const [key, node] of this.drawn) {
      if (keys.has(key)) continue;
      node.remove();
      this.drawn.delete(key);
    }
    let next = this.above.nextSibling;
    for (const row of wanted) {
      let node = this.drawn.get(row.key);
      if (!node) this.drawn.set(row.key, (node = this.make_row()));
      this.fill(node, row);
      if (node === next) next = next.nextSibling;
      else this.body.insertBefore(node, next);
    }
    this.pad(this.above, from * height);
    this.pad(this.below, (this.shown.length - to) * height);
  }

  pad(spacer, height) {
    const wanted = `${height}px`;
    if (spacer.firstChild.style.height !== wanted) spacer.firstChild.style.height = wanted;
    spacer.hidden = height === 0;
  }

  /** Of the style sheet: all rows have one. */
  row_height() {
    return (this.height ??= parseFloat(getComputedStyle(this.scroller).getPropertyValue('--row-height')) || 36);
  }

  make_row() {
    const node = make('tr');
    node.targets = this.columns.map((column) => {
      const cell = make('td', {className: this.class_of(column)});
      node.append(cell);
      if (column.kind === 'badge') return cell.appendChild(make('span', {className: 'badge'}));
      if (column.kind === 'main' && this.on_open) return cell.appendChild(make('button', {type: 'button', className: 'link'}));
      if (column.kind === 'action')
        return cell.appendChild(make('button', {type: 'button', className: 'quiet', on: {click: () => column.act(node.row)}}));
      return cell;
    });
    if (this.on_open) node.addEventListener('click', () => this.on_open(node.row));
    return node;
  }

  fill(node, row) {
    node.row = row;
    this.columns.forEach((column, i) => {
      const target = node.targets[i];
      const text = column.text(row);
      if (column.state) set_state(target, column.state(row), text);
      else set_text(target, text);
      const title = text.length > 12 ? text : '';  // what may be cut off
      if (target.title !== title) target.title = title;
    });
  }
}
