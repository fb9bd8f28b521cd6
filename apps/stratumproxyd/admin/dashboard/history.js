// Where charts get their points: from the proxy's own history where it has one, else what this page has seen.

import {ask, ask_if_there} from './api.js';
import {seconds_back} from './charts.js';
import {data} from './data.js';

const fresh_for = 20_000;  // milliseconds
const points_wanted = 180;
const cache = new Map();

async function fetch_history(what, back) {
  const to = Math.floor(Date.now() / 1000);
  const wanted_step = Math.max(60, Math.ceil(back / points_wanted / 60) * 60);
  const query = new URLSearchParams({...what, from: String(to - back), to: String(to), step: String(wanted_step)});
  const {series, step} = await ask(`api/v1/history?${query}`);
  const of_a_minute = (count) => (count === undefined ? null : count / (step / 60));
  const points = series.map((row) => ({
    time: (row.start + step / 2) * 1000, step: step * 1000, hashrate: row.hashrate,
    accepted: of_a_minute(row.accepted), rejected: of_a_minute(row.rejected), unknown: of_a_minute(row.unknown),
  }));
  // It begins where something was, not where the question did.
  const first = points.findIndex((each) => each.hashrate || each.accepted || each.rejected || each.unknown);
  return first < 0 ? [] : points.slice(first);
}

/** Points of `what`: {user}, {pool}, {algorithm}, or {user, worker}, which is a rig's name. `seen` are those of this page. */
export function points_of(what, seen, on_news) {
  if (!data.is_signed_in) return seen;
  const back = seconds_back();
  const key = `${JSON.stringify(what)} ${back}`;
  let entry = cache.get(key);
  if (!entry) cache.set(key, (entry = {points: null, until: 0}));
  if (performance.now() > entry.until) {
    entry.until = performance.now() + fresh_for;
    ask_if_there(`history ${Object.keys(what)}`, () => fetch_history(what, back)).then((points) => {
      entry.points = points;
      if (points) on_news();
    }, () => { entry.until = performance.now() + fresh_for; });
  }
  if (cache.size > 200) cache.delete(cache.keys().next().value);
  if (!entry.points?.length) return seen;
  return with_holes_filled(entry.points, seen);
}

/** What the page saw is newer than the last steps of the history, which are not complete yet, and finer; the history has the rest. */
function with_holes_filled(history, seen) {
  const known = seen.filter((each) => each.hashrate !== null);
  if (!known.length) return history;
  // Also those of which nothing is known are listed, one step apart.
  const usual = seen.length > 1 ? seen[1].time - seen[0].time : 0;
  const holes = [{from: -Infinity, to: known[0].time}];
  for (let i = 1; i < known.length; ++i)
    if (known[i].time - known[i - 1].time > 1.5 * usual) holes.push({from: known[i - 1].time, to: known[i].time});
  const missed = history.filter(({time}) => holes.some(({from, to}) => from < time && time < to));
  return [...missed, ...known].sort((a, b) => a.time - b.time);
}
