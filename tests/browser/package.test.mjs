// The browser's reading of packages (.evp) reaches the verdicts of chain-types on everything that `cargo test -p chain-types` has
// committed under chain-node/types/testdata/package.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const require = createRequire(import.meta.url);
const packages = require('../../web/static/package.js');
const data = new URL('../../chain-node/types/testdata/', import.meta.url);
const crate = new URL('../../chain-node/types/src/evidence/package/', import.meta.url);
const templates = { zh: readFileSync(new URL('report.zh.html', crate), 'utf8'), en: readFileSync(new URL('report.en.html', crate), 'utf8') };
const expected = JSON.parse(readFileSync(new URL('package/expected.json', data)));
const file = (name) => new Uint8Array(readFileSync(new URL(`package/${name}.evp`, data)));
const inputs = (of) => ({ trust: of.trust, fileHash: of.file_hash, templates });
const failed = (report) => report.checks.filter((check) => check.outcome === 'fail').map((check) => check.name);

// CRC-32 again, in another way, to make right what a test has changed.
const crc = (b) => ~b.reduce((sum, x) => { sum ^= x; for (let i = 0; i < 8; i++) sum = sum & 1 ? 0xedb88320 ^ sum >>> 1 : sum >>> 1; return sum; }, -1) >>> 0;

function changed(bytes, member, at) {
  const b = bytes.slice(), view = new DataView(b.buffer);
  const header = (start, nameAt) => Buffer.from(b.subarray(start + nameAt, start + nameAt + member.length)).toString('latin1') === member;
  let content;
  for (let i = 0; i + 4 <= b.length; i++) {
    if (view.getUint32(i, true) === 0x04034b50 && header(i, 30)) {
      content = b.subarray(i + 30 + member.length, i + 30 + member.length + view.getUint32(i + 18, true));
      content[at] ^= 1 << at % 8;
      view.setUint32(i + 14, crc(content), true);
    }
    if (view.getUint32(i, true) === 0x02014b50 && header(i, 46)) view.setUint32(i + 16, crc(content), true);
  }
  return b;
}

test('every package gets the same report', async () => {
  assert.equal(expected.length, 5);
  for (const of of expected) {
    const report = packages.verify(file(of.name), inputs(of));
    assert.deepEqual(report.checks, of.checks, of.name);
    assert.equal(report.valid, true);
    const told = await packages.verifyAsync(file(of.name), inputs(of), () => {});
    assert.deepEqual(told, report);
  }
});

test('a changed bit of any member fails the same checks, even under a right checksum', () => {
  for (const of of expected) {
    for (const [member, at, names] of of.changed) {
      const report = packages.verify(changed(file(of.name), member, at), inputs(of));
      assert.deepEqual(failed(report), names, `${of.name}: ${member} byte ${at}`);
    }
  }
});

test('a changed byte anywhere in the file is noticed', () => {
  const good = file('statement');
  for (let at = 0; at < good.length; at += 3) {
    const bytes = good.slice();
    bytes[at] ^= 1 << at % 8;
    assert.equal(packages.verify(bytes, { templates }).valid, false, `byte ${at}`);
  }
});

test('any bytes are refused without an error', () => {
  const good = file('digest');
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let i = 0; i < 500; i++) {
    const bytes = good.slice(0, i % 2 ? good.length : random(good.length));
    for (let n = random(5) + 1; n > 0; n--) bytes[2 + random(bytes.length)] = random(256);
    packages.verify(bytes, { templates });
  }
  assert.equal(packages.verify(Uint8Array.from([0x50, 0x4b, 5, 6, ...Array(18).fill(0)])).valid, false);
});

test('without templates the reports are not compared, and the check says so', () => {
  const report = packages.verify(file('digest'), {});
  assert.equal(report.checks.find((check) => check.name === 'reports').outcome, 'not_applicable');
  assert.equal(report.valid, true);
});

test('evidence without a package is verified as it always was', () => {
  const bytes = new Uint8Array(readFileSync(new URL('evidence/digest.cbor', data)));
  assert.equal(packages.verify(bytes, {}).checks.length, 11);
});
