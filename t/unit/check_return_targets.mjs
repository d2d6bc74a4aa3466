// SPDX-License-Identifier: Apache-2.0
// Compares the guard of return targets with a WHATWG URL parser (that of node, which is the one of
// the browsers' standard). Whatever the guard accepts must resolve to our own origin, and to a path
// that does not start with two slashes.
//
//   node check_return_targets.mjs BUILD/return_target_verdicts
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ORIGIN = 'https://app.example';
const here = dirname(fileURLToPath(import.meta.url));
const program = process.argv[2];
if (!program) {
  console.error('usage: node check_return_targets.mjs VERDICT_PROGRAM');
  process.exit(2);
}

function unescape(line) {
  const bytes = [];
  for (let i = 0; i < line.length; i++) {
    if (line[i] !== '\\') {
      bytes.push(line.charCodeAt(i));
    } else if (line[i + 1] === 'x') {
      bytes.push(parseInt(line.slice(i + 2, i + 4), 16));
      i += 3;
    } else {
      bytes.push(0x5c);
      i += 1;
    }
  }
  return Buffer.from(bytes);
}

// { refused: [...], harmless: [...] }, split at the line HARMLESS.
function load(name) {
  const lists = { before: [], after: [] };
  let list = lists.before;
  // The last line end does not start another entry.
  for (const line of readFileSync(join(here, name), 'latin1').replace(/\n$/, '').split('\n')) {
    if (line.startsWith('# ')) {
      list = line.startsWith('# HARMLESS') ? lists.after : list;
    } else {
      list.push(unescape(line));
    }
  }
  return lists;
}

function verdicts(targets) {
  const input = targets.map((t) => t.toString('base64url') + '\n').join('');
  const run = spawnSync(program, { input, maxBuffer: 1 << 28 });
  if (run.status !== 0) {
    console.error(String(run.stderr || run.error));
    process.exit(2);
  }
  const lines = run.stdout.toString().trim().split('\n');
  if (lines.length !== targets.length) {
    console.error(`${targets.length} questions, ${lines.length} answers`);
    process.exit(2);
  }
  return lines.map((line) => line === '1');
}

let failures = 0;
function report(text, target) {
  failures += 1;
  if (failures <= 20) {
    console.error(`${text}: ${JSON.stringify(target.toString('latin1'))}`);
  }
}

// Is the parser of the same opinion about what was accepted?
function staysAtHome(target) {
  try {
    const url = new URL(target.toString('utf8'), ORIGIN + '/deep/page?x=1');
    return url.origin === ORIGIN && !url.pathname.startsWith('//') && url.username === '';
  } catch {
    return false;
  }
}

function check(name, targets, expected) {
  let accepted = 0;
  verdicts(targets).forEach((safe, i) => {
    accepted += safe ? 1 : 0;
    if (safe && !staysAtHome(targets[i])) {
      report('accepted, but leaves our origin', targets[i]);
    } else if (expected !== undefined && safe !== expected) {
      report(expected ? 'refused a good one' : 'accepted a hostile one', targets[i]);
    }
  });
  console.log(`${name}: ${targets.length} targets, ${accepted} accepted`);
}

const hostile = load('return_targets.txt');
check('hostile', hostile.before, false);
check('harmless', hostile.after, true);
check('good', load('return_targets_good.txt').before, true);

// Every way to nest the hostile ones in escapes or behind a path is harmless or refused.
const nested = [];
for (const target of hostile.before) {
  const text = target.toString('latin1');
  const quoted = encodeURIComponent(target.toString('utf8'));
  for (const made of ['/' + text, '/x/' + text, '/.' + text, '/x/..' + text, '/%2e' + text,
    '/?next=' + text, '/' + quoted, '/x/../' + quoted, '/' + encodeURIComponent(quoted)]) {
    nested.push(Buffer.from(made, 'latin1'));
  }
}
check('nested', nested);

// All strings of up to five pieces that matter to a URL parser, behind a first slash.
const pieces = ['/', '\\', '.', '%2e', '%2f', '%5C', 'e', '@', ':', '?', '#', '\t', '%09'];
let level = ['/'];
for (let length = 1; length <= 5; length++) {
  level = level.flatMap((start) => pieces.map((piece) => start + piece));
  check(`all of ${length} pieces`, level.map((text) => Buffer.from(text, 'latin1')));
}
const dots = ['/', '.', '..', '%2E', '%2e.', 'x', '/..', '//'];
level = ['/'];
for (let length = 1; length <= 6; length++) {
  level = level.flatMap((start) => dots.map((piece) => start + piece));
  check(`dot segments of ${length} pieces`, level.map((text) => Buffer.from(text, 'latin1')));
}

if (failures > 0) {
  console.error(`${failures} failures`);
  process.exit(1);
}
