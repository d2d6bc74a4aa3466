// SPDX-License-Identifier: Apache-2.0
// Two people: the token of one, the session of the other.
import assert from 'node:assert/strict';

import {
  cookie, fillProvider, held, newContext, refusal, scenario, signedIn, signIn,
} from '../browser.mjs';
import { HOSTS, patience } from '../environment.mjs';
import { activeTokens, api, newToken, withSettings } from '../espocrm.mjs';
import { cookieHeader, fetchSite } from '../http.mjs';
import { readAssertion, recorded } from '../identity.mjs';
import * as site from '../site.mjs';
import { useProvider, webSocket } from '../stage.mjs';

const FIRST = 'fritz';
const SECOND = 'berta';
const SESSION = '__Host-NGX_OIDC_SESSION';
const UPGRADE = {
  Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-Fetch-Mode': 'websocket',
};
const SCRIPT = { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Site': 'same-origin' };
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// What a request tool needs of a browser.
async function takeOut(page, context) {
  return { ...await held(page), cookies: await context.cookies(site.origin) };
}

// Requests with one person's token and cookies of EspoCRM, in the session of the same or another.
function requests(person, session = person) {
  const Cookie = cookieHeader([
    ...person.cookies.filter(({ name }) => name !== SESSION),
    ...session.cookies.filter(({ name }) => name === SESSION),
  ]);
  const auth = {
    Authorization: `Basic ${person.auth}`,
    'Espo-Authorization': person.auth,
    'Espo-Authorization-By-Token': 'true',
  };
  const get = (path, headers) => fetchSite(site.origin, path, { headers: { Cookie, ...headers } });
  return {
    api: () => get('/api/v1/App/user', { ...SCRIPT, ...auth }),
    poll: () => get('/api/v1/Notification/action/notReadCount', { ...SCRIPT, ...auth }),
    download: (id) => get(`/?entryPoint=download&id=${id}`, SCRIPT),
    attachment: (id) => get(`/?entryPoint=attachment&id=${id}`, SCRIPT),
    handshake: () => get(`/wss?authToken=${person.token}&userId=${person.userId}`, UPGRADE),
  };
}

async function makeFile(text, account) {
  const file = await api('POST', 'Attachment', {
    name: 'note.txt', type: 'text/plain', role: 'Attachment', relatedType: 'Document',
    field: 'file', file: `data:text/plain;base64,${Buffer.from(text).toString('base64')}`,
  });
  await api('POST', 'Document', {
    name: 'Note', fileId: file.id, fileName: 'note.txt', status: 'Active',
    publishDate: '2026-01-01', accountsIds: [account.id],
  });
  return file.id;
}

// The ways in which a session ends that its user has not chosen.
const ENDS = {
  idle: {
    options: { idle: `${4 * patience}s` },
    async end(person) {
      const { poll } = requests(person);
      const until = Date.now() + 20000 * patience;
      while ((await poll()).status === 200) {
        assert.ok(Date.now() < until, 'the session does not end');
        await pause(500);
      }
    },
  },
  'back-channel': {
    async end(person, provider, sub) {
      const answer = await fetchSite(site.origin, '/oidc/backchannel', {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: `logout_token=${provider.logoutToken(sub)}`,
      });
      assert.equal(answer.status, 200, answer.text);
    },
  },
  administrator: {
    async end(person, provider, sub) {
      const answer = await fetchSite(site.origin, `/oidc/sessions?sub=${encodeURIComponent(sub)}`,
        { method: 'DELETE' });
      assert.deepEqual([answer.status, answer.json().ended], [200, 1], answer.text);
    },
  },
};

export function peopleCases() {
  for (const [name, { options, end }] of Object.entries(ENDS)) {
    scenario(`${name} end of a session: its token is nobody's`, async ({ page, context }) => {
      const { origin, provider, account } = await useProvider('authentik', options);
      const text = `contents ${Date.now()}`;
      const file = await makeFile(text, account);
      const id = await newToken(FIRST, () => signIn(page, `${origin}/#Account`, FIRST));
      const { sub } = readAssertion(recorded().map(({ identity }) => identity.HTTP_X_OIDC_ASSERTION)
        .filter(Boolean).at(-1));
      const first = await takeOut(page, context);
      await page.goto('about:blank');
      const own = requests(first);
      assert.equal((await own.api()).json().user.userName, FIRST);
      assert.equal((await own.download(file)).text, text);
      // EspoCRM shows pictures only there, to its users
      assert.equal((await own.attachment(file)).status, 403);
      assert.equal((await own.handshake()).status, 101);

      await end(first, provider, sub);
      assert.equal((await own.api()).status, 401, 'the session lives on');
      const other = await newContext();
      try {
        const otherPage = await other.newPage();
        await signIn(otherPage, `${origin}/#Account`, SECOND);
        const second = await takeOut(otherPage, other);
        assert.equal((await requests(second).api()).json().user.userName, SECOND);
        const mixed = requests(first, second);
        webSocket.handshakes.length = 0;
        const answered = [];
        for (let i = 0; i < 100; i++) {
          // each of them finds the token in force
          if (i % 10 < 5) await api('PUT', `AuthToken/${id}`, { isActive: true });
          const kind = ['api', 'download', 'attachment', 'handshake', 'poll'][i % 5];
          const { status, text: body } = await mixed[kind](file);
          if (status !== 401 || body.includes(FIRST) || body.includes(text)) {
            answered.push(`${kind} ${status}`);
          }
        }
        assert.deepEqual(answered, [], 'answered as the other person');
        assert.equal(webSocket.handshakes.length, 0, 'a handshake went on');
        assert.equal((await requests(second).api()).json().user.userName, SECOND);
        assert.equal((await requests(second, first).api()).status, 401);
      } finally {
        await other.close();
      }
    });
  }

  // The first one's session ends without "Log Out", the second one comes to the same browser.
  async function changePeople(page, context) {
    const { origin } = await useProvider('authentik');
    await signIn(page, `${origin}/#Account`, FIRST);
    const first = await takeOut(page, context);
    await page.goto('about:blank');
    await context.clearCookies({ name: SESSION });
    await context.clearCookies({ domain: HOSTS.authentik });
    assert.equal((await held(await context.newPage().then(async (other) => {
      await other.goto(`${origin}/signed-out`);
      return other;
    }))).userName, FIRST, 'the browser has forgotten the first one already');
    return { origin, first, before: (await activeTokens(FIRST)).length };
  }

  async function isOver({ first, before: count }) {
    assert.equal((await activeTokens(FIRST)).length, count - 1, 'the token is still active');
    assert.equal((await requests(first).api()).status, 401);
  }

  const shownUser = (page) => page.evaluate(() => document.body.innerText);

  scenario('the next one at the browser, refused by EspoCRM, does not go on as the former',
    async ({ page, context }) => {
    const state = await changePeople(page, context);
    await withSettings({ oidcCreateUser: false }, { oidcCreateUser: true }, async () => {
      const seen = await refusal(page, async () => {
        await page.goto(`${state.origin}/#Account`);
        await fillProvider(page, 'stranger');
      });
      assert.equal(seen.reason, 'no-user');
      assert.equal(await held(page), undefined);
      for (const name of ['auth-token', 'auth-token-secret']) {
        assert.equal(await cookie(context, name), undefined, `the cookie ${name} is still there`);
      }
      await isOver(state);
      await page.goto(`${state.origin}/`);
      await page.waitForSelector('#sign-in');
      assert.ok(!(await shownUser(page)).includes('Anna'));
    });
  });

  scenario('the next one at the browser opens the password form, and gets it',
    async ({ page, context }) => {
    const state = await changePeople(page, context);
    await page.goto(`${state.origin}/?signIn=password`);
    await fillProvider(page, SECOND);
    await page.waitForSelector('#field-userName', { state: 'visible' });
    assert.equal(await held(page), undefined);
    await isOver(state);
  });

  scenario('the next one at the browser is who he is', async ({ page, context }) => {
    const state = await changePeople(page, context);
    await signIn(page, `${state.origin}/#Lead`, SECOND);
    assert.equal((await held(page)).userName, SECOND);
    await isOver(state);
    assert.equal((await requests(await takeOut(page, context)).api()).json().user.userName, SECOND);
  });

  scenario('the same one, signed in anew, keeps the token, also of a page that has dropped it',
    async ({ page, context }) => {
    const { origin } = await useProvider('authentik');
    await signIn(page, `${origin}/#Account`, FIRST);
    const first = await takeOut(page, context);
    for (const names of [[SESSION], [SESSION, 'auth-token']]) {
      await page.goto('about:blank');
      for (const name of names) await context.clearCookies({ name });
      await page.goto(`${origin}/#Lead`);
      await signedIn(page);
      const now = await takeOut(page, context);
      assert.equal(now.token, first.token, 'there is a new token');
      const session = (person) => person.cookies.find(({ name }) => name === SESSION).value;
      assert.notEqual(session(now), session(first));
      assert.equal((await requests(now).api()).json().user.userName, FIRST);
      assert.equal((await requests(first, now).api()).status, 200);
    }
  });

  scenario('a password beside the session: the token goes with that session', async ({ page, context }) => {
    const { origin } = await useProvider('authentik');
    await page.goto(`${origin}/?signIn=password`);
    await fillProvider(page, SECOND);
    await page.waitForSelector('#field-userName', { state: 'visible' });
    await page.fill('#field-userName', 'admin');
    await page.fill('#field-password', 'admin');
    await page.click('#btn-login');
    await signedIn(page);
    const admin = await takeOut(page, context);
    await page.goto('about:blank');
    assert.equal((await requests(admin).api()).json().user.userName, 'admin');
    const other = await newContext();
    try {
      const otherPage = await other.newPage();
      await signIn(otherPage, `${origin}/`, FIRST);
      const mixed = requests(admin, await takeOut(otherPage, other));
      assert.equal((await mixed.api()).status, 401);
      assert.equal((await requests(admin).api()).status, 401, 'the token is not ended');
    } finally {
      await other.close();
    }
  });
}
