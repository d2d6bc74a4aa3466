// SPDX-License-Identifier: Apache-2.0
/**
 * An administrator releases a user: it belongs to no subject afterwards, and the next sign-in follows the rules of a
 * first one.
 */
define('modules/oidc-proxy/handlers/user/release', [], function () {

    return class {

        constructor(view) {
            this.view = view;
        }

        isAvailable() {
            return this.view.getUser().isAdmin() && !!this.view.model.get('oidcProxySubject');
        }

        async release() {
            const view = this.view;

            await view.confirm(view.translate('oidcProxyRelease', 'messages', 'User'));

            Espo.Ui.notify(' ... ');

            await view.model.save({oidcProxyIssuer: null, oidcProxySubject: null}, {patch: true});

            Espo.Ui.success(view.translate('Done'));
        }
    };
});
