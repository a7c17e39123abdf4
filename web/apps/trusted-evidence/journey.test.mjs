// The application in a real browser, on a real chain: deployed with one click, used by an officer, checked by a citizen who trusts nobody.

import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PHONE, city, deploy, until } from '../../../tests/browser/harness.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const id = folder.split('/').filter(Boolean).pop();
const sample = (name) => join(folder, 'sample', name);
const files = mkdtempSync(join(tmpdir(), 'citychain-journey-'));

const stage = city();
let number;

test('an administrator deploys it with one click, and it is ready after its own acceptance checks', async () => {
  const visitor = await stage.arrive();
  const { page } = visitor;
  await visitor.signIn('notary-admin');
  await visitor.go('/catalog');
  await visitor.look(`${id}-catalog`);
  await visitor.go(`/catalog/${id}`);
  await visitor.look(`${id}-template`);
  await deploy(visitor, id);
  await page.click('text=显示密钥');
  assert.match(await visitor.text('#key-curl'), /Authorization: Bearer/);
  await visitor.leave();
});

test('files become a number within five seconds, without leaving the machine', async () => {
  const visitor = (await stage.arrive()).allow(422);
  const { page } = visitor;
  writeFileSync(join(files, 'own.txt'), `original ${Date.now()}\n`);
  writeFileSync(join(files, 'changed.txt'), `original ${Date.now()}!\n`);
  await visitor.signIn('notary-officer');
  await visitor.go(`/applications/${id}/pages/mine`);
  await visitor.look(`${id}-list`);
  await page.click('text=新建存证');
  await page.selectOption('#field-category', 'contract');
  await page.fill('#field-title', '租赁合同');
  await page.fill('#field-party', '李四四');
  await page.click('main form button[type=submit]');
  await page.waitForSelector('.error-summary');
  assert.match(await visitor.text('.error-summary'), /取得方式.*必填[\s\S]*文件.*必填/);
  assert.equal(await page.inputValue('#field-title'), '租赁合同', 'what was typed is kept');
  await visitor.look(`${id}-form-errors`);
  await page.selectOption('#field-method', 'upload');
  const posted = [];
  page.on('request', (request) => { if (request.method() === 'POST') posted.push(request.postData() ?? ''); });
  await page.setInputFiles('.files input[type=file]', [join(files, 'own.txt'), sample('access-log.txt')]);
  await page.waitForSelector('.hashed li.done:nth-child(2)');
  const sent = Date.now();
  await Promise.all([page.waitForNavigation(), page.click('main form button[type=submit]')]);
  number = (await visitor.text('h1')).trim();
  assert.match(number, /^YC\d{12}$/);
  assert.ok(Date.now() - sent < 5000, 'a number within five seconds');
  assert.ok(posted.every((body) => !body.includes('original')), 'no content left the machine');
  assert.match(await visitor.text(), /李\*四/, 'a personal value is masked');
  await visitor.look(`${id}-record`);
  for (const tab of ['版本', '链上证明']) { await page.click(`.tabs >> text=${tab}`); await visitor.look(`${id}-record-${tab}`); }
  await visitor.leave();
});

test('a citizen checks by file and by number, and the own device verifies the proofs', async () => {
  const visitor = (await stage.arrive({ viewport: PHONE })).allow(404, 422);
  const { page } = visitor;
  await visitor.go('/v');
  await visitor.look(`${id}-public`);
  await Promise.all([page.waitForNavigation(), page.setInputFiles('#file', join(files, 'own.txt'))]);
  assert.match(page.url(), new RegExp(`/v/${number}`));
  assert.match(await visitor.text('.verdict'), /一致/);
  assert.equal(await page.locator('.checks .pass').count(), 0, 'nothing is ticked before this device has checked it');
  await page.click('#verify');
  await page.waitForSelector('#proof-result:not([hidden])');
  assert.match(await visitor.text('#proof-result'), /本机核验通过/);
  assert.equal(await page.locator('.checks .fail').count(), 0);
  await visitor.look(`${id}-public-verified`);
  await Promise.all([page.waitForNavigation(), page.setInputFiles('#file', join(files, 'changed.txt'))]);
  assert.match(await visitor.text('.verdict'), /不一致/);
  await visitor.look(`${id}-public-differs`);
  await visitor.go('/v');
  await Promise.all([page.waitForNavigation(), page.setInputFiles('#file', sample('changed.txt'))]);
  assert.match(await visitor.text('.verdict'), /未找到/);
  assert.equal(await visitor.go('/v/YC209900000001'), 404);
  assert.match(await visitor.text('.verdict'), /查无此编号/);
  await visitor.look(`${id}-public-missing`);
  await visitor.leave();
});

test('a package that was changed on its way fails on the reader\'s device', async () => {
  const visitor = await stage.arrive({ viewport: PHONE });
  const { page } = visitor;
  await visitor.go(`/v/${number}`);
  await page.route('**/evidence/**', async (route) => {
    const answer = await route.fetch();
    const body = Buffer.from(await answer.body());
    body[body.length - 40] ^= 1;
    await route.fulfill({ response: answer, body });
  });
  await page.click('#verify');
  await page.waitForSelector('#proof-result:not([hidden])');
  assert.match(await visitor.text('#proof-result'), /未通过/);
  await visitor.leave();
});

test('without JavaScript the server\'s verdict stands, and a fingerprint can be typed', async () => {
  const visitor = await stage.arrive({ viewport: PHONE, javaScript: false });
  await visitor.go(`/v/${number}`);
  assert.match(await visitor.text('.verdict'), /已存证/);
  await visitor.look(`${id}-public-no-script`);
  await visitor.leave();
});

test('in English and dark the pages are whole', async () => {
  const visitor = await stage.arrive({ lang: 'en', theme: 'dark' });
  await visitor.signIn('notary-officer');
  for (const path of ['/catalog', `/applications/${id}`, `/applications/${id}/pages/mine`, `/applications/${id}/act/evidence/anchor`, `/applications/${id}/members`]) {
    await visitor.go(path);
    await visitor.look(`${id}-en${path.replaceAll('/', '-')}`);
  }
  await visitor.leave();
});

test('another tenant does not find it', async () => {
  const visitor = (await stage.arrive()).allow(404);
  await visitor.signIn('trace-officer');
  for (const path of [`/applications/${id}`, `/applications/${id}/pages/mine`, `/applications/${id}/act/evidence/anchor`]) assert.equal(await visitor.go(path), 404, path);
  await visitor.leave();
});

test('it survives a console that is killed, and removing it keeps its history', async () => {
  await stage.site.restart('SIGKILL');
  const visitor = (await stage.arrive()).allow(404, 503);
  const { page } = visitor;
  await visitor.signIn('notary-admin');
  await until('the chain is found again', async () => (await visitor.go(`/applications/${id}/pages/record/record?id=${number}`)) === 200, 60000);
  await visitor.go(`/applications/${id}`);
  await page.click('[data-open=remove]');
  await page.fill('#remove [name=typed]', id);
  await Promise.all([page.waitForNavigation(), page.click('#remove button[type=submit]')]);
  await until('it is removed', async () => { await visitor.go(`/applications/${id}`); return /已卸载/.test(await visitor.text()); }, 30000);
  await visitor.go(`/applications/${id}/pages/record/record?id=${number}`);
  assert.match(await visitor.text(), /已卸载/);
  assert.match(await visitor.text(), new RegExp(number));
  assert.equal(await visitor.go(`/v/${number}`), 404, 'the public page is closed');
  await visitor.leave();
});
