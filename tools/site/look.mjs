// SPDX-License-Identifier: Apache-2.0
// Looks at the built documentation site in Debian's Chromium: one page of each kind, wide and narrow, light
// and dark. Nothing goes to another host, nothing is wider than the window, axe finds nothing serious, the
// search finds names; a page that is not there looks like the others.
//
// Usage: node tools/site/look.mjs HTML PICTURES [NAME...]
import { createServer } from 'node:http';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

const KINDS = {
  '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.json': 'application/json',
  '.svg': 'image/svg+xml', '.png': 'image/png',
};
const NOWHERE = 'nowhere/';   // what the web server answers with 404.html
// One of each kind of page.
const PAGES = {
  home: '', ladder: 'start/any-site/', guide: 'espocrm/keycloak/', section: 'operations/several-machines/',
  list: 'directives/', directive: 'directives/session_refresh/', reasons: 'reasons/', reason: 'reasons/state_unknown/',
  variable: 'variables/oidc_access_token/', metric: 'metrics/oidc_store_used_bytes/', lines: 'log-lines/',
  inner: 'directives/oidc_session_store/key_file/', moving: 'migration/oauth2-proxy/', missing: NOWHERE, file: 'files/ops/check-vhost/', architecture: 'develop/architecture/the-house/',
  metrics: 'metrics/', lookup: 'look-up/', provider: 'providers/entra/', backend: 'backends/php/', trouble: 'espocrm/authelia-trouble/',
};
const WINDOWS = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } };

const [root, pictures] = process.argv.slice(2, 4).map((name) => path.resolve(name));
const asked = process.argv.slice(4);   // names of pages; none: all
const problems = [];
const PATIENCE = 120_000;   // milliseconds, on a machine that has other things to do

async function answer(request, response) {
  try {
    let file = path.join(root, path.normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname)));
    if ((await stat(file)).isDirectory()) file = path.join(file, 'index.html');
    const body = await readFile(file);
    response.writeHead(200, { 'Content-Type': KINDS[path.extname(file)] ?? 'application/octet-stream' });
    response.end(body);
  } catch {
    response.writeHead(404, { 'Content-Type': KINDS['.html'] });
    response.end(await readFile(path.join(root, '404.html')));
  }
}

async function look(page, origin, place, title) {
  await page.goto(`${origin}/${place}`);
  await page.waitForTimeout(150);
  const [wide, room] = await page.evaluate(() => [document.scrollingElement.scrollWidth, window.innerWidth]);
  if (wide > room) problems.push(`${title}: ${wide} pixels wide, the window has ${room}`);
  await page.screenshot({ path: path.join(pictures, `${title.replaceAll(' ', '-')}.png`) });
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
  for (const { id, impact, help, nodes } of found.violations) {
    if (impact === 'serious' || impact === 'critical') {
      problems.push(`${title}: axe: ${id}: ${help}: ${nodes.slice(0, 8).map((node) => node.html.replace(/\s+/g, ' ').slice(0, 110)).join(' | ')}`);
    }
  }
}

async function search(page, origin, words, place) {
  await page.goto(origin);
  await page.click('[data-md-component=search-query]');
  await page.keyboard.type(words);
  const first = page.locator('.md-search-result__link').first();
  try {
    await first.waitFor();
  } catch {
    problems.push(`search for ${words}: no result`);
    return;
  }
  await page.waitForTimeout(500);
  await page.screenshot({ path: path.join(pictures, `search-${words}.png`) });
  const leads = await first.getAttribute('href');
  if (!leads.includes(place)) problems.push(`search for ${words}: the first result is ${leads}`);
}

const server = createServer(answer);
await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
const origin = `http://127.0.0.1:${server.address().port}`;
await rm(pictures, { recursive: true, force: true });
await mkdir(pictures, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'],
});
let looks = 0;
try {
  for (const [size, viewport] of Object.entries(WINDOWS)) {
    for (const colorScheme of ['light', 'dark']) {
      const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE);
      page.on('request', (request) => {
        if (!request.url().startsWith(origin) && !/^(data|blob):/.test(request.url())) problems.push(`asks for ${request.url()}`);
      });
      page.on('response', (response) => {
        if (response.status() >= 400 && response.url() !== `${origin}/${NOWHERE}`) problems.push(`${response.status()}: ${response.url()}`);
      });
      page.on('console', (message) => {
        if (message.type() === 'error' && message.location().url !== `${origin}/${NOWHERE}`) problems.push(`console: ${message.text()}`);
      });
      page.on('pageerror', (error) => problems.push(`script: ${error.message}`));
      for (const [name, place] of Object.entries(PAGES)) {
        if (asked.length && !asked.includes(name)) continue;
        await look(page, origin, place, `${name} ${size} ${colorScheme}`);
        looks += 1;
      }
      if (size === 'wide' && colorScheme === 'light') {
        await search(page, origin, 'state_unknown', 'reasons/state_unknown/');
        await search(page, origin, 'session_idle_timeout', 'directives/session_idle_timeout/');
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  server.close();
}
for (const problem of new Set(problems)) console.error(`site: ${problem}`);
console.log(`${looks} looks, ${new Set(problems).size} problems; pictures are in ${path.relative('.', pictures)}`);
process.exitCode = problems.length === 0 ? 0 : 1;
