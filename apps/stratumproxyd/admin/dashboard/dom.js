// Elements, made and changed. What comes from outside becomes text and nothing else: there is no markup from strings here.

export const by_id = (id) => document.getElementById(id);

/** An element with properties, data-* (`data`), listeners (`on`) and children, which are nodes or text. */
export function make(tag, {data, on, ...properties} = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(data ?? {})) node.dataset[name] = value;
  for (const [name, listener] of Object.entries(on ?? {})) node.addEventListener(name, listener);
  node.append(...children);
  return node;
}

/** An input under its label. */
export function field(label, properties, note) {
  const input = make('input', {autocomplete: 'off', spellcheck: false, ...properties});
  return make('label', {}, label, input, ...(note ? [make('small', {textContent: note})] : []));
}

/** A <select> under its label; `options` are pairs of text and value. */
export function choice(label, name, options, value) {
  const select = make('select', {name}, ...options.map(([text, each]) => new Option(text, String(each))));
  select.value = String(value);
  return make('label', {}, label, select);
}

/** A box before its label. */
export const check = (label, name, checked = false) =>
  make('label', {className: 'check'}, make('input', {type: 'checkbox', name, checked}), label);

/** In place of what would change something, for whoever has a token that may only read. */
export const read_only_note = () =>
  make('span', {className: 'muted reading-only', textContent: 'This token may only read: nothing can be changed with it.'});

/** For a table: the button that adds a row, or why there is none. */
export const changing_tools = (textContent, click) =>
  [make('button', {type: 'button', className: 'quiet changing', textContent, on: {click}}), read_only_note()];

/** Writes only what is different, so that nothing flickers and a selection stays. */
export function set_text(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function set_state(node, state, text = state) {
  set_text(node, text);
  if (node.dataset.state !== state) node.dataset.state = state;
}

/** Keeps `root`'s children in step with `items`: nodes of a key that is still there stay, and are patched. */
export function patch_list(root, items, key_of, create, update) {
  const kept = (root.kept ??= new Map());
  const wanted = new Set(items.map(key_of));
  for (const [key, node] of kept) {
    if (wanted.has(key)) continue;
    node.remove();
    kept.delete(key);
  }
  let next = root.firstChild;
  for (const item of items) {
    const key = key_of(item);
    let node = kept.get(key);
    if (!node) kept.set(key, (node = create(item)));
    update(node, item);
    if (node === next) next = next.nextSibling;
    else root.insertBefore(node, next);
  }
}

/** Pairs of a name and a value, in a <dl>. A value is text, or {state, text}. */
export function patch_facts(root, facts) {
  patch_list(root, facts.filter(([, value]) => value !== undefined && value !== ''), ([name]) => name,
    ([name]) => make('div', {}, make('dt', {textContent: name}), make('dd', {}, make('span'))),
    (node, [, value]) => {
      const target = node.lastChild.firstChild;
      if (typeof value === 'object') {
        target.className = 'badge';
        set_state(target, value.state, value.text ?? value.state);
      } else {
        set_text(target, value);
      }
    });
}

/** Copies; without the modern interface, which pages of plain HTTP from another machine do not get, by a selection. */
export async function copy_text(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make('textarea', {value: text, className: 'off-screen'});
    document.body.append(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    return copied;
  }
}

export function copy_button(text_of) {
  const button = make('button', {type: 'button', className: 'quiet copy', textContent: 'Copy'});
  button.addEventListener('click', async () => {
    button.textContent = (await copy_text(text_of())) ? 'Copied' : 'Not copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
  return button;
}
