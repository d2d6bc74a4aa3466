// SPDX-License-Identifier: Apache-2.0
/**
 * Whether the page holds something that somebody has entered and that would be lost with the page: text in any field,
 * a file that was added, what was chosen in a dialog, and what EspoCRM itself asks about before it leaves a page.
 */
(function () {

    const page = window.oidcProxyPage;

    const TEXT = 'textarea, input:not([type]), input[type="text"], input[type="email"], input[type="tel"], ' +
        'input[type="url"], input[type="number"], input[type="search"], [contenteditable]';
    /** What is chosen from and no text. */
    const CHOICE = 'select, input, .selectize-control, .selectize-dropdown, .input-group-btn, .datepicker';
    const DIALOG = '.modal-dialog';
    /** What sends something, or gives it up. */
    const ACTION = 'a, button, [role="button"]';
    const ATTACHMENTS = /^Attachment(\/|$)/;
    /** So long after somebody has pressed something a request is taken for its effect. */
    const PRESSED_PERIOD = 10 * 1000;

    /** What stood in a field before somebody wrote there. @type {Map<Element, string>} */
    const before = new Map();
    /** Fields that somebody has written in. @type {Set<Element>} */
    const written = new Set();
    /** Where files were added that nothing has been saved with yet. @type {Set<Element>} */
    const files = new Set();
    /** Dialogs that somebody has entered or chosen something in. EspoCRM itself does not ask about them. @type {Set<Element>} */
    const dialogs = new Set();
    /** When somebody last pressed something while the page held what was entered, in milliseconds since 1970. */
    let pressedAt = 0;

    const read = field => 'value' in field ? field.value : field.innerHTML;

    const findField = target => target instanceof Element ? target.closest(TEXT) : null;

    const forgetGone = () => {
        [before, written, files, dialogs].forEach(it => it.forEach((_, key) => key.isConnected || it.delete(key)));
    };

    const noteFiles = event => {
        if (event.target instanceof Element) {
            // The input itself is replaced by EspoCRM.
            files.add(event.target.closest('.modal-dialog, .panel, .record') || document.body);
        }
    };

    const noteDialog = element => {
        const dialog = element.closest(DIALOG);

        if (dialog) {
            dialogs.add(dialog);
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
            noteDialog(field);
        }
    }, true);

    document.addEventListener('change', event => event.target.type === 'file' && noteFiles(event), true);

    document.addEventListener('drop', event =>
        event.dataTransfer && event.dataTransfer.files.length && noteFiles(event), true);

    document.addEventListener('paste', event =>
        event.clipboardData && event.clipboardData.files.length && noteFiles(event), true);

    document.addEventListener('click', event => {
        const choice = event.isTrusted && event.target instanceof Element && event.target.closest(CHOICE);

        if (choice) {
            noteDialog(choice);
        }
    }, true);

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
            dialogs.size > 0 ||
            [...written].some(field => read(field) !== (before.get(field) || '')) ||
            isEspoCrmAgainstLeaving();
    };

    /** Some forms of EspoCRM are closed, and forgotten, before their content is sent. */
    const notePressed = event => {
        if (event.isTrusted && event.target instanceof Element) {
            pressedAt = page.hasEntered() ? Date.now() : 0;
        }
    };

    // Before EspoCRM hears of it, hence capturing.
    document.addEventListener('click', event => event.target instanceof Element &&
        event.target.closest(ACTION) && notePressed(event), true);

    document.addEventListener('keydown', event =>
        (event.key === 'Enter' || event.ctrlKey || event.metaKey) && notePressed(event), true);

    /** Whether the page has, or has had when somebody pressed what it is doing now. */
    page.hadEntered = () => page.hasEntered() || Date.now() - pressedAt <= PRESSED_PERIOD;
})();
