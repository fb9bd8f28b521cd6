// Light, dark, or what the system prefers. Run before the page is drawn, so that it never shows the wrong one first.
'use strict';
(() => {
  const order = ['system', 'light', 'dark'];
  let chosen = 'system';
  try {
    const kept = localStorage.getItem('theme');
    if (order.includes(kept)) chosen = kept;
  } catch {
    // Storage may be forbidden: then the choice lasts as long as the page.
  }

  function apply() {
    const root = document.documentElement;
    if (chosen === 'system') delete root.dataset.theme;
    else root.dataset.theme = chosen;
    const button = document.getElementById('theme');
    if (button) button.textContent = `Theme: ${chosen}`;
    document.dispatchEvent(new Event('themechange'));
  }

  apply();
  document.addEventListener('DOMContentLoaded', () => {
    apply();
    document.getElementById('theme').addEventListener('click', () => {
      chosen = order[(order.indexOf(chosen) + 1) % order.length];
      try {
        localStorage.setItem('theme', chosen);
      } catch {
        // As above.
      }
      apply();
    });
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
})();
