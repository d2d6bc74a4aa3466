// SPDX-License-Identifier: Apache-2.0
/**
 * Requests of EspoCRM's page, as its other scripts here see them. Loaded with the application, before it and them, in
 * each tab.
 */
(function () {

    const API = /(^|\/)(api\/v1\/(?:portal-access\/[^/]+\/)?)([^?]*)$/;
    const USER = 'App/user';

    const watchers = [];
    const userListeners = [];
    /** @type {WeakMap<XMLHttpRequest, Object>} */
    const requests = new WeakMap();

    const call = (name, ...args) => watchers.forEach(watcher => watcher[name] && watcher[name](...args));

    /**
     * @return {?{method: string, base: string, path: string, byToken: boolean}} Null if it does not go to the API.
     */
    const describe = (method, url) => {
        let parsed;

        try {
            parsed = new URL(url, document.baseURI);
        } catch {
            return null;
        }

        const match = parsed.origin === window.location.origin && parsed.pathname.match(API);

        return match && {
            method: String(method).toUpperCase(),
            base: parsed.pathname.slice(0, parsed.pathname.length - match[3].length),
            path: match[3],
            byToken: false,
        } || null;
    };

    /** The page of EspoCRM starts with it. */
    const readUser = (xhr, request) => {
        if (xhr.status !== 200) {
            return;
        }

        let data;

        try {
            data = JSON.parse(xhr.responseText);
        } catch {
            // Not EspoCRM's answer: nothing to learn from.
            return;
        }

        userListeners.forEach(listener => listener(data, request));
    };

    const {open, send, setRequestHeader} = XMLHttpRequest.prototype;

    XMLHttpRequest.prototype.open = function (method, url) {
        const request = describe(method, url);

        requests.delete(this);

        if (request) {
            requests.set(this, request);

            // Before any listener of EspoCRM's own.
            this.addEventListener('load', () => {
                if (requests.get(this) !== request) {
                    return;
                }

                if (request.method === 'GET' && request.path === USER) {
                    readUser(this, request);
                }

                call('answered', this, request);
            });

            call('opened', this, request);
        }

        return open.apply(this, arguments);
    };

    XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
        const request = requests.get(this);

        if (request) {
            if (/^espo-authorization-by-token$/i.test(name)) {
                request.byToken = value === 'true';
            } else if (/^(espo-)?authorization$/i.test(name)) {
                value = watchers.reduce((it, watcher) => watcher.credentials ? watcher.credentials(it) : it, value);
            }
        }

        return setRequestHeader.call(this, name, value);
    };

    XMLHttpRequest.prototype.send = function () {
        const request = requests.get(this);

        if (request) {
            call('sending', this, request);
        }

        return send.apply(this, arguments);
    };

    window.oidcProxyPage = {
        /**
         * `opened`, `sending` and `answered` are told of each request to the API, `credentials` may replace what a
         * header says.
         */
        watch: watcher => watchers.push(watcher),

        /** EspoCRM's server has told the page about its user. */
        onUser: listener => userListeners.push(listener),

        /** Whether somebody has chosen to log out in this tab. */
        isLoggingOut: () => false,
    };
})();
