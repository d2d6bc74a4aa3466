// SPDX-License-Identifier: Apache-2.0
/**
 * Whether the page holds something that somebody has entered and that would be lost with the page: text in any field,
 * a file that was added, and what EspoCRM itself asks about before it leaves a page.
 */
(function () {

    const page = window.oidcProxyPage;

    const TEXT = 'textarea, input:not([type]), input[type="text"], input[type="email"], input[type="tel"], ' +
        'input[type="url"], input[type="number"], input[type="search"], [contenteditable]';
    const ATTACHMENTS = /^Attachment(\/|$)/;

    /** What stood in a field before somebody wrote there. @type {Map<Element, string>} */
    const before = new Map();
    /** Fields that somebody has written in. @type {Set<Element>} */
    const written = new Set();
    /** Where files were added that nothing has been saved with yet. @type {Set<Element>} */
    const files = new Set();

    const read = field => 'value' in field ? field.value : field.innerHTML;

    const findField = target => target instanceof Element ? target.closest(TEXT) : null;

    const forgetGone = () => {
        [before, written, files].forEach(it => it.forEach((_, key) => key.isConnected || it.delete(key)));
    };

    const noteFiles = event => {
        if (event.target instanceof Element) {
            // The input itself is replaced by EspoCRM.
            files.add(event.target.closest('.modal-dialog, .panel, .record') || document.body);
        }
    };

    document.addEventListener('focusin', event => {
        const field = findField(event.target);

        if (field && !written.has(field)) {
            forgetGone();
            before.set(field, read(field));
        }
    }, true);

    document.addEventListener('input', event => {
        const field = findField(event.target);

        if (field && event.isTrusted) {
            written.add(field);
        }
    }, true);

    document.addEventListener('change', event => event.target.type === 'file' && noteFiles(event), true);

    document.addEventListener('drop', event =>
        event.dataTransfer && event.dataTransfer.files.length && noteFiles(event), true);

    document.addEventListener('paste', event =>
        event.clipboardData && event.clipboardData.files.length && noteFiles(event), true);

    page.watch({
        answered: (xhr, {method, path}) => {
            if (method !== 'GET' && xhr.status >= 200 && xhr.status < 300 && !ATTACHMENTS.test(path)) {
                files.clear();
            }
        },
    });

    /** EspoCRM objects to leaving a page exactly while there is something to be saved. Nobody is asked. */
    const isEspoCrmAgainstLeaving = () =>
        !window.dispatchEvent(new Event('beforeunload', {cancelable: true}));

    page.hasEntered = () => {
        forgetGone();

        return files.size > 0 ||
            [...written].some(field => read(field) !== (before.get(field) || '')) ||
            isEspoCrmAgainstLeaving();
    };
})();
