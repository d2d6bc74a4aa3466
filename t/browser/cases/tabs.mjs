// SPDX-License-Identifier: Apache-2.0
// A browser that is started again opens all its pages at once, before anybody is signed in.
import assert from 'node:assert/strict';

import { cookie, fillProvider, scenario, WAIT } from '../browser.mjs';
import { useProvider } from '../stage.mjs';

// A page of EspoCRM that loads nothing else.
const target = (origin, id, length) => {
  const url = `${origin}/?entryPoint=image&id=${id}`;
  return length ? `${url}&x=`.padEnd(origin.length + length, 'x') : url;
};

// What nginx answers to a head that is too large, and to one of the backend's.
const TOO_LARGE = [400, 414, 431, 494, 502];

async function open(context, origin, targets) {
  const bad = [];
  const pages = await Promise.all(targets.map(() => context.newPage()));
  for (const page of pages) {
    page.on('response', (response) => {
      if (response.url().startsWith(origin) && TOO_LARGE.includes(response.status())) {
        bad.push(`${response.status()} ${response.url().slice(0, 120)}`);
      }
    });
  }
  await Promise.all(pages.map((page, i) => page.goto(targets[i])));
  await Promise.all(pages.map((page) => page.waitForSelector('input[name=username]')));
  return { pages, bad };
}

async function headSize(context, origin) {
  const cookies = await context.cookies(origin);
  return cookies.filter((c) => c.name.includes('NGX_OIDC_'))
    .reduce((sum, c) => sum + c.name.length + c.value.length + 3, 0);
}

const arrive = (page, url) => page.waitForURL(url, { waitUntil: 'commit', timeout: WAIT });

export function tabCases() {
  scenario('thirty restored tabs: the first sign-in signs all of them in', async ({ context }) => {
    const { origin } = await useProvider('authelia');
    const host = new URL(origin).hostname;
    // What the application keeps itself.
    await context.addCookies([{ name: 'application', value: 'a'.repeat(1000), domain: host, path: '/' }]);
    const targets = Array.from({ length: 30 }, (_, i) => target(origin, `tab-${i}`));
    const { pages, bad } = await open(context, origin, targets);
    assert.ok(await headSize(context, origin) <= 4000);
    // Any of them, not the last one.
    await fillProvider(pages[3], 'anna');
    await arrive(pages[3], targets[3]);
    assert.ok(await cookie(context, '__Host-NGX_OIDC_SESSION'));
    for (const [i, page] of pages.entries()) {
      if (i === 3) continue;
      // Half of them are filled in as well, half are opened anew.
      if (i % 2) await fillProvider(page, 'anna');
      else await page.goto(targets[i]);
      await arrive(page, targets[i]);
    }
    assert.deepEqual(bad, []);
    const left = (await context.cookies(origin)).filter((c) => c.name.includes('NGX_OIDC_LOGIN_'));
    assert.ok(left.length <= 30 && await headSize(context, origin) <= 4000);
  });

  // Beside the parts behind "#" there is room for a target of some 1,260 letters.
  for (const [length, least] of [[1200, 1], [1900, 0]]) {
    scenario(`twelve tabs of ${length} letters`, async ({ context }) => {
      const { origin } = await useProvider('authelia');
      const targets = Array.from({ length: 12 }, (_, i) => target(origin, `long-${i}`, length));
      const { pages, bad } = await open(context, origin, targets);
      assert.ok(await headSize(context, origin) <= 4000);
      let kept = 0;
      for (const [i, page] of pages.entries()) {
        await fillProvider(page, 'anna');
        // A long address of one of the logins is kept, the others end at the front page.
        await page.waitForURL((url) => url.href === targets[i] || url.href === `${origin}/`,
          { waitUntil: 'commit' });
        kept += page.url() === targets[i];
        await page.goto('about:blank');
      }
      assert.ok(kept >= least, 'no long address was kept');
      assert.deepEqual(bad, []);
      // Signed in, each long address opens.
      await pages[0].goto(targets[0]);
      assert.equal(pages[0].url(), targets[0]);
      assert.deepEqual(bad, []);
    });
  }
}
