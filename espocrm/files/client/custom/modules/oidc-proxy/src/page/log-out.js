// SPDX-License-Identifier: Apache-2.0
/**
 * What "Log Out" needs beside EspoCRM's own part. Loaded with the application, in each tab.
 *
 * It notes in the browser that somebody chose it. EspoCRM tells its other tabs only that they are logged out, as it
 * does when a session has ended; they must not sign in again by themselves now. See handlers/login/oidc-proxy.js.
 *
 * And it leads to the logout of the proxy in every case. EspoCRM goes there with its server's answer to the logout; a
 * session that has ended already never gets one.
 */
(function () {

    const page = window.oidcProxyPage;

    const KEY = 'oidc-proxy-logged-out';
    const SELECTOR = 'a[data-name="logout"], a[data-action="logout"], a[href="#logout"]';

    /** Ends EspoCRM's token without a session of the proxy: a location of the vhost. */
    const END_TOKEN = 'oidc/espocrm-sign-out';
    const END_TOKEN_TIMEOUT = 3000;

    /** So long after the click, requests of a logout are its own. A question may stand between them. */
    const CHOSEN_PERIOD = 60 * 1000;

    let chosenAt = 0;
    let logoutUrl = null;
    let isAsked = false;
    let isLeaving = false;

    const note = () => {
        chosenAt = Date.now();
        localStorage.setItem(KEY, chosenAt.toString());
    };

    const isChosen = () => chosenAt !== 0 && Date.now() - chosenAt < CHOSEN_PERIOD;

    const leave = () => {
        if (!logoutUrl || isLeaving) {
            return;
        }

        isLeaving = true;

        const controller = new AbortController();
        const timer = setTimeout(() => controller.abort(), END_TOKEN_TIMEOUT);

        fetch(END_TOKEN, {credentials: 'same-origin', redirect: 'manual', signal: controller.signal})
            .catch(() => {})
            .then(() => {
                clearTimeout(timer);
                window.location.assign(logoutUrl);
            });
    };

    page.onUser(data => logoutUrl = (data.appParams || {}).oidcProxyLogoutUrl || null);

    /** EspoCRM leaves by itself if its server has told it where to. */
    const readLogout = xhr => {
        if (xhr.status !== 200 || !xhr.getResponseHeader('X-Logout-Redirect-Url')) {
            leave();
        }
    };

    page.isLoggingOut = isChosen;

    page.watch({
        opened: (xhr, {method, path}) => {
            if (!isChosen()) {
                return;
            }

            if (method === 'POST' && path === 'App/destroyAuthToken') {
                isAsked = true;
                xhr.addEventListener('loadend', () => readLogout(xhr));
            } else if (method === 'GET' && path === '' && !isAsked) {
                // The last step of a logout, and its first one is missing: the page has forgotten its user before.
                leave();
            }
        },
    });

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
