// SPDX-License-Identifier: Apache-2.0
// What works without a session, and only where a switch of the templates opens it.
import assert from 'node:assert/strict';
import http from 'node:http';

import { scenario, signIn } from '../browser.mjs';
import { api, isBefore } from '../espocrm.mjs';
import { basic, cookieHeader, fetchSite } from '../http.mjs';
import * as site from '../site.mjs';
import { useProvider } from '../stage.mjs';

const JSON_TYPE = { 'Content-Type': 'application/json' };

const leadCapture = (name, values = {}) => api('POST', 'LeadCapture', {
  name,
  fieldList: ['firstName', 'lastName', 'emailAddress'],
  subscribeToTargetList: false,
  optInConfirmation: false,
  leadSource: 'Web Site',
  ...values,
});

async function leads(lastName) {
  const where = 'where[0][type]=equals&where[0][attribute]=lastName';
  return (await api('GET', `Lead?${where}&where[0][value]=${lastName}`)).list;
}

export function outsiderCases(variant) {
  const at = (what) => `${variant}: ${what}`;

  scenario(at('API client with a key: in where the switch is on, and with the key alone'),
    async ({ page, context }) => {
    const { origin, role } = await useProvider('authelia', { variant, open: ['api-keys'] });
    const { id } = await api('POST', 'User', {
      userName: `robot-${variant}`,
      lastName: 'Robot',
      type: 'api',
      authMethod: 'ApiKey',
      rolesIds: [role.id],
    });
    const key = { 'X-Api-Key': (await api('GET', `User/${id}`)).apiKey };
    const ask = (headers) => fetchSite(origin, '/api/v1/Account?maxSize=1', { headers });
    const answer = await ask(key);
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.json().list.length > 0);
    // the key opens the door for nothing else
    const bogus = { 'X-Api-Key': 'bogus' };
    const admin = basic('admin', 'admin');
    assert.equal((await ask(bogus)).status, 401);
    for (const name of ['Authorization', 'Espo-Authorization']) {
      const value = name === 'Authorization' ? `Basic ${admin}` : admin;
      assert.equal((await ask({ ...bogus, [name]: value })).status, 401,
        `a password in ${name} counted`);
    }
    await signIn(page, `${origin}/`, 'carl');
    const cookies = (await context.cookies(origin))
      .filter(({ name }) => name.startsWith('auth-token'));
    assert.equal(cookies.length, 2);
    assert.equal((await ask({ ...bogus, Cookie: cookieHeader(cookies) })).status, 401,
      'cookies counted');
    // off
    await useProvider('authelia', { variant });
    assert.equal((await ask(key)).status, 401, 'the key works while the switch is off');
  });

  scenario(at('web-to-lead from outside'), async () => {
    const { origin } = await useProvider('authelia', { variant, open: ['lead-capture'] });
    const { apiKey } = await leadCapture(`Web ${variant}`);
    const post = (lastName) => fetchSite(origin, `/api/v1/LeadCapture/${apiKey}`, {
      method: 'POST',
      headers: { ...JSON_TYPE, Origin: 'https://www.example.com', 'Sec-Fetch-Site': 'cross-site' },
      body: JSON.stringify({ firstName: 'Web', lastName, emailAddress: `${lastName}@example.com` }),
    });
    const answer = await post(`outside-${variant}`);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.equal((await leads(`outside-${variant}`)).length, 1);
    await useProvider('authelia', { variant });
    assert.equal((await post(`closed-${variant}`)).status, 401);
    assert.equal((await leads(`closed-${variant}`)).length, 0);
  });

  scenario(at('web form, filled in by somebody without a session'), async ({ page, context, t }) => {
    if (await isBefore(9, 0)) {
      t.skip('EspoCRM before 9.0 has no web forms');
      return;
    }
    const { origin } = await useProvider('authelia', { variant, open: ['web-forms'] });
    const { formId } = await leadCapture(`Form ${variant}`, {
      formEnabled: true, formTitle: 'Write to us', formSuccessText: 'Thank you indeed',
    });
    await page.goto(`${origin}/?entryPoint=leadCaptureForm&id=${formId}`);
    await page.fill('input[data-name="firstName"]', 'Form');
    await page.fill('input[data-name="lastName"]', `form-${variant}`);
    await page.fill('.field[data-name="emailAddress"] input', `form-${variant}@example.com`);
    await page.click('button.btn-primary, [data-action="save"]');
    await page.waitForSelector('text=Thank you indeed');
    assert.equal((await leads(`form-${variant}`)).length, 1);
    assert.deepEqual(await context.cookies(), [], 'an outsider got a cookie');
  });
}

export function plainHttpCase() {
  scenario('plain http leads to https', async () => {
    const { origin } = await useProvider('authelia');
    const { hostname } = new URL(origin);
    const { statusCode, headers } = await new Promise((resolve, reject) => {
      http.get({
        host: '127.0.0.1',
        port: site.httpPort,
        path: '/x?y=1',
        headers: { Host: hostname },
        agent: false,
      }, (response) => { response.resume(); resolve(response); }).on('error', reject);
    });
    assert.equal(statusCode, 301);
    assert.equal(headers.location, `https://${hostname}/x?y=1`);
  });
}
