// SPDX-License-Identifier: Apache-2.0
// A session that ends under an open page: nothing is lost, and nobody is signed in who is not there.
import assert from 'node:assert/strict';

import {
  fillProvider, held, logOut, newContext, picture, scenario, signedIn, signIn,
} from '../browser.mjs';
import { HOSTS, patience } from '../environment.mjs';
import { api, findUser, newToken, settings } from '../espocrm.mjs';
import { basic, cookieHeader, fetchSite } from '../http.mjs';
import { origin } from '../site.mjs';
import { useProvider } from '../stage.mjs';

const USER = 'carl';
const BAR = '.oidc-proxy-bar';
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// ---- sessions of the proxy, as an administrator sees them

async function sessionsOf(name, method = 'GET') {
  const { oidcProxySubject: sub } = await findUser(name);
  const answer = await fetchSite(origin, `/oidc/sessions?sub=${encodeURIComponent(sub)}`, { method });
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

const liveSessions = async (name) => (await sessionsOf(name)).sessions.map(({ id }) => id);
const endSessions = (name) => sessionsOf(name, 'DELETE');

// What the pages of a context ask the sign-in for.
function watchSignIns(context) {
  const asked = [];
  context.on('request', (r) => r.url().includes('/oauth-callback.php') && asked.push(r.url()));
  return asked;
}

const showsBar = (page, options) => page.waitForSelector(`${BAR} [role=alert]:not(:empty)`, options);

const tellsToGoOn = (page) => page.waitForSelector(`${BAR} [role=status]:not(:empty)`);

// By the bar of a page: a window that closes itself, and says so to the page.
async function signInByBar(page, { atProvider, press = (p) => p.click(`${BAR} .btn`) } = {}) {
  const [popup] = await Promise.all([page.waitForEvent('popup'), press(page)]);
  const closed = popup.isClosed() ? Promise.resolve() : popup.waitForEvent('close');
  // it does not stay for long
  const told = tellsToGoOn(page);
  if (atProvider) await fillProvider(popup, atProvider);
  await Promise.all([closed, told]);
}

// ---- places where something is entered: `enter` returns what is there then

const saveButton = '[data-action="save"] >> visible=true';

const PLACES = {
  'record form': {
    async enter(page, account, text) {
      await page.goto(`${origin}/#Account/edit/${account.id}`);
      const field = page.locator('.field[data-name="description"] textarea');
      await field.fill(text);
      await field.press('Tab');
      return field;
    },
    save: (page) => page.click(saveButton),
    saved: (account, text) => api('GET', `Account/${account.id}`).then((a) => a.description === text),
  },
  'inline edit': {
    async enter(page, account, text) {
      await page.goto(`${origin}/#Account/view/${account.id}`);
      const cell = page.locator('.cell[data-name="website"]');
      await cell.hover();
      await cell.locator('.inline-edit-link').click();
      const field = cell.locator('input');
      await field.fill(`${text.replaceAll(' ', '-')}.example.com`);
      return field;
    },
    save: (page) => page.click('.cell[data-name="website"] .inline-save-link'),
    saved: (account, text) => api('GET', `Account/${account.id}`)
      .then((a) => (a.website ?? '').includes(text.replaceAll(' ', '-'))),
  },
  'stream comment': {
    async enter(page, account, text) {
      await page.goto(`${origin}/#Account/view/${account.id}`);
      const field = page.locator('.post-container textarea');
      await field.click();
      await field.fill(text);
      return field;
    },
    save: (page) => page.click('.post-container button.post'),
    saved: (account, text) => api('GET', `Account/${account.id}/stream`)
      .then(({ list }) => list.some(({ post }) => post === text)),
  },
  'e-mail dialog': {
    async enter(page, account, text) {
      await page.goto(`${origin}/#Email`);
      await page.click('[data-action="composeEmail"] >> visible=true');
      const subject = page.locator('.modal .field[data-name="subject"] input');
      await subject.fill(text);
      const body = page.locator('.modal .note-editable');
      await body.pressSequentially(text);
      return { inputValue: async () => `${await subject.inputValue()}: ${await body.innerText()}` };
    },
    save: (page) => page.click('.modal [data-name="saveDraft"]'),
    saved: (account, text) => api('GET', 'Email?maxSize=50&orderBy=createdAt&order=desc')
      .then(({ list }) => list.some(({ name }) => name === text)),
  },
  'attachment just added': {
    async enter(page, account, text) {
      await page.goto(`${origin}/#Account/view/${account.id}`);
      await page.locator('.post-container textarea').click();
      const stored = page.waitForResponse((r) => r.url().endsWith('/api/v1/Attachment') && r.ok());
      await page.setInputFiles('.post-container input.file', {
        name: `${text}.txt`, mimeType: 'text/plain', buffer: Buffer.from(text),
      });
      await stored;
      const block = page.locator('.post-container .gray-box[data-id]');
      await block.waitFor();
      return { inputValue: async () => (await block.innerText()).includes(`${text}.txt`) && text };
    },
    save: (page) => page.click('.post-container button.post'),
    saved: (account, text) => api('GET', `Account/${account.id}/stream`).then(({ list }) => list.some(
      ({ attachmentsNames }) => Object.values(attachmentsNames ?? {}).includes(`${text}.txt`))),
  },
};

// What is chosen and not typed: EspoCRM alone knows of it, and in a dialog nobody.
const choose = async (field, value) => {
  const option = field.locator(`.selectize-dropdown [data-value="${value}"]`).or(
    field.page().locator(`body > .selectize-dropdown [data-value="${value}"]`)).first();
  await field.locator('.selectize-input').waitFor();
  await pause(500);
  // it is open already where EspoCRM has put the cursor there, and a click would close it
  await until('the list does not open', async () => {
    if (!await option.isVisible()) await field.locator('.selectize-input').click();
    return option.isVisible();
  });
  await option.click();
  return { inputValue: () => field.locator('.selectize-input .item').innerText() };
};

const industry = (value) => (account) => api('GET', `Account/${account.id}`).then((a) => a.industry === value);

const CHOICES = {
  'inline edit of a choice': {
    async enter(page, account) {
      await api('PUT', `Account/${account.id}`, { industry: '' });
      await page.goto(`${origin}/#Account/view/${account.id}`);
      const cell = page.locator('.cell[data-name="industry"]');
      await cell.hover();
      await cell.locator('.inline-edit-link').click();
      return choose(cell, 'Banking');
    },
    save: (page) => page.click('.cell[data-name="industry"] .inline-save-link'),
    saved: industry('Banking'),
  },
  'choice in a dialog': {
    async enter(page, account) {
      await api('PUT', `Account/${account.id}`, { industry: '' });
      await page.goto(`${origin}/#Account`);
      const row = page.locator(`tr.list-row[data-id="${account.id}"]`);
      await row.locator('.list-row-buttons .dropdown-toggle').click();
      await page.click('[data-action="quickEdit"] >> visible=true');
      return choose(page.locator('.modal .field[data-name="industry"]'), 'Consulting');
    },
    save: (page) => page.click('.modal [data-name="save"]'),
    saved: industry('Consulting'),
  },
};

// The page asks by itself, for notifications, and learns that the session has ended.
const finds = (page) => page.waitForResponse((r) => r.status() === 401);

const until = async (what, ask, ms = 15000 * patience) => {
  for (const end = Date.now() + ms; ;) {
    if (await ask()) return;
    assert.ok(Date.now() < end, what);
    await pause(200);
  }
};

// One more press saves what was entered before.
async function savesNow(page, place, account, text) {
  await place.save(page);
  await until(`"${text}" is not saved`, () => place.saved(account, text));
}

let count = 0;
const newText = () => `entered ${Date.now()} ${++count}`;

function workCases() {
  for (const [name, place] of Object.entries({ ...PLACES, ...CHOICES })) {
    scenario(`${name}: an administrator ends the session, Save finds it out`, async ({ page, context }) => {
      const { account } = await useProvider('authelia');
      await signIn(page, `${origin}/`, USER);
      const { token } = await held(page);
      const text = newText();
      const field = await place.enter(page, account, text);
      const value = await field.inputValue();
      await endSessions(USER);
      await place.save(page);
      await showsBar(page);
      assert.equal(await field.inputValue(), value, 'what was entered is gone');
      assert.ok(!await place.saved(account, text));
      // nobody signs in for a while
      for (let i = 0; i < 2; i++) await finds(page);
      await pause(1000);
      assert.equal(await field.inputValue(), value, 'the page has been left');
      await context.clearCookies({ domain: HOSTS.authelia });
      await signInByBar(page, { atProvider: USER });
      assert.equal(await field.inputValue(), value);
      await savesNow(page, place, account, text);
      assert.equal((await held(page)).token, token, 'EspoCRM has made another token');
    });
  }

  for (const [name, place] of Object.entries(PLACES)) {
    scenario(`${name}: a second tab was faster`, async ({ page, context }) => {
      const { account } = await useProvider('authelia');
      await signIn(page, `${origin}/`, USER);
      const { token } = await held(page);
      const text = newText();
      const field = await place.enter(page, account, text);
      const value = await field.inputValue();
      const other = await context.newPage();
      await other.goto(`${origin}/#Account`);
      await signedIn(other);
      await other.waitForSelector('.list-container table');
      await endSessions(USER);
      // somebody clicks there, and is signed in again by itself
      await Promise.all([
        other.waitForRequest((r) => r.url().includes('/oauth-callback.php')),
        other.click('a[href="#Lead"] >> visible=true'),
      ]);
      await signedIn(other);
      assert.equal(await field.inputValue(), value, 'what was entered is gone');
      await savesNow(page, place, account, text);
      assert.equal((await held(page)).token, token, 'EspoCRM has made another token');
    });
  }

  for (const [name, place] of [['inline edit', PLACES['inline edit']], ...Object.entries(CHOICES)]) {
    scenario(`${name}, not saved and given up: nothing is kept`, async ({ page }) => {
      const { account } = await useProvider('authelia');
      await signIn(page, `${origin}/`, USER);
      await place.enter(page, account, newText());
      await endSessions(USER);
      await place.save(page);
      await showsBar(page);
      await page.click('.inline-cancel-link, .modal [data-name="cancel"]');
      // nothing is left to be lost: the way to the sign-in
      await Promise.race([
        page.waitForSelector('#sign-in'),
        page.waitForRequest((r) => r.url().includes('/oauth-callback.php')),
      ]);
    });
  }
}


// ---- somebody has entered something

function enteredCases() {
  scenario('idle end in five windows at once, one sign-in, each is saved with one more press',
    async ({ context }) => {
    const { account } = await useProvider('authelia', { idle: '30s' });
    const first = await context.newPage();
    await signIn(first, `${origin}/`, USER);
    const { token } = await held(first);
    const windows = [];
    for (const place of Object.values(PLACES)) {
      const page = await context.newPage();
      const text = newText();
      const field = await place.enter(page, account, text);
      windows.push({ place, page, text, field, value: await field.inputValue() });
    }
    const signIns = watchSignIns(context);
    // idle time, what an input may be late, a poll
    await Promise.all(windows.map(({ page }) => showsBar(page, { timeout: 90000 })));
    await first.waitForSelector('#sign-in');
    assert.deepEqual(await liveSessions(USER), []);
    assert.deepEqual(signIns, [], 'somebody was signed in who is not there');
    const [{ page }, ...rest] = windows;
    await Promise.all([signInByBar(page), ...rest.map((other) => tellsToGoOn(other.page))]);
    for (const { field, value } of windows) assert.equal(await field.inputValue(), value);
    for (const it of windows) await savesNow(it.page, it.place, account, it.text);
    assert.equal((await held(page)).token, token, 'EspoCRM has made another token');
  }, { timeout: 240000 });

  scenario('an end under text, found by a request of the page itself: a bar, no sign-in',
    async ({ page, context }) => {
    const { account } = await useProvider('authelia');
    await signIn(page, `${origin}/`, USER);
    const text = newText();
    const field = await PLACES['stream comment'].enter(page, account, text);
    const signIns = watchSignIns(context);
    await endSessions(USER);
    await showsBar(page);
    assert.equal(await field.inputValue(), text);
    assert.deepEqual(signIns, []);
    // announced once: the same element while the page goes on asking
    await page.evaluate((bar) => { document.querySelector(bar).id = 'still-there'; }, BAR);
    for (let i = 0; i < 2; i++) await finds(page);
    assert.equal(await page.locator('#still-there').count(), 1);
    await picture(page, 'session-bar', { x: 0, y: 460, width: 1100, height: 300 });
  });

  scenario('EspoCRM\'s token is ended under text: a new one is used as well', async ({ page }) => {
    const { account } = await useProvider('authelia');
    const place = PLACES['record form'];
    const id = await newToken(USER, () => signIn(page, `${origin}/`, USER));
    const { token } = await held(page);
    const text = newText();
    await place.enter(page, account, text);
    await api('PUT', `AuthToken/${id}`, { isActive: false });
    await place.save(page);
    await showsBar(page);
    await signInByBar(page);
    assert.notEqual((await held(page)).token, token);
    await savesNow(page, place, account, text);
    await page.click('a[href="#Lead"] >> visible=true');
    await page.waitForSelector('.list-container');
  });

  scenario('a provider that cuts windows off from their opener: the page goes on all the same',
    async ({ page, context }) => {
    const { account, provider } = await useProvider('authelia');
    const place = PLACES['record form'];
    await signIn(page, `${origin}/`, USER);
    const text = newText();
    await place.enter(page, account, text);
    await endSessions(USER);
    await place.save(page);
    await showsBar(page);
    await context.clearCookies({ domain: HOSTS.authelia });
    provider.isIsolated = true;
    try {
      const [popup] = await Promise.all([page.waitForEvent('popup'), page.click(`${BAR} .btn`)]);
      const closed = popup.waitForEvent('close').then(() => 'closed').catch(() => 'open');
      await fillProvider(popup, USER);
      await tellsToGoOn(page);
      const told = popup.waitForSelector('text=You can close this window').then(() => 'told').catch(() => closed);
      assert.ok(['closed', 'told'].includes(await Promise.race([closed, told])));
    } finally {
      provider.isIsolated = false;
    }
    await savesNow(page, place, account, text);
  });

  scenario('signed in with a password: with it again in another tab, then one more press',
    async ({ page, context }) => {
    const { account } = await useProvider('authelia');
    const place = PLACES['record form'];
    const byPassword = async (tab) => {
      await tab.waitForSelector('#field-password', { state: 'visible' });
      await tab.fill('#field-userName', 'admin');
      await tab.fill('#field-password', 'admin');
      await tab.click('#btn-login');
      await signedIn(tab);
    };
    await page.goto(`${origin}/?signIn=password`);
    await fillProvider(page, USER);
    await byPassword(page);
    const text = newText();
    const field = await place.enter(page, account, text);
    await context.clearCookies({ name: '__Host-NGX_OIDC_SESSION' });
    await place.save(page);
    await showsBar(page);
    const other = await context.newPage();
    await other.goto(`${origin}/?signIn=password`);
    await Promise.all([tellsToGoOn(page), byPassword(other)]);
    assert.equal(await field.inputValue(), text);
    await savesNow(page, place, account, text);
  });

  scenario('somebody else signs in: what was entered is not saved in that name', async ({ page, context }) => {
    const { account } = await useProvider('authelia');
    const place = PLACES['record form'];
    await signIn(page, `${origin}/`, USER);
    const text = newText();
    const field = await place.enter(page, account, text);
    await endSessions(USER);
    await place.save(page);
    await showsBar(page);
    await context.clearCookies({ domain: HOSTS.authelia });
    const [popup] = await Promise.all([page.waitForEvent('popup'), page.click(`${BAR} .btn`)]);
    const closed = popup.waitForEvent('close');
    await fillProvider(popup, 'greta');
    await closed;
    await page.waitForSelector(`${BAR}-danger`);
    assert.equal(await field.inputValue(), text, 'it cannot even be copied');
    await Promise.all([
      page.waitForResponse((r) => r.request().method() === 'PUT' && r.status() === 401),
      place.save(page),
    ]);
    assert.ok(!await place.saved(account, text));
    await page.click(`${BAR} button`);
  });

  scenario('Log Out in one tab: text in the other one stays', async ({ page, context }) => {
    const { account } = await useProvider('authelia');
    await signIn(page, `${origin}/#Account`, USER);
    const other = await context.newPage();
    const text = newText();
    const place = PLACES['stream comment'];
    const field = await place.enter(other, account, text);
    await logOut(page);
    await page.waitForURL((url) => url.pathname === '/signed-out');
    await showsBar(other);
    assert.equal(await field.inputValue(), text);
    await signInByBar(other, { atProvider: USER });
    await savesNow(other, place, account, text);
  });

  for (const theme of ['Light', 'Dark']) {
    scenario(`${theme} theme, in German, in a dialog: the bar by the keyboard alone`,
      async ({ page, context }) => {
      const { account } = await useProvider('authelia');
      await signIn(page, `${origin}/`, USER);
      const { id } = await findUser(USER);
      await api('PUT', `Preferences/${id}`, { theme, language: 'de_DE' });
      try {
        await page.reload();
        await signedIn(page);
        const text = newText();
        const field = await PLACES['e-mail dialog'].enter(page, account, text);
        await endSessions(USER);
        await page.keyboard.press('Tab');
        await showsBar(page);
        const message = await page.innerText(`${BAR} [role=alert]`);
        assert.match(message, /abgemeldet/);
        assert.equal(await page.getAttribute(BAR, 'lang'), 'de-DE');
        await picture(page, `session-bar-${theme.toLowerCase()}`, { x: 0, y: 360, width: 1100, height: 400 });
        const contrast = await page.evaluate(contrastOf, `${BAR} [role=alert]`);
        assert.ok(contrast >= 4.5, `contrast ${contrast}`);
        const value = await field.inputValue();
        await signInByBar(page, {
          press: async () => {
            for (let i = 0; i < 60; i++) {
              await page.keyboard.press('Tab');
              if (await page.evaluate((bar) => document.activeElement.matches(`${bar} .btn`), BAR)) break;
            }
            await page.keyboard.press('Enter');
          },
        });
        assert.equal(await field.inputValue(), value);
        assert.deepEqual((await context.cookies()).filter(({ value: v }) => v === 'deleted'), []);
      } finally {
        await api('PUT', `Preferences/${id}`, { theme: '', language: '' });
      }
    });
  }
}

// Of WCAG 2, between text and what lies under it. Runs in the page.
function contrastOf(selector) {
  const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const luminance = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  let element = document.querySelector(selector);
  const text = parse(getComputedStyle(element).color);
  let ground = [255, 255, 255];
  for (; element; element = element.parentElement) {
    const color = parse(getComputedStyle(element).backgroundColor);
    if (color.length === 3 || color[3] === 1) { ground = color; break; }
  }
  const [light, dark] = [luminance(text), luminance(ground)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

// ---- nothing is entered

function emptyCases() {
  scenario('nothing entered, somebody clicks: signed in by itself, on the page asked for',
    async ({ page }) => {
    const { account } = await useProvider('authelia');
    await signIn(page, `${origin}/#Account`, USER);
    const { token } = await held(page);
    await page.waitForSelector('.list-container table');
    await endSessions(USER);
    await Promise.all([
      page.waitForRequest((r) => r.url().includes('/oauth-callback.php')),
      page.click(`text="${account.name}"`),
    ]);
    await page.waitForSelector(`.header-title:has-text("${account.name}")`);
    assert.equal(page.url(), `${origin}/#Account/view/${account.id}`);
    assert.equal((await held(page)).token, token);
    assert.equal((await liveSessions(USER)).length, 1);
  });

  scenario('nothing entered, the page finds it out: waits for a click, then the same page and token',
    async ({ page, context }) => {
    const { account } = await useProvider('authelia');
    await signIn(page, `${origin}/#Account/view/${account.id}`, USER);
    const { token } = await held(page);
    await page.waitForSelector(`.header-title:has-text("${account.name}")`);
    const other = await context.newPage();
    await other.goto(`${origin}/#Lead`);
    await signedIn(other);
    const signIns = watchSignIns(context);
    // what a page asks for right after it was opened is somebody's
    await pause(10500);
    await endSessions(USER);
    for (const tab of [page, other]) {
      await tab.waitForSelector('#sign-in');
      assert.match(await tab.innerText('.oidc-proxy-ended'), /^You were signed out/);
    }
    await pause(3000);
    assert.deepEqual(signIns, []);
    assert.deepEqual(await liveSessions(USER), []);
    await picture(page, 'session-ended', { x: 250, y: 70, width: 600, height: 300 });
    await page.click('#sign-in');
    await page.waitForSelector(`.header-title:has-text("${account.name}")`);
    assert.equal((await held(page)).token, token);
    // the other tab hears of it
    await signedIn(other);
    assert.equal(other.url(), `${origin}/#Lead`);
    assert.equal(await page.evaluate(() => sessionStorage.getItem('oidc-proxy-ended')), null);
  });
}

// ---- the mark

function markCases() {
  for (const variant of ['fpm', 'proxy']) {
    scenario(`${variant}: a request with the mark is answered alike and counts as no use`,
      async ({ page, context }) => {
      const { account } = await useProvider('authelia', { variant, idle: `${6 * patience}s` });
      await signIn(page, `${origin}/`, USER);
      const cookies = await context.cookies(origin);
      await page.goto('about:blank');
      const auth = basic(USER, cookies.find((c) => c.name === 'auth-token').value);
      const headers = {
        Cookie: cookieHeader(cookies), Authorization: `Basic ${auth}`,
        'Espo-Authorization': auth, 'Espo-Authorization-By-Token': 'true',
        'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Site': 'same-origin',
      };
      const mark = { 'X-Espo-Unattended': '1' };
      const ask = (path, more = {}) => fetchSite(origin, path, { headers: { ...headers, ...more } });
      const path = `/api/v1/Account/${account.id}?select=name%2Cwebsite&x=%3F`;
      const plain = await ask(path);
      const marked = await ask(path, mark);
      assert.equal(plain.status, 200);
      assert.deepEqual([marked.status, marked.json()], [200, plain.json()]);
      // nothing that is closed opens
      for (const closed of ['/api/v1/Oidc/backchannelLogout', '/api/v1/index.php/Account',
        '/unattended/api/v1/Account', '/install/', '/application/']) {
        const answers = await Promise.all([ask(closed), ask(closed, mark)]);
        assert.deepEqual(answers.map(({ status }) => status), [404, 404], closed);
      }
      const anonymous = { headers: { ...mark, 'Sec-Fetch-Mode': 'cors' } };
      for (const closed of ['/api/v1/Account', '/api/v1/Settings', '/?entryPoint=avatar&id=1']) {
        assert.equal((await fetchSite(origin, closed, anonymous)).status, 401, closed);
      }
      for (const end = Date.now() + 9000 * patience; Date.now() < end; await pause(500)) {
        assert.equal((await ask('/api/v1/OidcProxy/alive')).status, 200, 'use does not count');
      }
      const asked = [
        () => ask('/api/v1/Stream', mark),
        () => ask('/?entryPoint=avatar&id=system', { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' }),
        () => ask('/wss?authToken=a&userId=b', { Upgrade: 'websocket', Connection: 'Upgrade' }),
      ];
      await until('marked requests keep the session alive', async () => {
        await Promise.all(asked.map((send) => send()));
        return !(await liveSessions(USER)).length;
      }, 12000 * patience);
      assert.equal((await ask(path, mark)).status, 401);
      assert.equal((await ask(path)).status, 401);
    });
  }
}

// ---- left alone, and not

// BROWSER_LONG: the times of a real site, as far as they fit.
const LONG = Boolean(process.env.BROWSER_LONG);
const TIMES = LONG
  ? { idle: '60s', within: 90000, alone: 240000, pace: 20000, timeout: 400000 }
  : { idle: '40s', within: 75000, alone: 90000, pace: 8000, timeout: 240000 };

// The list dashlets refresh themselves as often as EspoCRM lets them.
const DASHLETS = {
  dashboardLayout: [{
    id: 'd', name: 'Lists',
    layout: ['one', 'two'].map((id, i) => ({ id, name: 'Records', x: 2 * i, y: 0, width: 2, height: 2 })),
  }],
  dashletsOptions: Object.fromEntries([['one', 'Account'], ['two', 'Lead']].map(([id, entityType]) => [id, {
    title: entityType, entityType, primaryFilter: null, sortBy: 'createdAt', sortDirection: 'desc',
    displayRecords: 5, autorefreshInterval: 0.1, expandedLayout: { rows: [[{ name: 'name', link: true }]] },
  }])),
};

function idleCases() {
  scenario('windows left alone: their sessions end, and no new one begins', async ({ context, t }) => {
    await useProvider('authelia', { idle: TIMES.idle });
    const windows = [];
    const open = async (name, before = async () => {}) => {
      const own = windows.length ? await newContext() : context;
      t.after(() => own.close());
      const page = await own.newPage();
      await signIn(page, `${origin}/`, USER);
      await before();
      const asked = [];
      page.on('request', (r) => r.url().includes('/api/v1/') && asked.push(new URL(r.url()).pathname));
      await page.reload();
      await signedIn(page);
      windows.push({ name, page, asked, signIns: watchSignIns(own), since: Date.now() });
    };
    if (await findUser(USER)) await endSessions(USER);
    await open('default home page');
    const { id } = await findUser(USER);
    try {
      await open('dashboard of lists', () => api('PUT', `Preferences/${id}`, DASHLETS));
      await windows[1].page.waitForSelector('.dashlet-container >> nth=1');
      await open('with WebSocket', () => settings({ useWebSocket: true }));
      const { since } = windows.at(-1);
      await until('the sessions live on', async () => !(await liveSessions(USER)).length,
        TIMES.within + 5000);
      const took = Date.now() - since;
      assert.ok(took <= TIMES.within, `the last session ended after ${took} ms`);
      while (Date.now() < since + TIMES.alone) {
        await pause(2000);
        assert.deepEqual(await liveSessions(USER), [], 'a session has begun with nobody there');
      }
      for (const { name, signIns } of windows) assert.deepEqual(signIns, [], name);
      const [home, lists] = windows;
      for (const [{ asked }, path] of [[home, '/api/v1/Stream'], [lists, '/api/v1/Lead']]) {
        assert.ok(asked.filter((other) => other === path).length > 1,
          `no dashlet has asked again, this test proves nothing: ${asked.join(' ')}`);
      }
      for (const { page, name } of [home, lists]) {
        assert.ok(await page.locator('#sign-in').count(), `${name}: no button to sign in`);
      }
    } finally {
      await settings({ useWebSocket: false });
      await api('PUT', `Preferences/${id}`, { dashboardLayout: null, dashletsOptions: null });
    }
  }, TIMES);

  scenario('who types or clicks stays signed in, also where the page asks for nothing',
    async ({ context, t }) => {
    await useProvider('authelia', { idle: TIMES.idle });
    const known = await findUser(USER) ? await liveSessions(USER) : [];
    const second = await newContext();
    t.after(() => second.close());
    const typing = await context.newPage();
    await signIn(typing, `${origin}/#Account/create`, USER);
    const [typist] = (await liveSessions(USER)).filter((id) => !known.includes(id));
    await typing.locator('.field[data-name="description"] textarea').click();
    const clicking = await second.newPage();
    await signIn(clicking, `${origin}/#Account`, USER);
    await clicking.waitForSelector('.list-container');
    const [clicker] = (await liveSessions(USER)).filter((id) => id !== typist && !known.includes(id));
    // As a screen reader does it: the page hears of nothing but the click.
    const third = await newContext();
    t.after(() => third.close());
    await third.addInitScript(() => {
      const listen = window.addEventListener;
      window.addEventListener = function (type, ...rest) {
        if (/^(key|pointer|mouse|touch)/.test(type)) return;
        listen.call(this, type, ...rest);
      };
    });
    const speaking = await third.newPage();
    await signIn(speaking, `${origin}/#Account`, USER);
    await speaking.waitForSelector('.list-container');
    const [speaker] = (await liveSessions(USER)).filter((id) =>
      id !== typist && id !== clicker && !known.includes(id));
    let asked = 0;
    typing.on('request', (r) => { asked += r.url().endsWith('/OidcProxy/alive'); });
    for (const end = Date.now() + TIMES.alone; Date.now() < end; await pause(TIMES.pace)) {
      await typing.keyboard.type('word ');
      await clicking.mouse.click(1090, 750);
      await speaking.mouse.click(1090, 750);
      const live = await liveSessions(USER);
      assert.ok(live.includes(typist), 'the session of who types has ended');
      assert.ok(live.includes(clicker), 'the session of who clicks has ended');
      assert.ok(live.includes(speaker), 'the session of who clicks without a pointer has ended');
    }
    assert.ok(asked > 1, 'nothing was asked for: this test proves nothing');
    assert.ok(asked <= 2 + TIMES.alone / 20000, `${asked} requests for typing`);
  }, TIMES);
}

export function endCases() {
  emptyCases();
  workCases();
  enteredCases();
  markCases();
  idleCases();
}
