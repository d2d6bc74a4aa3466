// SPDX-License-Identifier: Apache-2.0
// A session in several tabs, and one that ends.
import assert from 'node:assert/strict';

import {
  cookie, fillProvider, scenario, signedIn, signIn, WAIT, waitForUrl,
} from '../browser.mjs';
import { HOSTS, patience } from '../environment.mjs';
import { api, isBefore, withSettings } from '../espocrm.mjs';
import { basic, cookieHeader, fetchSite } from '../http.mjs';
import { useProvider } from '../stage.mjs';

const USER = 'carl';
const SHORT = { timeout: `${12 * patience}s` };
const record = (origin, account) => `${origin}/#Account/view/${account.id}`;
const shows = (page, name) => page.waitForSelector(`.header-title:has-text("${name}")`);

// EspoCRM finds out with its next request, at the latest with its poll after 10 seconds.
const refusedRequest = (page) => page.waitForResponse(
  (r) => r.url().includes('/api/v1/') && r.status() === 401, { timeout: WAIT });

// As of EspoCRM 8.4, which is long before anything was lost.
async function hasSetupHandlers(t) {
  if (!await isBefore(8, 4)) return true;
  t.skip('EspoCRM before 8.4 has no set-up handlers of the login page, and forgets nothing');
  return false;
}

// What EspoCRM 9.2.0 to 9.3.1 loses as soon as somebody is signed in; other versions keep it. Runs in
// the page.
function forgetLogin() {
  const { open } = XMLHttpRequest.prototype;
  const text = Object.getOwnPropertyDescriptor(XMLHttpRequest.prototype, 'responseText');
  XMLHttpRequest.prototype.open = function openNoting(...request) {
    this.isSettings = /api\/v1\/Settings$/.test(request[1]);
    return open.apply(this, request);
  };
  Object.defineProperty(XMLHttpRequest.prototype, 'responseText', {
    get() {
      const value = text.get.call(this);
      if (!this.isSettings || !value) return value;
      const { loginData, ...rest } = JSON.parse(value);
      window.hasForgotten = Boolean(loginData?.handler);
      return JSON.stringify(rest);
    },
  });
}

export function sessionCases() {
  scenario('reload stays on the record', async ({ page }) => {
    const { origin, account } = await useProvider('authelia');
    await signIn(page, record(origin, account), USER);
    await shows(page, account.name);
    await page.reload();
    await shows(page, account.name);
    assert.equal(page.url(), record(origin, account));
  });

  scenario('two tabs share the sign-in', async ({ page, context }) => {
    const { origin, account } = await useProvider('authelia');
    await signIn(page, `${origin}/#Lead`, USER);
    const token = (await cookie(context, 'auth-token')).value;
    const other = await context.newPage();
    await other.goto(record(origin, account));
    await shows(other, account.name);
    // a whole sign-in in the second tab does not end the first one's
    await other.goto(`${origin}/oauth-callback.php?return_to=${encodeURIComponent('/#Lead')}`);
    await signedIn(other);
    await waitForUrl(other, `${origin}/#Lead`);
    assert.equal((await cookie(context, 'auth-token')).value, token, 'the token has changed');
    await page.click('a[href="#Account"] >> visible=true');
    await page.waitForSelector('.list-container table');
    assert.equal(page.url(), `${origin}/#Account`);
  });

  scenario('back button goes through the pages of EspoCRM and never repeats a sign-in',
    async ({ page }) => {
    const { origin, account } = await useProvider('authelia');
    await page.goto(`${origin}/signed-out`);
    await signIn(page, `${origin}/#Account`, USER);
    await page.waitForSelector('.list-container table');
    await page.click(`text="${account.name}"`);
    await shows(page, account.name);
    await page.goBack();
    await page.waitForSelector('.list-container table');
    assert.equal(page.url(), `${origin}/#Account`);
    // back over the sign-in: never a page that says that the assertion was used already
    const answers = [];
    page.on('response', (r) => answers.push([r.status(), r.url()]));
    for (let i = 0; i < 3; i++) await page.goBack().catch(() => {});
    assert.deepEqual(answers.filter(([status]) => status === 403), []);
    await page.goto(record(origin, account));
    await shows(page, account.name);
  });

  scenario('session that ends at its time: a click comes back to the record',
    async ({ page, context }) => {
    const { origin, account } = await useProvider('authelia', SHORT);
    await signIn(page, record(origin, account), USER);
    await shows(page, account.name);
    const before = await cookie(context, '__Host-NGX_OIDC_SESSION');
    await refusedRequest(page);
    await Promise.all([
      page.waitForRequest((r) => r.url().includes('/api/oidc/authorization')),
      page.click('#sign-in'),
    ]);
    await signedIn(page);
    await shows(page, account.name);
    assert.equal(page.url(), record(origin, account));
    const after = await cookie(context, '__Host-NGX_OIDC_SESSION');
    assert.notEqual(after.value, before.value, 'there is no new session');
  });

  scenario('EspoCRM 9.2.0 to 9.3.1, which forgets how to log in: the page comes back by itself',
    async ({ page, context, t }) => {
    if (!await hasSetupHandlers(t)) return;
    const { origin, account } = await useProvider('authelia');
    await page.addInitScript(forgetLogin);
    await signIn(page, record(origin, account), USER);
    await shows(page, account.name);
    assert.ok(await page.evaluate(() => window.hasForgotten), 'EspoCRM has another way to say it');
    await context.clearCookies({ name: '__Host-NGX_OIDC_SESSION' });
    await Promise.all([
      page.waitForRequest((r) => r.url().includes('/oauth-callback.php')),
      page.click('a[href="#Account"] >> visible=true'),
    ]);
    await signedIn(page);
    await page.waitForSelector(`.list-container >> text="${account.name}"`);
    assert.equal(page.url(), `${origin}/#Account`);
  });

  scenario('EspoCRM 9.2.0 to 9.3.1, automatic sign-in off: the button, and the password form',
    ({ page, context, t }) => withSettings(
      { oidcProxyAutoSignIn: false }, { oidcProxyAutoSignIn: true }, async () => {
        if (!await hasSetupHandlers(t)) return;
        const { origin, account } = await useProvider('authelia');
        await page.addInitScript(forgetLogin);
        await signIn(page, record(origin, account), USER);
        await shows(page, account.name);
        // its poll may come at once
        await Promise.all([
          refusedRequest(page),
          context.clearCookies({ name: '__Host-NGX_OIDC_SESSION' }),
        ]);
        await page.waitForSelector('#sign-in');
        assert.equal(await page.innerText('#sign-in'), 'Sign in');
        await page.click('a[data-action="showFallback"]');
        await page.waitForSelector('#field-userName', { state: 'visible' });
        await page.click('#sign-in');
        await signedIn(page);
        await shows(page, account.name);
      }));

  scenario('session that ends everywhere: sign-in at the provider, then the same record',
    async ({ page, context }) => {
    const { origin, account } = await useProvider('authentik', SHORT);
    await signIn(page, record(origin, account), 'berta');
    await shows(page, account.name);
    await context.clearCookies({ domain: HOSTS.authentik });
    await page.click('#sign-in');
    await fillProvider(page, 'berta');
    await signedIn(page);
    await shows(page, account.name);
    assert.equal(page.url(), record(origin, account));
  });

  scenario('session that ends under unsaved edits: the form stays and can be saved',
    async ({ page, context }) => {
    const { origin, account } = await useProvider('authelia', SHORT);
    await signIn(page, `${origin}/#Account/edit/${account.id}`, USER);
    const text = `edited ${Date.now()}`;
    const field = page.locator('.field[data-name="description"] textarea');
    await field.fill(text);
    await field.press('Tab');
    await refusedRequest(page);
    await page.waitForSelector('.oidc-proxy-bar');
    assert.equal(await field.inputValue(), text, 'the edits are gone');
    // signing in in a second tab makes the first one work again
    const other = await context.newPage();
    await other.goto(`${origin}/#Account`);
    await signedIn(other);
    const [answer] = await Promise.all([
      page.waitForResponse((r) => r.request().method() === 'PUT'),
      page.click('[data-action="save"] >> visible=true'),
    ]);
    assert.equal(answer.status(), 200, 'the edited record could not be saved');
    assert.equal((await api('GET', `Account/${account.id}`)).description, text);
  });

  scenario('polling does not keep an idle session alive, work does', async ({ page, context }) => {
    const { origin } = await useProvider('authelia', { idle: `${5 * patience}s` });
    await signIn(page, `${origin}/`, USER);
    await page.goto('about:blank');
    const cookies = await context.cookies(origin);
    const auth = basic(USER, cookies.find((c) => c.name === 'auth-token').value);
    const headers = {
      Cookie: cookieHeader(cookies),
      Authorization: `Basic ${auth}`,
      'Espo-Authorization': auth,
      'Espo-Authorization-By-Token': 'true',
      'Sec-Fetch-Mode': 'cors',
      'Sec-Fetch-Site': 'same-origin',
    };
    const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
    const work = () => fetchSite(origin, '/api/v1/Account?maxSize=1', { headers });
    for (const until = Date.now() + 7500 * patience; Date.now() < until; await pause(500)) {
      assert.equal((await work()).status, 200, 'the session ended in spite of its use');
    }
    const since = Date.now();
    for (;;) {
      const answers = await Promise.all([
        '/api/v1/Notification/action/notReadCount', '/api/v1/PopupNotification/action/grouped',
      ].map((path) => fetchSite(origin, path, { headers })));
      if (answers.every(({ status }) => status === 401)) break;
      assert.ok(Date.now() - since < 15000 * patience, 'polling keeps the session alive');
      await pause(250);
    }
    assert.equal((await work()).status, 401);
  });

  scenario('file link opened without a session: sign-in, then the file',
    async ({ page, context }) => {
    const { origin, account } = await useProvider('authelia');
    const text = `contents ${Date.now()}`;
    const file = await api('POST', 'Attachment', {
      name: 'note.txt', type: 'text/plain', role: 'Attachment', relatedType: 'Document',
      field: 'file',
      file: `data:text/plain;base64,${Buffer.from(text).toString('base64')}`,
    });
    await api('POST', 'Document', {
      name: 'Note', fileId: file.id, fileName: 'note.txt', status: 'Active',
      publishDate: '2026-01-01',
      accountsIds: [account.id],
    });
    const url = `${origin}/?entryPoint=download&id=${file.id}`;
    await page.goto(url);
    await fillProvider(page, USER);
    await page.waitForSelector(`text="${text}"`);
    assert.equal(page.url(), url);
    // EspoCRM does not know the browser any more, the proxy does
    await context.clearCookies({ name: /^auth-token/ });
    await page.goto(url);
    await page.waitForSelector(`text="${text}"`);
    assert.equal(page.url(), url);
  });
}
