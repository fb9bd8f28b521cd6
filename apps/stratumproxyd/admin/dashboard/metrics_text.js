// Prometheus' text format. Only the wanted metrics are taken apart: a farm's page is long, and most of it is workers.

function labels_of(text) {
  const labels = {};
  let at = 0;
  while (at < text.length) {
    const equals = text.indexOf('="', at);
    if (equals < 0) break;
    const name = text.slice(at, equals);
    let value = '';
    let i = equals + 2;
    for (; i < text.length && text[i] !== '"'; ++i) {
      if (text[i] === '\\') value += text[++i] === 'n' ? '\n' : text[i];
      else value += text[i];
    }
    labels[name] = value;
    at = i + 1;
    if (text[at] === ',') ++at;
  }
  return labels;
}

/** name -> [{labels, value}], for the names in `wanted`. */
export function parse_metrics(text, wanted) {
  const found = new Map();
  for (let at = 0; at < text.length;) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    if (text[at] !== '#') {
      let stop = at;
      while (stop < end && text[stop] !== '{' && text[stop] !== ' ') ++stop;
      const name = text.slice(at, stop);
      if (wanted.has(name)) {
        const close = text[stop] === '{' ? text.lastIndexOf('}', end) : stop;
        const row = {labels: text[stop] === '{' ? labels_of(text.slice(stop + 1, close)) : {},
          value: Number(text.slice(close + 1, end))};
        if (found.has(name)) found.get(name).push(row);
        else found.set(name, [row]);
      }
    }
    at = end + 1;
  }
  return found;
}
