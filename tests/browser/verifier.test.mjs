// The browser's verifier reaches the verdicts of chain-types, check by check and in the same words, on everything that
// `cargo test -p chain-types` has committed under chain-node/types/testdata.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';

const source = new URL('../../web/static/verifier.js', import.meta.url);
const data = new URL('../../chain-node/types/testdata/', import.meta.url);
const verifier = createRequire(import.meta.url)(source.pathname);
const { sha256, sha512, verifyStrict, verifyZip215, read } = verifier.parts;

const json = (name) => JSON.parse(readFileSync(new URL(name, data)));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (b) => Buffer.from(b).toString('hex');
const ascii = (s) => new Uint8Array(Buffer.from(s, 'latin1'));
const packageOf = (name) => new Uint8Array(readFileSync(new URL(`evidence/${name}.cbor`, data)));
const inputs = (of) => ({ trust: of.trust, fileHash: of.file_hash });

// Why bytes do not decode is left to each verifier, as are numbers from 10^15 on (see vectors.rs).
const openings = ['not an evidence package', 'genesis ', 'transaction ', 'not a digest entry', 'the account record '];
const comparable = (detail) =>
  openings.find((opening) => detail.startsWith(opening)) ??
  (detail.startsWith('account: ')
    ? 'the account record '
    : detail.split(' ').map((word) => (/^(\d{16,}|NaN),?$/.test(word) ? '#' : word)).join(' '));
const checked = (check) => ({ ...check, detail: comparable(check.detail) });
const compared = (report) => ({ ...report, checks: report.checks.map(checked) });
const failed = (report) => report.checks.filter((c) => c.outcome === 'fail').map((c) => c.name);
// Above what this verifier can count to: it must refuse what chain-types can still prove.
const beyond = ({ name }) => name === 'numbers-beyond-2-53';

test('SHA-256 and SHA-512 give the examples of FIPS 180-4', () => {
  const abc = ascii('abc');
  const twoBlocks = ascii('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq');
  const long = ascii(
    'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
  );
  const cases = [
    [sha256, new Uint8Array(0), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [sha256, abc, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [sha256, twoBlocks, '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
    [sha256, new Uint8Array(1e6).fill(97), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
    [sha512, abc, 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a' +
      '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f'],
    [sha512, long, '8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018' +
      '501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909'],
  ];
  for (const [hash, message, digest] of cases) assert.equal(hex(hash(message)), digest);
});

test('both hashes agree with another implementation at every length around a block', () => {
  for (let n = 0; n < 300; n++) {
    const message = new Uint8Array(n).map((_, i) => (i * 7 + n) & 255);
    assert.equal(hex(sha256(message)), createHash('sha256').update(message).digest('hex'), `sha-256 of ${n} bytes`);
    assert.equal(hex(sha512(message)), createHash('sha512').update(message).digest('hex'), `sha-512 of ${n} bytes`);
  }
});

test('both rules of Ed25519 judge published, small-order and ordinary signatures as the nodes do', () => {
  const cases = json('ed25519.json');
  assert.ok(cases.length > 250);
  for (const { name, key, message, signature, strict, zip215 } of cases) {
    const given = [bytes(key), bytes(message), bytes(signature)];
    assert.equal(verifyStrict(...given), strict, `strict: ${name}`);
    assert.equal(verifyZip215(...given), zip215, `ZIP 215: ${name}`);
  }
  assert.ok(cases.some((c) => c.strict) && cases.some((c) => c.zip215 && !c.strict) && cases.some((c) => !c.zip215));
});

test('CBOR in any but its one form is refused', () => {
  for (const [item, isRead] of json('cbor.json')) {
    let reads = true;
    try {
      read('item', bytes(item), 'v');
    } catch (e) {
      assert.match(e, /^item: not as the format demands at byte \d+$/);
      reads = false;
    }
    assert.equal(reads, isRead, `item ${item}`);
  }
});

test('every package gets the same report', () => {
  const cases = json('evidence/expected.json');
  assert.ok(cases.length > 80);
  for (const of of cases.filter((c) => !beyond(c))) {
    assert.deepEqual(compared(verifier.verify(packageOf(of.name), inputs(of))), of.report, of.name);
  }
});

test('numbers that it cannot count to are refused, never rounded', () => {
  const of = json('evidence/expected.json').find(beyond);
  const report = verifier.verify(packageOf(of.name), inputs(of));
  assert.deepEqual(failed(report), ['header', 'path']);
  assert.equal(report.valid, false);
});

test('one changed byte anywhere fails the same checks for the same reasons', () => {
  const all = json('evidence/changed-bytes.json');
  const names = json('evidence/expected.json')[0].report.checks.map((c) => c.name);
  assert.equal(all.packages.length, 3);
  for (const of of all.packages) {
    const good = packageOf(of.name);
    assert.equal(of.failed.length, 3 * good.length);
    assert.ok(verifier.verify(good, inputs(all)).checks.length === 11);
    // chain-types tries every place; here, so many that every field is hit.
    for (let at = 0; at < good.length; at += of === all.packages[0] ? 3 : 7) {
      const changed = good.slice();
      changed[at] ^= 1 << at % 8;
      const report = verifier.verify(changed, inputs(all));
      const set = failed(report).reduce((sum, name) => sum + 2 ** names.indexOf(name), 0);
      const said = report.checks.map((c) => `${c.name} ${comparable(c.detail)}\n`).join('');
      const mark = createHash('sha256').update(said).digest('hex').slice(0, 5);
      assert.equal(report.valid, false, `${of.name}, byte ${at}`);
      assert.equal(set.toString(16).padStart(3, '0'), of.failed.substr(3 * at, 3), `${of.name}, byte ${at}:\n${said}`);
      assert.equal(mark, of.said.substr(5 * at, 5), `${of.name}, byte ${at}:\n${said}`);
    }
  }
});

test('any bytes are refused without an error', () => {
  const good = packageOf('transaction');
  let seed = 1;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let i = 0; i < 900; i++) {
    const bytes = good.slice(0, i % 3 ? good.length : random(good.length));
    for (let n = random(4) + 1; n > 0; n--) bytes[random(bytes.length)] = random(256);
    const unchanged = hex(bytes) === hex(good);
    // Errors would be thrown; certificates are what costs time, so most rounds break them early.
    if (i % 3) bytes[random(40) + 900] ^= 1 + random(255);
    assert.equal(verifier.verify(bytes, {}).valid, unchanged && !(i % 3));
  }
});

test('an envelope beyond the limit of a transaction is refused', () => {
  const good = Buffer.from(packageOf('transaction-no-change'));
  const start = good.indexOf(Buffer.from('6b7472616e73616374696f6e', 'hex')) + 12;
  const long = Buffer.concat([
    good.subarray(0, start),
    Buffer.from('5a00080001', 'hex'),
    good.subarray(start + 3, start + 3 + good.readUInt16BE(start + 1)),
    Buffer.alloc(524289 - good.readUInt16BE(start + 1)),
    good.subarray(start + 3 + good.readUInt16BE(start + 1)),
  ]);
  assert.deepEqual(failed(verifier.verify(new Uint8Array(long), {})), ['path', 'signature']);
});

test('checks are told one by one, and the report is that of one go', async () => {
  for (const of of json('evidence/expected.json').slice(0, 12)) {
    const told = [];
    const report = await verifier.verifyAsync(packageOf(of.name), inputs(of), (check) => told.push(check));
    assert.deepEqual(told.map(checked), beyond(of) ? told.map(checked) : of.report.checks);
    assert.deepEqual(report, verifier.verify(packageOf(of.name), inputs(of)));
  }
});

test('a page stays responsive while a package is checked', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await verifier.verifyAsync(packageOf('transaction'), {}, () => {});
  clearInterval(timer);
  assert.ok(turns >= 5, `${turns} turns`);
});

test('a fingerprint or hash that is none is a mistake of the page, not a verdict', () => {
  const good = packageOf('transaction');
  for (const wrong of ['', 'abc', 'g'.repeat(64), new Uint8Array(31), 7]) {
    assert.throws(() => verifier.verify(good, { trust: wrong }), Error);
    assert.throws(() => verifier.verify(good, { fileHash: wrong }), Error);
  }
  const { trust } = json('evidence/changed-bytes.json');
  assert.ok(verifier.verify(good, { trust: trust.toUpperCase() }).fingerprint === trust);
  assert.ok(verifier.verify(good, { trust: bytes(trust) }).valid);
});

test('a file of any size is hashed in pieces and the progress ends at the end', async () => {
  for (const size of [0, 1, 63, 64, 65, 1048576, 3500001]) {
    const content = new Uint8Array(size).map((_, i) => (i * 31) >> 3);
    const progress = [];
    const digest = await verifier.hashFile(new Blob([content]), (done, all) => progress.push([done, all]));
    assert.equal(digest, createHash('sha256').update(content).digest('hex'), `${size} bytes`);
    if (size) assert.deepEqual(progress.at(-1), [size, size]);
    assert.ok(progress.every(([done], i) => i === 0 || done > progress[i - 1][0]));
  }
});

test('without a file, nothing is known and nothing is claimed', () => {
  const report = verifier.verify(packageOf('state'));
  assert.equal(report.valid, true);
  assert.equal('fingerprint' in report || 'signer' in report, false);
});

test('a page gets it as a global, on plain http', async () => {
  const page = vm.createContext({ self: {}, TextDecoder, Response, atob, setTimeout });
  vm.runInContext(readFileSync(source, 'utf8'), page);
  const inPage = page.self.CityChainVerifier;
  assert.equal(await inPage.hashFile(new Blob(['abc'])), createHash('sha256').update('abc').digest('hex'));
  assert.deepEqual(Object.keys(inPage), ['verify', 'verifyAsync', 'hashFile', 'parts']);
});

test('it stays within its size and asks nothing of newer browsers', () => {
  const text = readFileSync(source);
  assert.ok(text.length <= 25 * 1024, `${text.length} bytes, ${gzipSync(text).length} compressed`);
  const code = text.toString().replace(/\/\*[\s\S]*?\*\//g, '');
  const newer = [/\?\.[a-z[(]/, /\?\?/, /\bBigInt\b|\b\d+n\b/, /\bsubtle\b/, /^(import|export)\b/m, /\beval\b|new Function/,
    /\bfetch\b|XMLHttpRequest/, /https?:/, /\{\s*\.\.\./, /catch \{/, /\.(flat|flatMap|at|fromEntries)\(/, /#[a-z]\w*\s*[(=;]/];
  for (const syntax of newer) assert.doesNotMatch(code, syntax);
});
