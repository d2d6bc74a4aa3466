// SPDX-License-Identifier: Apache-2.0
/**
 * Sign-in by the reverse proxy. The stock handler stays in charge where the proxy does not do it:
 * while the setting is off, and in portals.
 */
define('modules/oidc-proxy/handlers/login/oidc-proxy', ['handlers/login/oidc'], function (Dep) {

    const OidcLoginHandler = Dep.default || Dep;

    const CALLBACK = 'oauth-callback.php';
    const HOLD_KEY = 'oidc-proxy-hold';
    const ATTEMPTS_KEY = 'oidc-proxy-attempts';
    const ENDED_KEY = 'oidc-proxy-ended';
    const LOGGED_OUT_KEY = 'oidc-proxy-logged-out';
    const PARAM_SIGN_IN = 'signIn';

    /** Automatic sign-ins that are too close to each other mean that they do not help. */
    const MIN_INTERVAL = 10 * 1000;
    const PERIOD = 2 * 60 * 1000;
    const MAX_ATTEMPTS = 3;

    /** So long after "Log Out", in whichever tab, nobody is signed in without asking. */
    const LOGGED_OUT_PERIOD = 60 * 1000;

    /** After this time without a new page the button can be used again. */
    const LEAVE_TIMEOUT = 15 * 1000;

    return class extends OidcLoginHandler {

        constructor(loginView, data) {
            super(loginView, data);

            if (!this.isOn()) {
                return;
            }

            this.showEnd();

            const asksForPassword = this.asksForPassword();

            if (!asksForPassword && !this.canSignInAutomatically()) {
                return;
            }

            loginView.once('after:render', () => {
                if (asksForPassword) {
                    this.showPasswordForm();

                    return;
                }

                this.noteAttempt();
                this.process().catch(() => {});
            });
        }

        /** @inheritDoc */
        process() {
            if (!this.isOn()) {
                return super.process();
            }

            if (this.isAnotherUser()) {
                Espo.Ui.warning(this.loginView.translate('oidcProxyAnotherUser', 'messages', 'User'));
                this.showPasswordForm();

                return Promise.reject();
            }

            window.location.assign(this.getUrl());

            return new Promise((resolve, reject) => {
                setTimeout(reject, LEAVE_TIMEOUT);
            });
        }

        /** Whether the proxy does the sign-in of this page. */
        isOn() {
            return !!this.loginView.getConfig().get('oidcProxy') && !this.isPortal();
        }

        /**
         * The page of a portal starts the application with the API of the portal.
         *
         * @private
         */
        isPortal() {
            return Array.from(document.scripts).some(script => script.text.includes('portal-access/'));
        }

        /**
         * An administrator signs in as somebody else: the proxy knows only the administrator.
         *
         * @private
         */
        isAnotherUser() {
            return !!(this.loginView.options || {}).anotherUser;
        }

        /** @private */
        asksForPassword() {
            return this.isAnotherUser() ||
                new URLSearchParams(window.location.search).get(PARAM_SIGN_IN) === 'password';
        }

        /** @private */
        canSignInAutomatically() {
            if (!this.loginView.getConfig().get('oidcProxyAutoSignIn')) {
                return false;
            }

            if (window.sessionStorage.getItem(HOLD_KEY) || window.sessionStorage.getItem(ENDED_KEY)) {
                return false;
            }

            if (this.hasJustLoggedOut()) {
                return false;
            }

            const attempts = this.getAttempts();
            const last = attempts[attempts.length - 1] || 0;

            return attempts.length < MAX_ATTEMPTS && Date.now() - last >= MIN_INTERVAL;
        }

        /** @private */
        hasJustLoggedOut() {
            const age = Date.now() - parseInt(window.localStorage.getItem(LOGGED_OUT_KEY) || '0', 10);

            return age >= 0 && age < LOGGED_OUT_PERIOD;
        }

        /**
         * @private
         * @return {number[]} Times of the latest automatic sign-ins of this tab.
         */
        getAttempts() {
            let list;

            try {
                list = JSON.parse(window.sessionStorage.getItem(ATTEMPTS_KEY) || '[]');
            } catch {
                list = [];
            }

            const since = Date.now() - PERIOD;

            return Array.isArray(list) ? list.filter(time => time > since && time <= Date.now()) : [];
        }

        /** @private */
        noteAttempt() {
            window.sessionStorage.setItem(ATTEMPTS_KEY, JSON.stringify([...this.getAttempts(), Date.now()]));
        }

        /** @private */
        getUrl() {
            const location = window.location;
            const params = new URLSearchParams(location.search);

            params.delete(PARAM_SIGN_IN);

            const search = params.toString();
            // The login page that follows a logout must not lead to the next one.
            const hash = location.hash === '#logout' ? '' : location.hash;
            const target = location.pathname + (search ? '?' + search : '') + hash;

            const url = new URL(this.loginView.getBasePath() + CALLBACK, location.href);

            url.search = '?return_to=' + encodeURIComponent(target);
            // Should the proxy have to sign in first: it keeps the fragment of the address bar.
            url.hash = hash;

            return url.href;
        }

        /**
         * The session has ended while nobody was there: says so, see page/session.js. A page that somebody opens goes
         * through the sign-in of the proxy anyhow.
         *
         * @private
         */
        showEnd() {
            const text = window.sessionStorage.getItem(ENDED_KEY);

            if (!text) {
                return;
            }

            this.loginView.on('after:render', () => {
                const body = this.loginView.element.querySelector('.panel-body') || this.loginView.element;
                const message = document.createElement('div');

                message.className = 'oidc-proxy-ended';
                message.setAttribute('role', 'status');
                message.textContent = text;

                body.prepend(message);
            });
        }

        /** @private */
        showPasswordForm() {
            if (this.loginView.fallback && typeof this.loginView.showFallback === 'function') {
                this.loginView.showFallback();
            }
        }
    };
});
