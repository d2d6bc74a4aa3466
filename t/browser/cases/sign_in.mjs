// SPDX-License-Identifier: Apache-2.0
// What a person sees who signs in, through each provider.
import assert from 'node:assert/strict';

import {
  cookie, fillProvider, picture, scenario, signedIn, signIn, waitForUrl,
} from '../browser.mjs';
import { findUser } from '../espocrm.mjs';
import { useProvider } from '../stage.mjs';

const teamsOf = (record) => Object.values(record.teamsNames).sort();

export function signInCases(persona, user) {
  const at = (what) => `${persona}: ${what}`;

  scenario(at('first sign-in creates the user with name, e-mail address and team'),
    async ({ page, context }) => {
    const { origin, provider } = await useProvider(persona);
    assert.equal(await findUser(user), undefined, 'the user must not exist yet');
    const { given_name: given, family_name: family, email } = provider.user(user);
    await signIn(page, `${origin}/`, user);
    await waitForUrl(page, `${origin}/`);
    const record = await findUser(user);
    assert.ok(record, 'EspoCRM has no such user');
    assert.deepEqual([record.firstName, record.lastName], [given, family]);
    assert.equal(record.emailAddress, email);
    assert.deepEqual(teamsOf(record), ['Sales']);
    assert.equal(record.type, 'regular');
    const session = await cookie(context, '__Host-NGX_OIDC_SESSION');
    assert.ok(session?.secure && session.httpOnly, 'the session cookie is not Secure and HttpOnly');
    assert.ok((await cookie(context, 'auth-token-secret'))?.secure,
      'auth-token-secret is not Secure');
  });

  scenario(at('next sign-in brings what the provider has changed'), async ({ page }) => {
    const { origin, provider } = await useProvider(persona);
    Object.assign(provider.user(user), {
      email: `${user}.new@example.com`, family_name: 'Married', groups: ['support'],
    });
    await signIn(page, `${origin}/`, user);
    const record = await findUser(user);
    assert.equal(record.emailAddress, `${user}.new@example.com`);
    assert.equal(record.lastName, 'Married');
    assert.deepEqual(teamsOf(record), ['Support']);
  });

  scenario(at('deep link arrives at the record'), async ({ page }) => {
    const { origin, account } = await useProvider(persona);
    const url = `${origin}/#Account/view/${account.id}`;
    await page.goto(url);
    await page.waitForSelector('input[name=username]');
    await picture(page, `provider-${persona}`, { x: 300, y: 180, width: 500, height: 400 });
    await fillProvider(page, user);
    await signedIn(page);
    await waitForUrl(page, url);
    await page.waitForSelector(`.header-title:has-text("${account.name}")`);
  });

  scenario(at('who is signed in at the provider needs no click'), async ({ page, context }) => {
    const { origin, account } = await useProvider(persona);
    await signIn(page, `${origin}/`, user);
    await context.clearCookies({ domain: new URL(origin).hostname });
    await page.evaluate(() => localStorage.clear());
    const url = `${origin}/#Account/view/${account.id}`;
    const other = await context.newPage();
    await other.goto(url);
    await signedIn(other);
    await waitForUrl(other, url);
  });
}
