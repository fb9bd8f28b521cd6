// What was seen while the page is open, kept for the charts: a row of buckets for each key, all on one scale of time. When the
// buckets are full, two become one: the last minutes are fine-grained and the last hours fit as well. A key takes a few KiB.

const capacity = 240;  // buckets
const first_step = 10_000;  // milliseconds
const longest_step = 160_000;  // 240 of these are over ten hours
const pause = 30_000;  // after this, what happened meanwhile belongs to no bucket
const counters = ['accepted', 'rejected', 'unknown'];

class lane {
  constructor(begin) {
    this.begin = begin;  // its first bucket
    this.hashrate = [];
    this.sums = counters.map(() => []);
    this.last = null;
    this.seen = 0;
  }

  reach(index) {
    while (this.hashrate.length <= index - this.begin) {
      this.hashrate.push(null);
      for (const each of this.sums) each.push(null);
    }
    return index - this.begin;
  }

  halve() {
    const pad = this.begin % 2;
    const pairs = (values, join) => {
      const from = pad ? [null, ...values] : values;
      const to = [];
      for (let i = 0; i < from.length; i += 2) {
        const both = [from[i], from[i + 1]].filter((value) => value !== null && value !== undefined);
        to.push(both.length ? join(both) : null);
      }
      return to;
    };
    this.hashrate = pairs(this.hashrate, (both) => both.reduce((a, b) => a + b) / both.length);
    this.sums = this.sums.map((values) => pairs(values, (both) => both.reduce((a, b) => a + b)));
    this.begin = (this.begin - pad) / 2;
  }

  drop(count) {
    const gone = Math.max(0, count - this.begin);
    this.hashrate.splice(0, gone);
    for (const each of this.sums) each.splice(0, gone);
    this.begin = Math.max(0, this.begin - count);
  }
}

export class series_store {
  constructor() {
    this.lanes = new Map();
    this.step = first_step;
    this.start = null;
    this.noted = null;
  }

  /** `rows`: [key, {hashrate, accepted, rejected, unknown}], counters as they stand. */
  note(now, rows) {
    this.start ??= Math.floor(now / first_step) * first_step;
    const is_first = this.noted === null || now - this.noted > pause;
    this.noted = now;
    let index = Math.floor((now - this.start) / this.step);
    while (index >= capacity && this.step < longest_step) {
      for (const each of this.lanes.values()) each.halve();
      this.step *= 2;
      index = Math.floor((now - this.start) / this.step);
    }
    if (index >= capacity) {
      const gone = index - capacity + Math.floor(capacity / 4);
      for (const each of this.lanes.values()) each.drop(gone);
      this.start += gone * this.step;
      index -= gone;
    }
    for (const [key, row] of rows) {
      let each = this.lanes.get(key);
      if (!each) this.lanes.set(key, (each = new lane(index)));
      const at = each.reach(index);
      if (row.hashrate !== undefined) each.hashrate[at] = row.hashrate;
      if (row.accepted !== undefined) {
        counters.forEach((name, i) => {
          // Of what is new since the last look all shares are new; those before the first look have no time.
          const before = each.last ? each.last[i] : is_first ? row[name] : 0;
          const grown = is_first ? 0 : row[name] < before ? row[name] : row[name] - before;
          each.sums[i][at] = (each.sums[i][at] ?? 0) + grown;
        });
        each.last = counters.map((name) => row[name]);
      }
      each.seen = now;
    }
    // Of who left, the past is kept for an hour.
    for (const [key, each] of this.lanes) if (now - each.seen > 3_600_000) this.lanes.delete(key);
  }

  /** Points of one key: {time, hashrate, accepted, rejected, unknown}, the counts of shares per minute. */
  of(key) {
    const each = this.lanes.get(key);
    if (!each) return [];
    return each.hashrate.map((hashrate, i) => {
      const time = this.start + (each.begin + i) * this.step;
      const open = this.noted - time < this.step;
      // The bucket that is being filled has a place on the axis already, at the time of its last look.
      const point = {time: open ? this.noted : time + this.step / 2, hashrate};
      const minutes = (open ? Math.max(this.noted - time, this.step / 2) : this.step) / 60_000;
      counters.forEach((name, c) => { point[name] = each.sums[c][i] === null ? null : each.sums[c][i] / minutes; });
      return point;
    });
  }
}
