// SPDX-License-Identifier: Apache-2.0
// ops/check-vhost against the running site: no URL is more open than its switch says.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';

import { scenario } from '../browser.mjs';
import { caFile } from '../certificates.mjs';
import { root } from '../environment.mjs';
import * as site from '../site.mjs';
import { useProvider } from '../stage.mjs';

async function check(variant, open, told = open) {
  const { origin } = await useProvider('authelia', { variant, open });
  const { host } = new URL(origin);
  return new Promise((resolve) => {
    execFile('/usr/bin/python3', [path.join(root, 'ops/check-vhost'), origin, '--quiet',
      '--cacert', caFile, '--resolve', `${host}:127.0.0.1`, '--http-port', `${site.httpPort}`,
      ...(told.length ? ['--open', told.join()] : [])],
    (error, out, err) => resolve({ status: error?.code ?? 0, text: out + err }));
  });
}

export function checkVhostCases(variant) {
  scenario(`${variant}: ops/check-vhost, all switches off, each alone, all on`, async () => {
    for (const open of [[], ...site.SWITCHES.map((name) => [name]), site.SWITCHES]) {
      const { status, text } = await check(variant, open);
      assert.equal(status, 0, `with [${open}]:\n${text}`);
    }
  }, { timeout: 600000 });  // a dozen servers, some hundred requests to each

  scenario(`${variant}: ops/check-vhost sees a switch that is on and should not be`, async () => {
    const { status, text } = await check(variant, ['portal'], []);
    assert.equal(status, 1, text);
    assert.match(text, /\/portal\//);
  });
}
