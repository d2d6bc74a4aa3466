// SPDX-License-Identifier: Apache-2.0
/**
 * The secret of the proxy: shows whether one is stored, and says what is wrong before it is sent.
 */
define('modules/oidc-proxy/views/settings/fields/secret', ['views/fields/password'], function (Dep) {

    const PasswordFieldView = Dep.default || Dep;

    const MIN_LENGTH = 32;
    const STORED = 'stored';
    const NONE = 'none';
    const NOTES = {
        stored: 'oidcProxySecretStored',
        short: 'oidcProxySecretTooShort',
        none: 'oidcProxySecretNone',
    };

    return class extends PasswordFieldView {

        setup() {
            super.setup();

            this.validations = [...this.validations, 'proxySecret'];
            this.state = null;

            this.wait(
                Espo.Ajax.getRequest('OidcProxy/state')
                    .then(data => this.state = data.secret)
                    // The form works without it.
                    .catch(xhr => xhr.errorIsHandled = true)
            );
        }

        afterRender() {
            super.afterRender();

            if (!this.isEditMode() || !this.state) {
                return;
            }

            const note = document.createElement('div');

            note.className = `oidc-proxy-secret small ${this.state === STORED ? 'text-success' : 'text-muted'}`;
            note.textContent = this.getMessage(NOTES[this.state]);

            this.element.append(note);

            if (this.state === NONE) {
                // Nothing that could be changed by mistake.
                this.changePassword();
            }
        }

        // noinspection JSUnusedGlobalSymbols
        validateProxySecret() {
            const keys = this.model.get('oidcProxyPublicKeys');

            if (!this.model.get('oidcProxy') || (keys && keys.trim())) {
                return false;
            }

            const text = this.changing ? this.model.get(this.name) || '' : null;

            if (text === null ? this.state === STORED || !this.state : length(text) >= MIN_LENGTH) {
                return false;
            }

            this.showValidationMessage(
                this.getMessage(text || this.state === 'short' ? 'oidcProxySecretTooShort' : 'oidcProxyNeedsSecret')
            );

            return true;
        }

        /** @private */
        getMessage(name) {
            return this.translate(name, 'messages', 'Settings').replace('{length}', MIN_LENGTH);
        }
    };

    /** As the server counts: bytes, without the end of the line. */
    function length(text) {
        return new TextEncoder().encode(text.replace(/[\r\n]+$/, '')).length;
    }
});
