// The way to the proxy: short requests, the token in a header, errors as the API words them.

const limit = 15_000;  // milliseconds
const rows_of_a_page = 2000;
const ask_again = 60_000;  // after a route was not there

let token = '';
try {
  token = sessionStorage.getItem('token') ?? '';
} catch {
  // Storage may be forbidden: then the token lasts as long as the page.
}

export class refused extends Error {
  constructor(status, said, is_outdated) {
    super(said || `the proxy answers ${status}`);
    this.status = status;
    this.is_of_proxy = Boolean(said);  // else of something that stands between
    this.is_outdated = is_outdated;  // it was asked with another token than the one that is kept now
  }
}

export const has_token = () => token !== '';

export function set_token(text) {
  token = text;
  try {
    if (text) sessionStorage.setItem('token', text);
    else sessionStorage.removeItem('token');
  } catch {
    // As above.
  }
}

async function request(path, {method = 'GET', body, if_match} = {}) {
  const headers = {};
  const sent = token;
  if (sent) headers.Authorization = `Bearer ${sent}`;
  if (body) headers['Content-Type'] = 'application/json';
  if (if_match) headers['If-Match'] = if_match;
  const answer = await fetch(path, {
    method, headers, body: body && JSON.stringify(body), cache: 'no-store', credentials: 'omit', redirect: 'error',
    signal: AbortSignal.timeout(limit),
  });
  if (answer.ok) return answer;
  const text = await answer.text();
  let said = '';
  try {
    said = JSON.parse(text).error;
  } catch {
    // Not the proxy's own answer.
  }
  throw new refused(answer.status, said, sent !== token);
}

export const ask = async (path, options) => (await request(path, options)).json();
/** A row, and the tag that says that it is still the same. */
export async function ask_tagged(path) {
  const answer = await request(path);
  return {row: await answer.json(), tag: answer.headers.get('ETag')};
}
export const ask_text = async (path) => (await request(path)).text();

/** All rows of a list, page by page. */
export async function ask_all(path, member) {
  const rows = [];
  let after = '';
  do {
    const page = await ask(`${path}?limit=${rows_of_a_page}${after && `&after=${encodeURIComponent(after)}`}`);
    rows.push(...page[member]);
    after = page.next || '';
  } while (after);
  return rows;
}

const missing = new Map();

/** What only some versions of the proxy have: nothing when this one does not, which is asked again after a while. */
export async function ask_if_there(route, asking) {
  if (performance.now() < (missing.get(route) ?? 0)) return null;
  try {
    return await asking();
  } catch (error) {
    if (![400, 404, 405, 501].includes(error.status)) throw error;
    missing.set(route, performance.now() + ask_again);
    return null;
  }
}
