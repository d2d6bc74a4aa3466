// SPDX-License-Identifier: Apache-2.0
// Chromium, and what the tests do with a page.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';

import { chromium as driver } from 'playwright-core';

import { chromium, HOSTS, patience, results } from './environment.mjs';
import { PASSWORD } from './provider.mjs';

const SIGNED_IN = '#navbar .navbar, #navbar .nav';
export const WAIT = 30000 * patience;

let running;

export async function startBrowser() {
  running = await driver.launch({
    executablePath: chromium,
    args: [
      `--host-resolver-rules=${Object.values(HOSTS).map((h) => `MAP ${h} 127.0.0.1`).join(',')}`,
      // The sandbox refuses to work for root.
      ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
    ],
  });
}

export const stopBrowser = () => running?.close();

export async function newContext(options) {
  const context = await running.newContext({
    // The authority was made for this run.
    ignoreHTTPSErrors: true,
    viewport: { width: 1100, height: 760 },
    ...options,
  });
  context.setDefaultTimeout(WAIT);
  return context;
}

export const picture = (page, name, clip) => page.screenshot({
  path: path.join(results, `${name}.png`), ...(clip ? { clip } : { fullPage: true }),
});

let failures = 0;

async function explain(error, context) {
  const lines = [];
  for (const page of context.pages()) {
    const name = `failed-${++failures}`;
    const text = await page.evaluate(() => document.body.innerText.slice(0, 600)).catch(() => '');
    await picture(page, name).catch(() => {});
    lines.push(`${name}.png: ${page.url()}\n${text}`);
  }
  error.message += `\n${lines.join('\n')}`;
  return error;
}

// A test with a browser profile of its own. When it fails, there is a picture of each of its pages.
export function scenario(name, run, { timeout = 120000 } = {}) {
  test(name, { timeout: timeout * patience }, async (t) => {
    const context = await newContext();
    try {
      await run({ context, page: await context.newPage(), t });
    } catch (error) {
      throw await explain(error, context);
    } finally {
      await context.close();
    }
  });
}

export const signedIn = (page) => page.waitForSelector(SIGNED_IN, { state: 'attached' });

export async function fillProvider(page, user) {
  await page.waitForSelector('input[name=username]');
  await page.fill('input[name=username]', user);
  await page.fill('input[name=password]', PASSWORD);
  await page.click('button:not(.quiet)');
}

// Opens a page of the site as somebody who has to sign in at the provider first.
export async function signIn(page, url, user) {
  await page.goto(url);
  await fillProvider(page, user);
  await signedIn(page);
}

export async function waitForUrl(page, url) {
  await page.waitForURL(url).catch(() => {});
  assert.equal(page.url(), url);
}

// What the page of EspoCRM keeps of its user; undefined when it keeps none.
export const held = (page) => page.evaluate(() => {
  const auth = localStorage.getItem('espo-user-auth');
  if (!auth) return undefined;
  const [userName, token] = atob(auth).split(':');
  return { auth, userName, token, userId: localStorage.getItem('espo-user-lastUserId') };
});

// The refusal page of the extension: status, reason code, text.
export async function refusal(page, act) {
  const answer = page.waitForResponse((r) => r.request().isNavigationRequest()
    && new URL(r.url()).pathname === '/oauth-callback.php' && r.status() >= 400);
  await act();
  const status = (await answer).status();
  await page.waitForSelector('.hint');
  return {
    status,
    reason: await page.textContent('p code'),
    heading: await page.textContent('h1'),
    text: await page.innerText('main'),
  };
}

export const cookie = async (context, name) =>
  (await context.cookies()).find((c) => c.name === name);

export async function logOut(page) {
  await page.click('#nav-menu-dropdown');
  await page.click('text="Log Out"');
}
