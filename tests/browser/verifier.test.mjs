// The browser's verifier reaches the verdicts of chain-types, check by check and word by word, on everything that
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
const { sha256, sha512, verifyStrict, verifyZip215, readCbor } = verifier.parts;

const json = (name) => JSON.parse(readFileSync(new URL(name, data)));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (b) => Buffer.from(b).toString('hex');
const ascii = (s) => new Uint8Array(Buffer.from(s, 'latin1'));
const packageOf = (name) => new Uint8Array(readFileSync(new URL(`evidence/${name}.cbor`, data)));
const inputs = (of) => ({ trust: of.trust, fileHash: of.file_hash });

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

test('CBOR in any but its one form is refused with the same words', () => {
  for (const [item, refusal] of json('cbor.json')) {
    let said = '';
    try {
      readCbor(bytes(item));
    } catch (e) {
      said = e;
    }
    assert.equal(said, refusal, `item ${item}`);
  }
});

test('every package gets the same report', () => {
  const cases = json('evidence/expected.json');
  assert.ok(cases.length > 80);
  for (const of of cases) {
    assert.deepEqual(verifier.verify(packageOf(of.name), inputs(of)), of.report, of.name);
  }
});

test('one changed byte anywhere fails the same checks for the same reasons', () => {
  const all = json('evidence/changed-bytes.json');
  for (const { name, bytes: expected } of all.packages) {
    const good = packageOf(name);
    assert.equal(good.length, expected.length);
    assert.ok(verifier.verify(good, inputs(all)).valid);
    expected.forEach((line, at) => {
      const changed = good.slice();
      changed[at] ^= 1 << at % 8;
      const { valid, checks } = verifier.verify(changed, inputs(all));
      const failed = checks.filter((c) => c.outcome === 'fail').map((c) => c.name).join(' ');
      const said = checks.map((c) => `${c.name} ${c.detail}\n`).join('');
      const mark = createHash('sha256').update(said).digest('hex').slice(0, 8);
      assert.equal(valid, false, `${name}, byte ${at}`);
      assert.equal(`${failed} ${mark}`, line, `${name}, byte ${at}:\n${said}`);
    });
  }
});

test('checks are told one by one, and the report is that of one go', async () => {
  for (const of of json('evidence/expected.json').slice(0, 12)) {
    const told = [];
    const report = await verifier.verifyAsync(packageOf(of.name), inputs(of), (check) => told.push(check));
    assert.deepEqual(told, of.report.checks);
    assert.deepEqual(report, of.report);
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

test('an old browser, without the newer ways to read a file, hashes the same', async () => {
  const content = new Blob([ascii('deed of sale, page 1 of 1')]);
  class OldReader {
    readAsArrayBuffer(blob) {
      blob.whole.arrayBuffer().then((buffer) => {
        this.result = buffer.slice(blob.from, blob.to);
        this.onload();
      });
    }
  }
  const file = { size: content.size, slice: (from, to) => ({ whole: content, from, to }) };
  const window = {};
  const page = vm.createContext({ window, FileReader: OldReader, TextDecoder, Uint8Array, setTimeout });
  vm.runInContext(readFileSync(source, 'utf8'), page);
  assert.equal(await window.CityChainVerifier.hashFile(file), '1b85be6c' + createHash('sha256')
    .update('deed of sale, page 1 of 1').digest('hex').slice(8));
});

test('it stays within its size and asks nothing of newer browsers', () => {
  const text = readFileSync(source, 'utf8');
  assert.ok(text.length <= 25 * 1024, `${text.length} bytes, ${gzipSync(text).length} compressed`);
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
  for (const newer of [/\?\./, /\?\?/, /\bBigInt\b|\d+n\b/, /\bsubtle\b/, /\bimport\b|\bexport\b/, /\beval\b|new Function/,
    /\bfetch\b|XMLHttpRequest/, /https?:/, /\.\.\.\w+\s*[:,}]\s*\}/]) {
    assert.doesNotMatch(code, newer);
  }
});
