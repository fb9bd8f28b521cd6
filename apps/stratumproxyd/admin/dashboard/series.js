// What was seen while the page is open, kept for the charts: a row of buckets for each key, all on one scale of time. When the
// buckets are full, two become one: the last minutes are fine-grained and the last hours fit as well. A key takes a few KiB.

const capacity = 240;  // buckets
const first_step = 10_000;  // milliseconds
const longest_step = 160_000;  // 240 of these are over ten hours
const late = 30_000;  // a look that comes so much later than it was meant to: what happened meanwhile belongs to no bucket
const counters = ['accepted', 'rejected', 'unknown'];

class lane {
  constructor(begin) {
    this.begin = begin;  // its first bucket
    this.hashrate = [];
    this.sums = counters.map(() => []);
    this.known = [];  // for how many milliseconds of each bucket the sums are
    this.last = null;
    this.seen = 0;
  }

  reach(index) {
    while (this.hashrate.length <= index - this.begin) {
      this.hashrate.push(null);
      for (const each of this.sums) each.push(null);
      this.known.push(0);
    }
    return index - this.begin;
  }

  add(at, time, grown) {
    this.known[at] += time;
    grown.forEach((count, i) => { this.sums[i][at] = (this.sums[i][at] ?? 0) + count; });
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
    const sum = (both) => both.reduce((a, b) => a + b);
    this.sums = this.sums.map((values) => pairs(values, sum));
    this.known = pairs(this.known, sum);
    this.begin = (this.begin - pad) / 2;
  }

  drop(count) {
    const gone = Math.max(0, count - this.begin);
    this.hashrate.splice(0, gone);
    for (const each of [...this.sums, this.known]) each.splice(0, gone);
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

  /**
   * `rows`: [key, {hashrate, accepted, rejected, unknown}], counters as they stand. `pause`: how long after the last look this one
   * was meant to come, in milliseconds.
   */
  note(now, rows, pause = 0) {
    this.start ??= Math.floor(now / first_step) * first_step;
    const is_first = this.noted === null || now <= this.noted || now - this.noted > pause + late;
    const since = is_first ? now : this.noted;
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
    const from = Math.max(0, Math.floor((since - this.start) / this.step));
    for (const [key, row] of rows) {
      let each = this.lanes.get(key);
      if (!each) this.lanes.set(key, (each = new lane(from)));
      const at = each.reach(index);
      if (row.hashrate !== undefined) {
        each.hashrate[at] = row.hashrate;
        for (let i = at - 1; i > at - (index - from); --i) each.hashrate[i] ??= row.hashrate;
      }
      if (row.accepted !== undefined) {
        // Of what is new since the last look all shares are new; those before the first look have no time.
        const before = each.last ?? counters.map(() => 0);
        each.last = counters.map((name) => row[name]);
        const grown = each.last.map((count, i) => (count < before[i] ? count : count - before[i]));
        // When they came is not known any better: they are spread over the time since the last look.
        for (let i = from; i <= index && !is_first; ++i) {
          const begin = this.start + i * this.step;
          const time = Math.min(now, begin + this.step) - Math.max(since, begin);
          if (time > 0) each.add(each.reach(i), time, grown.map((count) => (count * time) / (now - since)));
        }
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
      counters.forEach((name, c) => { point[name] = each.known[i] ? each.sums[c][i] / (each.known[i] / 60_000) : null; });
      return point;
    });
  }
}
