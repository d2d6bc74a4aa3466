// SPDX-License-Identifier: Apache-2.0
// Who may not sign in gets a page that says why, and what to do.
import assert from 'node:assert/strict';

import {
  fillProvider, picture, refusal, scenario, signedIn, signIn,
} from '../browser.mjs';
import { secrets } from '../environment.mjs';
import { api, findUser, settings, withSettings } from '../espocrm.mjs';
import { useProvider } from '../stage.mjs';

const settingsField = (page, name) => page.locator(`.cell[data-name="${name}"] .field`);

// Afresh: what is entered and not saved is left.
async function openSettings(page) {
  const leave = (dialog) => dialog.accept();
  page.on('dialog', leave);
  await page.goto(`${new URL(page.url()).origin}/#Admin/authentication`);
  await page.reload();
  page.off('dialog', leave);
  await settingsField(page, 'authenticationMethod').waitFor({ state: 'attached' });
  if (!await settingsField(page, 'oidcProxy').isVisible()) await page.locator('button:has-text("OIDC")').first().click();
  await settingsField(page, 'oidcProxy').waitFor();
}

// No visible field of the method has an empty place at its left.
async function assertNoHoles(page) {
  const holes = await page.evaluate(() => [...document.querySelectorAll('.panel[data-name="Oidc"] .row')]
    .map((row) => [...row.querySelectorAll(':scope > .cell')].filter((cell) => cell.offsetWidth > 0)
      .map((cell) => [cell.dataset.name, cell.offsetHeight > 0 && !cell.classList.contains('hidden-cell')]))
    .filter((row) => row.length > 1 && !row[0][1] && row[1][1]));
  assert.deepEqual(holes, []);
}

async function save(page) {
  const [answer] = await Promise.all([
    page.waitForResponse((r) => r.request().method() === 'PUT'),
    page.click('[data-action="save"]'),
  ]);
  return answer;
}

// What the administrator sees of the extension; saving it keeps the secret where it is.
async function settingsPanel(page) {
  await page.setViewportSize({ width: 1100, height: 1100 });
  await openSettings(page);
  const field = (name) => settingsField(page, name);
  for (const [name, visible] of Object.entries({
    oidcProxyAutoSignIn: true, oidcProxySecret: true, oidcFallback: true, oidcUsernameClaim: true,
    oidcProxyProviderIssuer: true, oidcProxyTakeOver: true, oidcProxyUnverifiedEmail: true,
    oidcClientId: false, oidcTokenEndpoint: false, oidcScopes: false,
  })) {
    assert.equal(await field(name).isVisible(), visible,
      `${name}: wrongly ${visible ? 'hidden' : 'shown'}`);
  }
  await page.locator('.oidc-proxy-secret').waitFor();
  assert.equal(await page.innerText('.oidc-proxy-secret'), 'A secret is stored.');
  await assertNoHoles(page);
  const order = await page.$$eval('.panel[data-name="Oidc"] .cell:not(.hidden-cell)',
    (cells) => cells.filter((cell) => cell.offsetHeight > 0).map((cell) => cell.dataset.name));
  assert.deepEqual(order.slice(0, 5), ['oidcProxy', 'oidcProxyAutoSignIn', 'oidcProxySecret',
    'oidcProxyProviderIssuer', 'oidcProxyPublicKeys'], 'the switch and what it needs are not the first');
  await picture(page, 'settings-panel', { x: 0, y: 0, width: 770, height: 960 });

  await page.fill('.field[data-name="oidcProxyPublicKeys"] textarea', 'no key');
  assert.equal((await save(page)).status(), 400);
  await page.waitForSelector('text=Proxy Public Keys cannot be read');
  await page.fill('.field[data-name="oidcProxyPublicKeys"] textarea', '');
  await page.click('.field[data-name="oidcProxySecret"] [data-action="change"]');
  await page.fill('.field[data-name="oidcProxySecret"] input', 'too short');
  await page.click('[data-action="save"]');
  await page.waitForSelector('text=Proxy Secret has fewer than 32 characters');

  await openSettings(page);
  await page.fill('.field[data-name="oidcLogoutUrl"] input', '/oidc/logout/');
  const answer = await save(page);
  assert.equal(answer.status(), 200, 'the settings cannot be saved');
  assert.ok(!(await answer.text()).includes(secrets.assertion), 'the answer has the secret');
  await settings({ oidcLogoutUrl: '/oidc/logout' });
}

// What the button finds: pairs of state and text, the worst first.
async function testSettings(page) {
  await openSettings(page);
  await page.click('[data-action="oidcProxyTest"]');
  await page.waitForSelector('.oidc-proxy-finding');
  return page.$$eval('.oidc-proxy-finding', (rows) => rows.map((row) => [row.dataset.state, row.innerText]));
}

async function testButton(page, issuer) {
  const found = await testSettings(page);
  const told = JSON.stringify(found, null, 1);
  assert.deepEqual(found.filter(([state]) => state === 'error'), [], told);
  for (const text of ['The reverse proxy does the sign-in.', 'Site URL is the address in the browser.',
    'The connection is secure, and EspoCRM knows it.', 'The proxy names the session of each request.',
    `The assertion of the proxy arrives and is genuine. It names admin of ${issuer}.`,
    'The clocks of proxy and EspoCRM agree.']) {
    assert.ok(found.some(([state, words]) => state === 'ok' && words === text), `${text}\n${told}`);
  }
  await withSettings({ oidcProxySecret: 'x'.repeat(40) }, { oidcProxySecret: secrets.assertion }, async () => {
    const [[state, text]] = await testSettings(page);
    await picture(page, 'settings-test', { x: 165, y: 0, width: 935, height: 760 });
    assert.equal(state, 'error');
    assert.match(text, /Proxy Secret must equal the line in the key file of the proxy/);
  });
  await withSettings({ siteUrl: 'https://elsewhere.example', oidcProxyProviderIssuer: `${issuer}/x` },
    { siteUrl: new URL(page.url()).origin, oidcProxyProviderIssuer: null }, async () => {
      const wrong = await testSettings(page);
      const errors = wrong.filter(([state]) => state === 'error').map(([, text]) => text).join('\n');
      assert.match(errors, /Site URL is https:\/\/elsewhere.example, but this page was opened at/);
      assert.match(errors, /Provider Issuer is .*\/x, but the proxy signs users of/);
    });
}

// Switched on where EspoCRM is as it was delivered.
const prefilledSettings = (page) => withSettings(
  { oidcProxy: false, oidcUsernameClaim: 'sub', oidcLogoutUrl: null },
  { oidcProxy: true, oidcUsernameClaim: 'preferred_username', oidcLogoutUrl: '/oidc/logout' },
  async () => {
    await openSettings(page);
    const value = (name) => page.inputValue(`.field[data-name="${name}"] input`);
    const toggle = () => page.click('.field[data-name="oidcProxy"] input');
    assert.equal(await settingsField(page, 'oidcClientId').isVisible(), true);
    await assertNoHoles(page);
    await toggle();
    await settingsField(page, 'oidcClientId').waitFor({ state: 'hidden' });
    assert.deepEqual([await value('oidcUsernameClaim'), await value('oidcLogoutUrl')],
      ['preferred_username', '/oidc/logout']);
    await toggle();
    await settingsField(page, 'oidcClientId').waitFor();
    assert.deepEqual([await value('oidcUsernameClaim'), await value('oidcLogoutUrl')], ['sub', '']);
    await page.fill('.field[data-name="oidcUsernameClaim"] input', 'email');
    await toggle();
    assert.deepEqual([await value('oidcUsernameClaim'), await value('oidcLogoutUrl')], ['email', '/oidc/logout']);
  });

export function refusalCases() {
  async function refused(page, user, status, reason, words) {
    const { origin, account } = await useProvider('authelia');
    const seen = await refusal(page, async () => {
      await page.goto(`${origin}/#Account/view/${account.id}`);
      await fillProvider(page, user);
    });
    assert.deepEqual([seen.status, seen.reason], [status, reason], seen.text);
    assert.match(seen.text, words);
    assert.equal(await page.evaluate(() => localStorage.getItem('espo-user-auth')), null);
    const retry = new URL(await page.getAttribute('#retry', 'href'), origin);
    assert.equal(retry.searchParams.get('return_to'), `/#Account/view/${account.id}`);
    return origin;
  }

  scenario('unknown user while none is created: a page that says so', ({ page }) => withSettings(
    { oidcCreateUser: false }, { oidcCreateUser: true },
    async () => {
      await refused(page, 'stranger', 403, 'no-user', /Create User/);
      await picture(page, 'error-page', { x: 200, y: 30, width: 700, height: 570 });
      assert.equal(await findUser('stranger'), undefined, 'the user was created');
    }));

  scenario('inactive user', async ({ page }) => {
    const user = await findUser('idle')
      ?? await api('POST', 'User', { userName: 'idle', lastName: 'Idle', type: 'regular' });
    await api('PUT', `User/${user.id}`, { isActive: false });
    await refused(page, 'idle', 403, 'inactive', /not active|inactive/i);
  });

  scenario('administrator, while administrators may not', async ({ page }) => {
    await refused(page, 'admin', 403, 'admin', /Allow OIDC login for admin users/);
  });

  const adminsMay = (run) => withSettings(
    { oidcAllowAdminUser: true }, { oidcAllowAdminUser: false }, run);

  scenario('administrator, once administrators may: the password, once', ({ page, context }) => adminsMay(async () => {
    const origin = await refused(page, 'admin', 403, 'admin-unbound', /owner of the user .admin./);
    await picture(page, 'bind-page', { x: 200, y: 30, width: 700, height: 730 });
    await page.fill('#bind input[name=password]', 'wrong');
    await page.click('#bind button');
    await page.waitForFunction(() => /wrong/.test(document.getElementById('bind-note').textContent));
    assert.ok(!(await findUser('admin')).oidcProxySubject, 'a wrong password binds');
    await page.fill('#bind input[name=password]', 'admin');
    await page.click('#bind button');
    await signedIn(page);
    assert.equal(new URL(page.url()).hash.split('/')[0], '#Account', 'the page asked for is lost');
    assert.ok((await findUser('admin')).oidcProxySubject);
    await context.clearCookies();
    await page.evaluate(() => localStorage.clear());
    // a new page: the one that is there would wait for a click when its own request finds the end
    await page.goto('about:blank');
    await signIn(page, `${origin}/#Admin`, 'admin');
    await page.waitForSelector('.admin-tables-container, .admin-content');
  }));

  scenario('an administrator sees whose user it is, and releases it', ({ page }) => adminsMay(async () => {
    const { origin, provider } = await useProvider('authelia');
    const stranger = await findUser('carl') ?? await api('POST', 'User', { userName: 'carl', lastName: 'Carl' });
    await api('PUT', `User/${stranger.id}`, { oidcProxyIssuer: provider.issuer, oidcProxySubject: 'Sub-Ject' });
    assert.ok((await findUser('admin')).oidcProxySubject, 'the case before this one has bound the administrator');
    await signIn(page, `${origin}/#User/view/${stranger.id}`, 'admin');
    const field = (name) => page.locator(`.side .field[data-name="${name}"]`);
    await field('oidcProxySubject').waitFor();
    assert.equal((await field('oidcProxySubject').innerText()).trim(), 'Sub-Ject');
    assert.equal((await field('oidcProxyIssuer').innerText()).trim(), provider.issuer);
    await picture(page, 'subject', { x: 735, y: 120, width: 365, height: 530 });
    await page.click('.detail-button-container .dropdown-toggle');
    await page.click('a[data-name="oidcProxyRelease"], a[data-action="oidcProxyRelease"]');
    await page.waitForSelector('.modal-dialog');
    await page.click('.modal-dialog [data-name="confirm"]');
    await page.waitForFunction(() => !document.querySelector('.modal-dialog'));
    for (let i = 0; i < 50 && (await findUser('carl')).oidcProxySubject; i++) await page.waitForTimeout(100);
    await page.goto(`${origin}/#User/edit/${stranger.id}`);
    await page.fill('.side .field[data-name="oidcProxyIssuer"] input', provider.issuer);
    await page.click('[data-name="save"], [data-action="save"]');
    await page.waitForSelector('.toast, #notification, .alert-danger');
    assert.equal((await findUser('carl')).oidcProxyIssuer, null, 'an issuer without a subject is taken');
    const released = await findUser('carl');
    assert.deepEqual([released.oidcProxySubject, released.oidcProxyIssuer], [null, null]);
  }));

  scenario('a user who is there already, and nobody takes over', async ({ page }) => {
    await settings({ oidcProxyTakeOver: 'never' });
    await refused(page, 'carl', 403, 'name-taken', /Existing|existing/);
    await settings({ oidcProxyTakeOver: 'username' });
    await page.click('#retry');
    await signedIn(page);
    assert.ok((await findUser('carl')).oidcProxySubject, 'not taken over');
    await page.goto(`${new URL(page.url()).origin}/#User/view/${(await findUser('carl')).id}`);
    await page.waitForSelector('.side .field[data-name="createdAt"], .detail .field[data-name="userName"]');
    assert.equal(await page.locator('.field[data-name="oidcProxySubject"]').count(), 0, 'shown to its user');
    await settings({ oidcProxyTakeOver: 'never' });
  });

  scenario('portal user', async ({ page }) => {
    if (!await findUser('customer')) {
      await api('POST', 'User', { userName: 'customer', lastName: 'Customer', type: 'portal' });
    }
    await refused(page, 'customer', 403, 'portal-user', /portal/i);
  });

  scenario('maintenance mode', ({ page }) => withSettings(
    { maintenanceMode: true }, { maintenanceMode: false },
    () => refused(page, 'carl', 503, 'maintenance', /maintenance/i)));

  scenario('wrong secret: the page says what to check, and trying again works',
    async ({ page }) => {
      await withSettings(
      { oidcProxySecret: 'x'.repeat(40) }, { oidcProxySecret: secrets.assertion },
      () => refused(page, 'carl', 403, 'signature', /Proxy Secret/));
    await page.click('#retry');
    await signedIn(page);
  });

  scenario('sign-in cancelled at the provider', async ({ page }) => {
    const { origin } = await useProvider('authelia');
    await page.goto(`${origin}/#Account`);
    await page.click('button[name=cancel]');
    await page.waitForURL((url) => url.origin === origin);
    assert.match(await page.innerText('h1'), /cancelled or not allowed/);
    await picture(page, 'cancelled', { x: 150, y: 0, width: 800, height: 760 });
    await page.click('text="Start again"');
    await fillProvider(page, 'carl');
    await signedIn(page);
  });

  scenario('password of an administrator, by the link on the error page', async ({ page }) => {
    await refused(page, 'admin', 403, 'admin', /./);
    await page.click('text=Sign in with a password');
    await page.waitForSelector('#field-userName', { state: 'visible' });
    await page.fill('#field-userName', 'admin');
    await page.fill('#field-password', 'wrong');
    const answer = page.waitForResponse((r) => r.url().includes('/api/v1/App/user'));
    await page.click('#btn-login');
    assert.equal((await answer).status(), 401, 'a wrong password is taken');
    await page.fill('#field-password', 'admin');
    await page.click('#btn-login');
    await signedIn(page);
    await settingsPanel(page);
    await testButton(page, (await useProvider('authelia')).provider.issuer);
    await prefilledSettings(page);
  });

  scenario('the address of the password form, from a browser that nobody has signed in', async ({ page }) => {
    const { origin } = await useProvider('authelia');
    await page.goto(`${origin}/?signIn=password`);
    await fillProvider(page, 'carl');
    await page.waitForSelector('#field-userName', { state: 'visible' });
    await page.fill('#field-userName', 'admin');
    await page.fill('#field-password', 'admin');
    await page.click('#btn-login');
    await signedIn(page);
    assert.equal(await page.evaluate(() => atob(localStorage.getItem('espo-user-auth')).split(':')[0]),
      'admin', 'the user of the provider was signed in instead');
  });

  scenario('automatic sign-in off: a button', ({ page }) => withSettings(
    { oidcProxyAutoSignIn: false }, { oidcProxyAutoSignIn: true },
    async () => {
      const { origin } = await useProvider('authelia');
      await page.goto(`${origin}/#Account`);
      await fillProvider(page, 'carl');
      await signedIn(page);
      await page.evaluate(() => localStorage.clear());
      const callbacks = [];
      page.on('request', (r) => r.url().includes('oauth-callback.php') && callbacks.push(r.url()));
      await page.reload();
      await page.waitForSelector('#sign-in');
      await page.waitForTimeout(1000);
      assert.deepEqual(callbacks, []);
      await page.click('#sign-in');
      await signedIn(page);
      assert.equal(page.url(), `${origin}/#Account`);
    }));

  scenario('sign-in that does not help is not repeated for ever', async ({ page }) => {
    const { origin } = await useProvider('authelia');
    const callbacks = [];
    page.on('request', (r) => r.url().includes('oauth-callback.php') && callbacks.push(r.url()));
    // The callback succeeds, but the API never takes the token.
    await page.route('**/api/v1/App/user**', (route) => route.fulfill({ status: 401, body: '' }));
    await page.goto(`${origin}/`);
    await fillProvider(page, 'carl');
    await page.waitForSelector('#sign-in');
    await page.waitForTimeout(4000);
    // the provider's answer and one more
    assert.ok(callbacks.length <= 3, callbacks.join('\n'));
  });
}
