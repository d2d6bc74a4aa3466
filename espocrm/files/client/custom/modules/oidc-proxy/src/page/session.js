// SPDX-License-Identifier: Apache-2.0
/**
 * What happens when a session ends under an open page.
 *
 * Somebody has entered something: the page stays as it is, a bar offers to sign in in another window, and what was not
 * saved can be saved then. Nothing was entered: EspoCRM shows its login page, which signs in by itself if somebody's
 * request has found it out, and waits for a click if the page's own has; see handlers/login/oidc-proxy.js.
 */
(function () {

    const page = window.oidcProxyPage;

    const CHANNEL = 'app';
    const CALLBACK = 'oauth-callback.php';
    /** The callback closes its window instead of going on. */
    const TARGET = './?oidcProxyWindow=close';
    const WINDOW_NAME = 'oidc-proxy-sign-in';
    const WINDOW_FEATURES = 'popup,width=600,height=720';

    const AUTH_KEY = 'espo-user-auth';
    const USER_ID_KEY = 'espo-user-lastUserId';
    const LOGGED_OUT_KEY = 'oidc-proxy-logged-out';
    /** Keeps the login page of this tab from signing in by itself, and says why. */
    const ENDED_KEY = 'oidc-proxy-ended';

    /** So long after "Log Out" in another tab its message is one of that. */
    const LOGGED_OUT_PERIOD = 60 * 1000;
    /** What was given up is gone from the page by then. */
    const CANCEL_PERIOD = 1000;
    const CANCEL = '.inline-cancel-link, [data-action="cancel"], [data-action="cancelEdit"], [data-name="cancel"], ' +
        '[data-name="cancelEdit"], .modal [data-action="close"], .modal .close';
    /** A field that is edited by itself. */
    const INLINE = '.inline-save-link';
    const NOTICE_PERIOD = 10 * 1000;
    const MINUTE = 60 * 1000;

    let userId = null;
    let token = null;
    let texts = null;
    let language = 'en';
    let bar = null;
    let barTimer = null;
    /** When it was found out, in milliseconds since 1970. */
    let endedAt = null;
    /** Requests under way that save what was entered. */
    const saving = new Set();
    /**
     * Those that failed. EspoCRM opens its forms again then, in ways of its own, and knows of no change any more. So
     * the page is kept for them until the same is saved, or somebody leaves it or gives up.
     *
     * @type {Set<string>}
     */
    const unsaved = new Set();

    const isOn = () => userId !== null && texts !== null;

    // ---- the bar

    const hideBar = () => {
        clearTimeout(barTimer);

        if (bar) {
            bar.remove();
        }

        bar = null;
    };

    /**
     * @param {'alert'|'status'} role
     * @param {'warning'|'danger'|'success'} style
     * @param {?{label: string, href?: string, act: function(Event)}} [action]
     */
    const showBar = (role, style, text, action) => {
        hideBar();

        bar = document.createElement('div');
        bar.className = `oidc-proxy-bar oidc-proxy-bar-${style}`;
        bar.lang = language;

        // A live region is read out when its content changes: it must be there before.
        const message = document.createElement('span');

        message.setAttribute('role', role);
        bar.append(message);

        if (action) {
            const button = document.createElement(action.href ? 'a' : 'button');

            if (action.href) {
                button.href = action.href;
                button.target = WINDOW_NAME;
            } else {
                button.type = 'button';
            }

            button.className = 'btn btn-primary';
            button.textContent = action.label;
            button.addEventListener('click', action.act);
            bar.append(button);
        }

        // A dialog keeps the keyboard to itself and what lies outside of it.
        const dialogs = document.querySelectorAll('.modal.in, .modal.show, dialog[open]');

        (dialogs[dialogs.length - 1] || document.body).append(bar);

        setTimeout(() => message.textContent = text, 50);
    };

    const getSignInUrl = () => {
        const target = new URL(TARGET, document.baseURI);
        const url = new URL(CALLBACK, document.baseURI);

        url.search = '?return_to=' + encodeURIComponent(target.pathname + target.search);

        return url.href;
    };

    const showEnded = () => {
        if (endedAt !== null && bar && bar.isConnected) {
            // Read out once, not with each notification that is asked for.
            return;
        }

        endedAt = Date.now();

        const href = getSignInUrl();

        showBar('alert', 'warning', texts.ended, {
            label: texts.signIn,
            href,
            act: event => {
                // Where no window may be opened, the link opens a tab.
                if (window.open(href, WINDOW_NAME, WINDOW_FEATURES)) {
                    event.preventDefault();
                }
            },
        });
    };

    const showAnotherUser = () => {
        endedAt = Date.now();

        showBar('alert', 'danger', texts.anotherUser, {
            label: texts.reload,
            act: () => window.location.reload(),
        });
    };

    const goOn = () => {
        if (endedAt === null) {
            return;
        }

        endedAt = null;
        showBar('status', 'success', texts.again);
        barTimer = setTimeout(hideBar, NOTICE_PERIOD);
    };

    // ---- an end

    const holdUntilClick = () => {
        const minutes = Math.floor((Date.now() - page.getInputTime()) / MINUTE);
        const [value, unit] = minutes < 120 ? [minutes, 'minute'] : [Math.floor(minutes / 60), 'hour'];
        const time = new Intl.NumberFormat(language, {style: 'unit', unit, unitDisplay: 'long'}).format(value);

        window.sessionStorage.setItem(ENDED_KEY,
            minutes < 1 ? texts.signedOut : texts.signedOutAfter.replace('{time}', time));
    };

    /** Whether the page must stay. Of what is being saved, EspoCRM's form may be closed already. */
    const isNeeded = () => saving.size > 0 || unsaved.size > 0 || page.hasEntered();

    const watchSave = (xhr, request) => {
        const name = `${request.method} ${request.path}`;

        saving.add(request);

        xhr.addEventListener('loadend', () => {
            saving.delete(request);

            if (xhr.status >= 200 && xhr.status < 300) {
                unsaved.delete(name);
            } else {
                unsaved.add(name);
            }
        });
    };

    /** The same for the view of a record and its form: EspoCRM goes from one to the other with what was entered. */
    const getRoute = url => new URL(url).hash.replace(/^(#\w+\/)(?:view|edit)(?=\/)/, '$1');

    window.addEventListener('hashchange', event => {
        if (getRoute(event.oldURL) !== getRoute(event.newURL)) {
            unsaved.clear();
        }
    });

    document.addEventListener('click', event => {
        if (event.isTrusted && event.target instanceof Element && event.target.closest(CANCEL)) {
            // Where EspoCRM has a question first, or it was another form, there still is something.
            setTimeout(() => page.hasEntered() || document.querySelector(INLINE) || unsaved.clear(), CANCEL_PERIOD);
        }
    }, true);

    /**
     * @return {boolean} Whether the page stays.
     */
    const end = isUnattended => {
        if (isNeeded()) {
            showEnded();

            return true;
        }

        // What the bar was for has been discarded meanwhile.
        endedAt = null;
        hideBar();

        if (isUnattended) {
            holdUntilClick();
        }

        return false;
    };

    const isLoggedOutHere = () => page.isLoggingOut() && !localStorage.getItem(AUTH_KEY);

    const isLoggedOutElsewhere = () => {
        const age = Date.now() - parseInt(localStorage.getItem(LOGGED_OUT_KEY) || '0', 10);

        return age >= 0 && age < LOGGED_OUT_PERIOD;
    };

    /** @return {string[]} User name and token. Empty if it is something else. */
    const readCredentials = value => {
        try {
            return atob((value || '').replace(/^Basic /, '')).split(':');
        } catch {
            return [];
        }
    };

    page.watch({
        sending: (xhr, request) => {
            request.sentAt = Date.now();

            if (isOn() && request.method !== 'GET' && page.hadEntered()) {
                watchSave(xhr, request);
            }
        },

        answered: (xhr, request) => {
            if (!isOn() || !request.byToken || request.path === 'App/destroyAuthToken') {
                return;
            }

            if (xhr.status !== 401) {
                if (xhr.status >= 200 && xhr.status < 300 && request.sentAt > endedAt) {
                    goOn();
                }

                return;
            }

            if (!isLoggedOutHere() && end(request.isUnattended)) {
                // EspoCRM would leave the page.
                xhr.errorIsHandled = true;
            }
        },

        /** A new sign-in of the same user may have brought a new token, which the page does not know. */
        credentials: value => {
            const current = localStorage.getItem(AUTH_KEY);
            const [name, ownToken] = readCredentials(value);

            if (
                !isOn() ||
                ownToken !== token ||
                name !== readCredentials(current)[0] ||
                localStorage.getItem(USER_ID_KEY) !== userId
            ) {
                return value;
            }

            return (value.startsWith('Basic ') ? 'Basic ' : '') + current;
        },
    });

    page.onUser(data => {
        const session = (data.appParams || {}).oidcProxySession || {};

        userId = data.user ? data.user.id : null;
        token = data.token || null;
        texts = session.texts || null;
        language = session.language || language;

        window.sessionStorage.removeItem(ENDED_KEY);
    });

    // ---- other tabs

    const hear = message => {
        if (!isOn()) {
            return true;
        }

        if (message === 'logged-in') {
            if (localStorage.getItem(USER_ID_KEY) === userId) {
                goOn();
            } else if (isNeeded()) {
                showAnotherUser();
            }
        }

        if (message !== 'logged-out' || isLoggedOutHere()) {
            return true;
        }

        if (isNeeded()) {
            showEnded();

            return false;
        }

        if (!page.isAttended() && !isLoggedOutElsewhere()) {
            holdUntilClick();
        }

        return true;
    };

    if (window.BroadcastChannel) {
        const {addEventListener} = BroadcastChannel.prototype;

        // EspoCRM leaves the page when another tab says that it is logged out.
        BroadcastChannel.prototype.addEventListener = function (type, listener, ...rest) {
            if (this.name !== CHANNEL || type !== 'message' || typeof listener !== 'function') {
                return addEventListener.call(this, type, listener, ...rest);
            }

            const listen = function (event) {
                return hear(event.data) ? listener.call(this, event) : undefined;
            };

            return addEventListener.call(this, type, listen, ...rest);
        };
    }
})();
