// SPDX-License-Identifier: Apache-2.0
// "Log Out" ends everything.
import assert from 'node:assert/strict';

import {
  cookie, fillProvider, held, logOut, picture, scenario, signedIn, signIn,
} from '../browser.mjs';
import { activeTokens, api, newToken } from '../espocrm.mjs';
import { basic, cookieHeader, direct, fetchSite } from '../http.mjs';
import { latestSession } from '../identity.mjs';
import { origin } from '../site.mjs';
import { useProvider } from '../stage.mjs';

// A user of EspoCRM belongs to one provider.
const USERS = { authelia: 'carl', authentik: 'berta' };

const END_SESSION = {
  authelia: '/logout',
  authentik: '/application/o/espocrm/end-session/',
};

async function logOutOf(persona, { page, context }) {
  const { provider } = await useProvider(persona);
  const user = USERS[persona];
  await signIn(page, `${origin}/#Account`, user);
  const cookies = await context.cookies(origin);
  const token = cookies.find((c) => c.name === 'auth-token').value;
  const auth = basic(user, token);
  const headers = {
    Cookie: cookieHeader(cookies),
    Authorization: `Basic ${auth}`,
    'Espo-Authorization': auth,
    'Espo-Authorization-By-Token': 'true',
    'Sec-Fetch-Mode': 'cors',
    'Sec-Fetch-Site': 'same-origin',
  };
  const ask = () => fetchSite(origin, '/api/v1/App/user', { headers });
  assert.equal((await ask()).status, 200, 'the session does not work before the logout');
  headers['X-Oidc-Session'] = latestSession();
  assert.equal((await direct('GET', '/api/v1/App/user', undefined, headers)).status, 200);
  const before = (await activeTokens(user)).length;
  provider.requests.length = 0;
  await logOut(page);
  await page.waitForURL((url) => url.pathname === '/signed-out');
  assert.equal((await activeTokens(user)).length, before - 1,
    'the EspoCRM token is still active');
  assert.equal((await direct('GET', '/api/v1/App/user', undefined, headers)).status, 401,
    'EspoCRM still takes the token');
  assert.equal((await ask()).status, 401, 'the old cookies still work');
  for (const name of ['auth-token', 'auth-token-secret', '__Host-NGX_OIDC_SESSION']) {
    assert.equal(await cookie(context, name), undefined, `the cookie ${name} is still there`);
  }
  assert.equal(await page.evaluate(() => localStorage.getItem('espo-user-auth')), null);
  return provider;
}

export function logoutCases() {
  for (const persona of ['authelia', 'authentik']) {
    scenario(`${persona}: Log Out ends the EspoCRM token, the session, and the provider's`,
      async (s) => {
      const provider = await logOutOf(persona, s);
      assert.ok(provider.requests.includes(`GET ${END_SESSION[persona]}`),
        `the provider was not told, only ${provider.requests.join(', ')}`);
      await picture(s.page, 'signed-out', { x: 200, y: 200, width: 700, height: 360 });
      await s.page.click('text=Sign in again');
      await s.page.waitForSelector('input[name=password]');
    });
  }

  scenario('Log Out in one tab: the other tab waits for a click', async ({ page, context }) => {
    await useProvider('authelia');
    await signIn(page, `${origin}/#Account`, 'carl');
    const other = await context.newPage();
    await other.goto(`${origin}/#Lead`);
    await signedIn(other);
    const callbacks = [];
    other.on('request', (r) => r.url().includes('oauth-callback.php') && callbacks.push(r.url()));
    await logOut(page);
    await page.waitForURL((url) => url.pathname === '/signed-out');
    await other.waitForSelector('#sign-in');
    // long enough for EspoCRM's own waiting times, and to show what must not happen
    await other.waitForTimeout(1500);
    assert.deepEqual(callbacks, [], 'the other tab has signed in again');
    assert.equal(new URL(page.url()).pathname, '/signed-out');
    await picture(other, 'login-page', { x: 250, y: 70, width: 600, height: 200 });
    await other.click('#sign-in');
    await fillProvider(other, 'carl');
    await signedIn(other);
    assert.equal(other.url(), `${origin}/#Lead`);
  });

  // "Log Out" of a page whose user is not what he was: it ends everything all the same.
  async function logOutAnyhow({ page, context }, change) {
    const { account } = await useProvider('authelia');
    const id = await newToken('carl',
      () => signIn(page, `${origin}/#Account/view/${account.id}`, 'carl'));
    await page.waitForSelector(`.header-title:has-text("${account.name}")`);
    const before = (await activeTokens('carl')).map((other) => other.id);
    await change(account, id);
    const asked = [];
    page.on('request', (r) => asked.push(new URL(r.url()).pathname));
    await logOut(page);
    await page.waitForURL((url) => url.pathname === '/signed-out');
    assert.ok(asked.includes('/oidc/logout'), asked.join(' '));
    assert.deepEqual((await activeTokens('carl')).map((other) => other.id),
      before.filter((other) => other !== id), 'the EspoCRM token is still active');
    for (const name of ['auth-token', 'auth-token-secret', '__Host-NGX_OIDC_SESSION']) {
      assert.equal(await cookie(context, name), undefined, `the cookie ${name} is still there`);
    }
    assert.equal(await held(page), undefined);
    await page.goto(`${origin}/`);
    await page.waitForSelector('input[name=password]');
  }

  scenario('Log Out after the session has ended, before the page knows', (s) => logOutAnyhow(s,
    () => s.context.clearCookies({ name: '__Host-NGX_OIDC_SESSION' })));

  scenario('Log Out after the session has ended, under unsaved edits that the page has kept',
    (s) => logOutAnyhow(s, async (account) => {
      await s.page.goto(`${origin}/#Account/edit/${account.id}`);
      const field = s.page.locator('.field[data-name="description"] textarea');
      await field.fill('never saved');
      await field.press('Tab');
      await s.context.clearCookies({ name: '__Host-NGX_OIDC_SESSION' });
      await s.page.waitForSelector('.oidc-proxy-bar');
    }));

  scenario('Log Out after EspoCRM\'s token has ended', (s) => logOutAnyhow(s,
    (account, id) => api('PUT', `AuthToken/${id}`, { isActive: false })));

  scenario('Log Out while EspoCRM fails', (s) => logOutAnyhow(s,
    () => s.page.route('**/api/v1/App/destroyAuthToken', (route) => route.fulfill({ status: 502 }))));

  scenario('proxy: Log Out after the session has ended', async ({ page, context }) => {
    await useProvider('authelia', { variant: 'proxy' });
    const id = await newToken('carl', () => signIn(page, `${origin}/#Account`, 'carl'));
    await context.clearCookies({ name: '__Host-NGX_OIDC_SESSION' });
    await logOut(page);
    await page.waitForURL((url) => url.pathname === '/signed-out');
    assert.ok((await activeTokens('carl')).every((other) => other.id !== id));
  });

  scenario('proxy: deep link, then Log Out', async ({ page }) => {
    const { account } = await useProvider('authelia', { variant: 'proxy' });
    await signIn(page, `${origin}/#Account/view/${account.id}`, 'carl');
    await page.waitForSelector(`.header-title:has-text("${account.name}")`);
    await logOut(page);
    await page.waitForURL((url) => url.pathname === '/signed-out');
    await page.goto(`${origin}/`);
    await page.waitForSelector('input[name=password]');
  });
}
