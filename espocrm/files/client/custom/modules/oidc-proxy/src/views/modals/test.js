// SPDX-License-Identifier: Apache-2.0
/**
 * What is wrong with the sign-in by the proxy, and what to do. An administrator's browser is where it can be seen: it
 * knows the address that people open, and its requests come through the proxy.
 */
define('modules/oidc-proxy/views/modals/test', ['views/modal'], function (Dep) {

    const ModalView = Dep.default || Dep;

    const CALLBACK = 'oauth-callback.php';
    const HEADER = 'X-Espo-Oidc-Proxy-Test';
    const ICONS = {
        error: 'fas fa-times-circle text-danger',
        warning: 'fas fa-exclamation-triangle text-warning',
        ok: 'fas fa-check-circle text-success',
    };

    return class extends ModalView {

        templateContent = '<div class="oidc-proxy-findings" role="status"></div>'
        backdrop = true

        setup() {
            super.setup();

            this.headerText = this.translate('title', 'test', 'OidcProxy');
            this.buttonList = [{name: 'cancel', label: 'Close'}];

            this.wait(this.find().then(findings => this.findings = findings));
        }

        afterRender() {
            super.afterRender();

            const list = this.element.querySelector('.oidc-proxy-findings');

            this.findings.forEach(item => list.append(compose(item)));
        }

        /** @private */
        async find() {
            try {
                const {ticket} = await Espo.Ajax.getRequest('OidcProxy/state');
                const probe = ticket ? await this.probe(ticket) : undefined;
                const url = window.location.href;

                return (await Espo.Ajax.postRequest('OidcProxy/test',
                    {url, probe, clock: Math.floor(Date.now() / 1000)})).checks;
            } catch (xhr) {
                xhr.errorIsHandled = true;

                return [{state: 'error', text: this.translate('failed', 'test', 'OidcProxy'),
                    detail: xhr.status ? `${xhr.status} ${xhr.getResponseHeader('X-Status-Reason') || ''}` : ''}];
            }
        }

        /**
         * The request that the login page makes, marked so that it signs nobody in.
         *
         * @private
         */
        async probe(ticket) {
            const url = new URL(this.getBasePath() + CALLBACK, window.location.href);

            try {
                const response = await fetch(url, {
                    headers: {[HEADER]: ticket, 'X-Requested-With': 'XMLHttpRequest', 'Accept': 'application/json'},
                    cache: 'no-store',
                    redirect: 'manual',
                });

                return {status: response.status, data: await response.json().catch(() => null)};
            } catch {
                return {status: 0, data: null};
            }
        }
    };

    function compose({state, text, detail}) {
        const row = document.createElement('div');
        const icon = document.createElement('span');
        const body = document.createElement('div');

        row.className = 'oidc-proxy-finding';
        row.dataset.state = state;
        icon.className = ICONS[state];
        body.textContent = text;

        if (detail) {
            const small = document.createElement('div');

            small.className = 'text-muted small';
            small.textContent = detail;
            body.append(small);
        }

        row.append(icon, body);

        return row;
    }
});
