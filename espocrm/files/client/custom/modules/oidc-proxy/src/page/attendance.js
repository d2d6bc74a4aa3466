// SPDX-License-Identifier: Apache-2.0
/**
 * Whether somebody is there. Requests that the page makes by itself carry a mark, and the proxy does not count them as
 * use of its session: an idle session ends, whatever dashlets and notifications ask for. And while somebody types
 * without any request, a small one says so.
 *
 * A hint, not a right: whoever sends the mark only makes a request count less.
 */
(function () {

    const page = window.oidcProxyPage;

    const MARK = 'X-Espo-Unattended';
    const ALIVE = 'OidcProxy/alive';

    /** So long after somebody's input a request is taken for its effect. */
    const EFFECT_PERIOD = 10 * 1000;

    /** The proxy is told of input at the latest after this time. */
    const ALIVE_INTERVAL = 20 * 1000;

    /** What somebody has clicked at asks the server by itself, mostly. */
    const ALIVE_DELAY = 2 * 1000;

    /** What EspoCRM asks for on a timer, also while somebody works. The proxy never counts them. */
    const POLL = /^(Popup)?Notification\/action\/(notReadCount|grouped)$/;

    // Screen readers and control by voice make clicks and changes without keys and without a pointer.
    const INPUT_LIST = ['keydown', 'pointerdown', 'touchstart', 'wheel', 'input', 'click', 'change', 'paste', 'drop'];

    // Somebody has just opened the page.
    let inputAt = Date.now();
    let usedAt = Date.now();
    let timer = null;

    /** What a request of our own needs. Null as long as nobody is signed in, and where the proxy does not do it. */
    let api = null;

    const sendAlive = () => {
        timer = null;

        const credentials = localStorage.getItem('espo-user-auth');

        if (!api || !credentials || usedAt >= inputAt) {
            return;
        }

        const xhr = new XMLHttpRequest();

        xhr.open('GET', api + ALIVE);
        xhr.setRequestHeader('Authorization', 'Basic ' + credentials);
        xhr.setRequestHeader('Espo-Authorization', credentials);
        xhr.setRequestHeader('Espo-Authorization-By-Token', 'true');
        xhr.send();
    };

    const noteInput = event => {
        if (event && !event.isTrusted) {
            return;
        }

        inputAt = Date.now();

        if (api && timer === null) {
            timer = setTimeout(sendAlive, Math.max(ALIVE_DELAY, usedAt + ALIVE_INTERVAL - inputAt));
        }
    };

    page.onUser((data, request) => {
        api = (data.appParams || {}).oidcProxySession ? request.base : null;
    });

    page.watch({
        sending: (xhr, request) => {
            request.isUnattended = Date.now() - inputAt > EFFECT_PERIOD || POLL.test(request.path);

            if (request.isUnattended) {
                xhr.setRequestHeader(MARK, '1');
            } else {
                usedAt = Date.now();
            }
        },
    });

    INPUT_LIST.forEach(type => window.addEventListener(type, noteInput, {capture: true, passive: true}));

    // A click into a frame, such as the text of an e-mail, is heard of in no other way.
    window.addEventListener('blur', () => {
        if (document.activeElement && document.activeElement.tagName === 'IFRAME') {
            noteInput();
        }
    });

    /** Since when nobody has been there, in milliseconds since 1970. */
    page.getInputTime = () => inputAt;
    page.isAttended = () => Date.now() - inputAt <= EFFECT_PERIOD;
})();
