// A question on top of the page: a form, or a sentence to confirm. What the proxy has against it is shown there.

import {refused} from './api.js';
import {refresh} from './data.js';
import {make, set_text} from './dom.js';

/**
 * `send` is asynchronous, and called when `action` is pressed: what it throws is shown, and the dialog stays. `again` asks
 * anew, with what is so now: it is offered where somebody else changed it meanwhile. `is_grave`: it cannot be taken back.
 */
export function ask_in_dialog({title, text, content = [], action, is_grave = false, send, again}) {
  const fault = make('p', {className: 'fault', role: 'alert'});
  const go = make('button', {type: 'submit', className: is_grave ? 'grave' : '', textContent: action});
  const cancel = make('button', {type: 'button', className: 'quiet', textContent: 'Cancel', on: {click: () => dialog.close()}});
  const anew = make('button', {type: 'button', className: 'quiet anew', hidden: true, textContent: 'Show what it is now',
    on: {click: () => { dialog.close(); again(); }}});
  const submit = async (event) => {
    event.preventDefault();
    set_text(fault, '');
    go.disabled = true;
    try {
      await send();
      dialog.close();
      refresh();
    } catch (error) {
      const is_outdated = error instanceof refused && error.status === 412;
      set_text(fault, !(error instanceof refused) ? 'The proxy does not answer: it may or may not be done.' :
        is_outdated ? 'Not done: somebody else has changed it meanwhile.' : `Not done: ${error.message}`);
      anew.hidden = !is_outdated || !again;
    }
    go.disabled = false;
  };
  const form = make('form', {autocomplete: 'off', on: {submit}}, make('h2', {textContent: title}),
    ...(text ? [make('p', {className: 'muted', textContent: text})] : []), ...content, fault,
    make('div', {className: 'dialog-end'}, cancel, anew, go));
  const dialog = make('dialog', {className: 'card', on: {close: () => dialog.remove()}}, form);
  document.body.append(dialog);
  addEventListener('hashchange', () => dialog.close(), {once: true});  // the browser's way back
  dialog.showModal();
  // What cannot be taken back is not done by a key that was meant for something else.
  if (is_grave) cancel.focus();
}
