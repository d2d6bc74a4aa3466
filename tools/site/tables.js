// SPDX-License-Identifier: Apache-2.0
// The theme puts wide tables into boxes that scroll. Who has no mouse must be able to reach them.
(() => {
  let asked = false;

  function reach() {
    asked = false;
    for (const box of document.querySelectorAll('.md-typeset__scrollwrap')) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute('tabindex');
    }
  }

  function ask() {
    if (!asked) requestAnimationFrame(reach);
    asked = true;
  }

  new MutationObserver(ask).observe(document.body, { childList: true, subtree: true });
  window.addEventListener('resize', ask);
  ask();
})();
