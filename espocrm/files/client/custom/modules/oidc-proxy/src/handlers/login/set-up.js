// SPDX-License-Identifier: Apache-2.0
/**
 * The login page without a handler, although the proxy does the sign-in: EspoCRM 9.2.0 to 9.3.1 forgets what its
 * server said about the login as soon as somebody is logged in, so the page that follows a session has only the
 * password form. Other versions make the handler themselves.
 */
define('modules/oidc-proxy/handlers/login/set-up', [], function () {

    const METHOD = 'Oidc';
    const HANDLER = 'modules/oidc-proxy/handlers/login/oidc-proxy';

    return class {

        process(view) {
            if (
                view.handler ||
                (view.getConfig().get('loginData') || {}).handler ||
                !view.getHelper().getAppParam('oidcProxy')
            ) {
                return null;
            }

            return Espo.loader.requirePromise(HANDLER).then(Handler => {
                view.method = METHOD;
                // The proxy's sign-in cannot be on without it.
                view.fallback = true;

                view.signInText = view.getLanguage().has(METHOD, 'signInLabels', 'Global') ?
                    view.translate(METHOD, 'signInLabels') :
                    view.translate('Sign in');

                const handler = new Handler(view, {});

                view.handler = handler.isOn() ? handler : null;
            });
        }
    };
});
