// SPDX-License-Identifier: Apache-2.0
/**
 * Notes in the browser that somebody chose "Log Out". EspoCRM tells its other tabs only that they are
 * logged out, as it does when a session has ended; they must not sign in again by themselves now.
 * Loaded with the application, in each tab. See handlers/login/oidc-proxy.js.
 */
(function () {

    const KEY = 'oidc-proxy-logged-out';
    const SELECTOR = 'a[data-name="logout"], a[data-action="logout"], a[href="#logout"]';

    const note = () => localStorage.setItem(KEY, Date.now().toString());

    // Before EspoCRM hears of it, hence capturing.
    document.addEventListener('click', event => {
        if (event.target instanceof Element && event.target.closest(SELECTOR)) {
            note();
        }
    }, true);

    window.addEventListener('hashchange', () => {
        if (window.location.hash === '#logout') {
            note();
        }
    }, true);
})();
