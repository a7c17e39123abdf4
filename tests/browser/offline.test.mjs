// The one-file verifier, as somebody would use it from a USB stick: file://, a real Chromium, network off.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { page as built } from '../../.make/offline-page.mjs';

const require = createRequire(import.meta.url);
const committed = fileURLToPath(new URL('../../web/static/verify.html', import.meta.url));
const data = fileURLToPath(new URL('../../chain-node/types/testdata/', import.meta.url));
const { trust } = JSON.parse(readFileSync(join(data, 'package/expected.json')))[0];
const stick = mkdtempSync(join(tmpdir(), 'citychain-stick-'));
const deed = 'deed of sale, page 1 of 1';
let browser;

before(async () => {
  copyFileSync(committed, join(stick, 'verify.html'));
  for (const name of ['transaction', 'digest', 'state', 'statement', 'later-set']) copyFileSync(join(data, `package/${name}.evp`), join(stick, `${name}.evp`));
  copyFileSync(join(data, 'evidence/digest.cbor'), join(stick, 'evidence.cbor'));
  writeFileSync(join(stick, 'deed.txt'), deed);
  writeFileSync(join(stick, 'other.txt'), `${deed}.`);
  const executablePath = [process.env.CHROMIUM_BIN, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && existsSync(path));
  assert.ok(executablePath, 'no Chromium found: install the chromium package or set CHROMIUM_BIN');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
});
after(async () => {
  if (browser) await browser.close();
  rmSync(stick, { recursive: true, force: true });
});

/** Opens the page, does something with it, and holds it to its promises. */
async function visit(options, act) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...options });
  await context.setOffline(true);
  const page = await context.newPage(), wrong = [], asked = [];
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) wrong.push(message.text()); });
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(pathToFileURL(join(stick, 'verify.html')).href);
  await act(page);
  assert.deepEqual(wrong, []);
  assert.deepEqual(asked, [pathToFileURL(join(stick, 'verify.html')).href], 'nothing but the file itself is loaded');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing scrolls sideways');
  await context.close();
}

const done = (page) => page.waitForSelector('#result:not([hidden]) .verdict:not(.busy)');
const outcomes = (page) => page.$$eval('#checks li', (lines) => Object.fromEntries(lines.map((line) => [line.dataset.check, line.className])));
async function check(page, evidence, original) {
  await page.fill('#trust', trust);
  if (original) await page.setInputFiles('#original', join(stick, original));
  await page.setInputFiles('#evidence', join(stick, evidence));
  await done(page);
  return outcomes(page);
}

test('the committed file is what its sources make', () => {
  assert.equal(readFileSync(committed, 'utf8'), built());
  assert.ok(readFileSync(committed).length <= 96 * 1024, 'small enough for any stick');
});

test('its policy allows one script, one style and no connection', () => {
  const html = readFileSync(committed, 'utf8');
  const policy = /Content-Security-Policy" content="([^"]+)"/.exec(html)[1];
  const of = (name) => `'sha256-${createHash('sha256').update(new RegExp(`<${name}>([\\s\\S]*)</${name}>`).exec(html)[1]).digest('base64')}'`;
  assert.equal(policy, `default-src 'none'; script-src ${of('script')}; style-src ${of('style')}; base-uri 'none'; form-action 'none'`);
  assert.doesNotMatch(html, /\bsrc=|\bhref=|\bon[a-z]+=/);
});

test('packages of every kind and a bare core pass', async () => {
  for (const name of ['transaction.evp', 'digest.evp', 'later-set.evp', 'statement.evp', 'state.evp', 'evidence.cbor']) {
    await visit({}, async (page) => {
      const found = await check(page, name);
      assert.ok(!Object.values(found).includes('fail'), `${name}: ${JSON.stringify(found)}`);
      assert.equal(found.genesis, 'pass', name);
      if (name.endsWith('.evp')) assert.deepEqual([found.package, found.reports, found.provenance], ['pass', 'pass', 'none'], name);
      if (!/state.evp|cbor/.test(name)) assert.equal(found.cosignatures, 'pass', name);
      assert.match(await page.textContent('#verdict'), /^Valid/);
    });
  }
});

test('one changed byte fails, wherever it is', async () => {
  const good = readFileSync(join(stick, 'digest.evp'));
  await visit({}, async (page) => {
    await page.fill('#trust', trust);
    for (const at of [60, 700, 2500, 4000, 6500, 9000, good.length - 30]) {
      const bytes = Buffer.from(good);
      bytes[at] ^= 4;
      await page.setInputFiles('#evidence', { name: `byte-${at}.evp`, mimeType: 'application/octet-stream', buffer: bytes });
      await page.waitForSelector('.verdict.bad');
      assert.equal((await outcomes(page)).package, 'fail', `byte ${at}`);
      await page.setInputFiles('#evidence', join(stick, 'digest.evp'));
      await page.waitForSelector('.verdict.ok');
    }
  });
});

test('the original file is compared on this device, and another chain is not believed', async () => {
  await visit({}, async (page) => {
    assert.equal((await check(page, 'digest.evp', 'deed.txt')).file, 'pass');
    await page.setInputFiles('#original', join(stick, 'other.txt'));
    await page.waitForSelector('.verdict.bad');
    assert.equal((await outcomes(page)).file, 'fail');
    await page.fill('#trust', 'f'.repeat(64));
    await page.waitForSelector('[data-check=genesis].fail');
    await page.fill('#trust', 'f'.repeat(63));
    await page.waitForSelector('#trust-wrong:not([hidden])');
  });
  await visit({}, async (page) => {
    await page.setInputFiles('#evidence', join(stick, 'digest.evp'));
    await page.waitForSelector('.verdict.warn');
    assert.match(await page.textContent('#verdict'), /which chain is open/);
  });
});

test('in both languages, both themes and on a phone it reads well and is accessible', async () => {
  const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
  const views = [['zh-CN', 'light', 1280], ['en-GB', 'dark', 1280], ['zh-CN', 'dark', 390], ['en-GB', 'light', 390]];
  for (const [locale, colorScheme, width] of views) {
    await visit({ locale, colorScheme, viewport: { width, height: 844 }, bypassCSP: true }, async (page) => {
      await check(page, 'digest.evp', 'deed.txt');
      assert.match(await page.textContent('#verdict h2'), locale === 'zh-CN' ? /证据有效/ : /Valid/);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`), []);
      if (process.env.SCREENSHOTS) {
        mkdirSync(process.env.SCREENSHOTS, { recursive: true });
        await page.screenshot({ path: join(process.env.SCREENSHOTS, `offline-${locale}-${colorScheme}-${width}.png`), fullPage: true });
      }
      await page.click('#language');
      assert.match(await page.textContent('#verdict h2'), locale === 'zh-CN' ? /Valid/ : /证据有效/);
    });
  }
});
