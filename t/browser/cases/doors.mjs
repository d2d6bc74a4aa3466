// SPDX-License-Identifier: Apache-2.0
// The sign-in's address and what else comes to it; identities that nobody may send; WebSocket.
import assert from 'node:assert/strict';
import https from 'node:https';
import { after, before } from 'node:test';

import { held, scenario, signIn } from '../browser.mjs';
import { tls } from '../certificates.mjs';
import { freePort, HOSTS, secrets } from '../environment.mjs';
import { findUser, isBefore } from '../espocrm.mjs';
import { cookieHeader, direct, fetchSite } from '../http.mjs';
import { makeAssertion, readAssertion, recorded } from '../identity.mjs';
import * as site from '../site.mjs';
import { useProvider, webSocket } from '../stage.mjs';

const STOCK_TEXT = 'If this window is not closed automatically';

export function popupCases() {
  let accounts;
  let accountsUrl;

  // The provider of an external account: sends the popup back at once.
  before(async () => {
    accounts = https.createServer(tls, (req, res) => {
      const back = new URL(req.url, 'https://x').searchParams.get('redirect_uri');
      res.writeHead(302, { location: back }).end();
    });
    const port = await freePort();
    await new Promise((resolve) => { accounts.listen(port, '127.0.0.1', resolve); });
    accountsUrl = `https://${HOSTS.accounts}:${port}/authorize?redirect_uri=`;
  });
  after(() => { accounts.closeAllConnections(); accounts.close(); });

  const returns = [
    '/oauth-callback.php?code=abc',
    '/oauth-callback.php?code=abc&state=s1',
    '/oauth-callback.php?error=access_denied&state=s1',
    '/?entryPoint=oauthCallback&code=abc',
    '/oauth/callback?code=abc',
    '/oauth/callback/?code=abc&state=s1',
  ];

  scenario('popup of an external account stays on its URL, where its opener reads the code',
    async ({ page, context }) => {
    const { origin } = await useProvider('authelia');
    await signIn(page, `${origin}/`, 'carl');
    const identities = () => recorded()
      .filter(({ identity }) => identity.HTTP_X_OIDC_ASSERTION).length;
    const told = identities();
    // EspoCRM has /oauth/callback as of 9.1.
    const older = await isBefore(9, 1);
    for (const back of returns.filter((one) => !older || !one.startsWith('/oauth/'))) {
      const opened = page.waitForEvent('popup');
      await page.evaluate((url) => { window.popup = window.open(url, 'ConnectWithOAuth'); },
        accountsUrl + encodeURIComponent(origin + back));
      const popup = await opened;
      await popup.waitForSelector(`text=${STOCK_TEXT}`);
      // as EspoCRM's opener does, every 300 ms
      const seen = await page.evaluate(() => window.popup.location.href);
      const query = back.slice(back.indexOf('?'));
      assert.ok(seen.startsWith(origin) && seen.endsWith(query), `${back} became ${seen}`);
      await popup.waitForTimeout(400);
      assert.equal(popup.url(), seen, `${back} did not stay`);
      await popup.close();
      await page.waitForFunction(() => window.popup.closed);
    }
    assert.equal(identities(), told, 'a popup came with an identity');
  });

  scenario('callback that is nobody\'s, without a session: no page of EspoCRM', async () => {
    const { origin } = await useProvider('authelia');
    for (const back of returns) {
      const answer = await fetchSite(origin, back, {
        headers: {
          Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Site': 'cross-site',
        },
      });
      assert.ok(!answer.text.includes(STOCK_TEXT), `${back} reached EspoCRM: ${answer.status}`);
    }
  });
}

// Every location of the templates, with each public feature open.
const LOCATIONS = [
  ['GET', '/'], ['GET', '/index.php'], ['GET', '/?entryPoint=oauthCallback'],
  ['GET', '/?entryPoint=OauthCallback'], ['GET', '/?entryPoint=logoImage&id=x'],
  ['GET', '/?entryPoint=leadCaptureForm&id=x'], ['GET', '/?entryPoint=campaignUrl&id=x'],
  ['GET', '/?entryPoint=download&id=x'], ['GET', '/oauth-callback.php'],
  ['GET', '/oauth-callback.php?return_to=%2F'], ['GET', '/oauth-callback.php?code=abc'],
  ['GET', '/oauth/callback'], ['GET', '/oauth/callback/'], ['GET', '/portal/'],
  ['GET', '/portal/oauth-callback.php'], ['GET', '/portal/index.php'],
  ['GET', '/api/v1/portal-access/x/Settings'], ['GET', '/api/v1/App/user'],
  ['GET', '/api/v1/Settings'], ['POST', '/api/v1/LeadCapture/x'],
  ['GET', '/.well-known/oauth-protected-resource'], ['POST', '/oauth/token'],
  ['GET', '/oauth/authorize'], ['POST', '/api/v1/Mcp/x'],
  ['POST', '/api/v1/LeadCapture/form/x'], ['GET', '/api/v1/Account'],
  ['GET', '/client/img/favicon.svg'],
  ['GET', '/robots.txt'], ['GET', '/signed-out'], ['GET', '/wss'], ['GET', '/install/'],
  ['GET', '/favicon.ico'], ['GET', '/no-such-page'],
];

export function identityCases(variant) {
  scenario(`${variant}: nobody can send an identity, whatever the location and the spelling`,
    async ({ page, context }) => {
    const { origin } = await useProvider('authelia', { variant, open: site.SWITCHES });
    const victim = `victim-${variant}`;
    // The real secret: an assertion that somebody has got hold of.
    const assertion = () => makeAssertion(origin, secrets.assertion, victim);
    const names = ['X-Oidc-Session', 'X_Oidc_Session', 'X-Oidc-Websocket', 'X-Oidc-Assertion', 'X_Oidc_Assertion', 'X-Oidc_Assertion', 'X-Oidc-Return-To',
      'X-Oidc-Sub', 'Remote-User', 'Remote_User', 'Remote-Email', 'Remote-Groups'];
    const spoofed = () => Object.fromEntries(names.map((name) =>
      [name, name.toLowerCase().includes('assertion') ? assertion() : victim]));

    // The record would show them: at EspoCRM itself nothing holds them back.
    await direct('GET', '/oauth-callback.php?code=abc', undefined, spoofed());
    assert.ok(recorded().some(({ identity }) => identity.HTTP_REMOTE_USER === victim),
      'identities are not recorded, this test proves nothing');

    await signIn(page, `${origin}/`, 'carl');
    const cookies = cookieHeader(await context.cookies(origin));
    const start = recorded().length;
    for (const [method, path] of LOCATIONS) {
      for (const extra of [{}, { Cookie: cookies }, { 'X-Api-Key': 'bogus' }]) {
        for (const mode of ['navigate', 'cors']) {
          const headers = { ...spoofed(), ...extra, Accept: 'text/html', 'Sec-Fetch-Mode': mode };
          await fetchSite(origin, path, { method, headers });
        }
      }
    }
    for (const { uri, identity } of recorded().slice(start)) {
      for (const [name, value] of Object.entries(identity)) {
        const subject = name === 'HTTP_X_OIDC_ASSERTION'
          ? readAssertion(value).preferred_username : value;
        assert.notEqual(subject, victim, `${name} of the client reached EspoCRM at ${uri}`);
      }
    }
    assert.equal(await findUser(victim), undefined, 'the user of the spoofed assertion exists');
  }, { timeout: 300000 });
}

export function identityEverywhereCase() {
  scenario('in all these tests EspoCRM was told an identity at the sign-in only', async () => {
    const told = recorded().filter(({ scheme }) => scheme === 'https');
    assert.ok(told.length > 10, 'identities are not recorded, this test proves nothing');
    for (const { script, uri, identity } of told) {
      const { HTTP_X_OIDC_SESSION: session, HTTP_X_OIDC_WEBSOCKET: handshake, ...user } = identity;
      // which session it is says nothing of its user
      if (session !== undefined) assert.match(session, /^[0-9a-f]{16}$/);
      if (handshake !== undefined) assert.equal(uri, '/?entryPoint=oidcProxyWebSocket');
      if (!Object.keys(user).length) continue;
      assert.equal(script, '/oauth-callback.php', `${Object.keys(user)} at ${uri}`);
      for (const name of Object.keys(user)) {
        assert.ok(['HTTP_X_OIDC_ASSERTION', 'HTTP_X_OIDC_RETURN_TO'].includes(name), name);
      }
    }
  });

  scenario('no log of nginx holds a secret or an alarm', async () => {
    const logs = site.log() + site.accessLog();
    for (const [name, secret] of Object.entries(secrets)) {
      assert.ok(!logs.includes(secret), `the ${name} secret is in a log`);
    }
    assert.doesNotMatch(logs, /authToken=/, 'a log has tokens of WebSocket URLs');
    const alarms = site.log().split('\n').filter((line) => /\[(alert|crit|emerg)\]/.test(line));
    assert.deepEqual(alarms, []);
  });
}

export function webSocketCases() {
  scenario('WebSocket handshake needs a session', async ({ page, context }) => {
    const { origin } = await useProvider('authelia');
    const handshake = () => fetchSite(origin, '/wss?authToken=x&userId=1', {
      headers: {
        Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', Origin: origin,
        'Sec-Fetch-Mode': 'websocket',
      },
    });
    webSocket.handshakes.length = 0;
    assert.equal((await handshake()).status, 401);
    assert.equal(webSocket.handshakes.length, 0, 'the handshake reached the WebSocket server');
    await signIn(page, `${origin}/`, 'carl');
    const connect = (query) => page.evaluate((url) => new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.onmessage = (event) => resolve(event.data);
      socket.onerror = () => resolve('refused');
    }), `${origin.replace('https', 'wss')}/wss?${query}`);
    const { token, userId } = await held(page);
    // made up, and somebody else's
    assert.equal(await connect('authToken=abc&userId=1'), 'refused');
    assert.equal(await connect(`authToken=${token}&userId=1`), 'refused');
    assert.equal(webSocket.handshakes.length, 0, 'EspoCRM was not asked first');
    assert.equal(await connect(`authToken=${token}&userId=${userId}`), 'hello');
    const [{ url, headers }] = webSocket.handshakes;
    assert.equal(url, `/wss?authToken=${token}&userId=${userId}`);
    assert.ok(!headers.cookie?.includes('NGX_OIDC'),
      'the session cookie went to the WebSocket server');
    assert.equal((await handshake()).status, 401);
  });
}
