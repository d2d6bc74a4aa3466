// SPDX-License-Identifier: Apache-2.0
/**
 * The switch of the sign-in by the proxy, and a button that tests what is saved. Where it is switched on, fields that are as EspoCRM delivers them get what the
 * templates of the proxy go with; what somebody has entered stays.
 */
define('modules/oidc-proxy/views/settings/fields/switch', ['views/fields/bool'], function (Dep) {

    const BoolFieldView = Dep.default || Dep;

    /** Which values of EspoCRM give way, and to what. */
    const PREFILLED = {
        oidcUsernameClaim: {from: ['', 'sub'], to: 'preferred_username'},
        oidcLogoutUrl: {from: [''], to: '/oidc/logout'},
        oidcFallback: {from: ['', false], to: true},
    };

    /** What the switch needs, directly below it. */
    const FIRST = ['oidcProxy', 'oidcProxySecret', 'oidcProxyPublicKeys'];

    return class extends BoolFieldView {

        setup() {
            super.setup();

            this.validations = [...this.validations, 'fallback'];

            this.addActionHandler('oidcProxyTest', () => this.test());

            this.listenTo(this.model, 'change:oidcProxy', (model, value, options) => {
                if (options && options.ui) {
                    value ? this.prefill() : this.takeBack();
                }
            });
        }

        afterRender() {
            super.afterRender();
            this.putFirst();

            if (!this.isEditMode()) {
                return;
            }

            const button = document.createElement('button');

            button.type = 'button';
            button.className = 'btn btn-default btn-sm oidc-proxy-test';
            button.dataset.action = 'oidcProxyTest';
            button.textContent = this.translate('button', 'test', 'OidcProxy');

            this.element.classList.add('oidc-proxy-switch');
            this.element.append(button);
        }

        /**
         * EspoCRM before 8.4 has no way to arrange the layout on its server.
         *
         * @private
         */
        putFirst() {
            const panel = this.element.closest('.panel-body');
            const cells = FIRST.map(name => panel && panel.querySelector(`.cell[data-name="${name}"]`));

            if (cells.every(cell => cell && cell.parentElement.parentElement === panel)) {
                const rows = cells.map(cell => cell.parentElement);

                if (panel.querySelector('.row') !== rows[0]) {
                    panel.prepend(...rows);
                }
            }
        }

        /** @private */
        test() {
            return this.createView('oidcProxyTest', 'modules/oidc-proxy/views/modals/test')
                .then(view => view.render());
        }

        // noinspection JSUnusedGlobalSymbols
        validateFallback() {
            if (!this.model.get('oidcProxy') || this.model.get('oidcFallback')) {
                return false;
            }

            this.showValidationMessage(this.translate('oidcProxyNeedsFallback', 'messages', 'Settings'));

            return true;
        }

        /** @private */
        prefill() {
            this.before = {};

            for (const name in PREFILLED) {
                const value = this.model.get(name);

                if (PREFILLED[name].from.includes(value === null || value === undefined ? '' : value)) {
                    this.before[name] = value;
                }
            }

            this.model.set(Object.fromEntries(Object.keys(this.before).map(name => [name, PREFILLED[name].to])));
        }

        /**
         * Nothing remains of a switch that was only tried.
         *
         * @private
         */
        takeBack() {
            const names = Object.keys(this.before || {}).filter(name => this.model.get(name) === PREFILLED[name].to);

            this.model.set(Object.fromEntries(names.map(name => [name, this.before[name]])));
            this.before = {};
        }
    };
});
