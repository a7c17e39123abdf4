// The application in a real browser, on a real chain: from product to sale, refusals in plain words, a recall that turns the page red.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PHONE, city, deploy } from '../../../tests/browser/harness.mjs';

const id = fileURLToPath(new URL('.', import.meta.url)).split('/').filter(Boolean).pop();
const at = `/applications/${id}`;
const PRODUCT = '06901234567892';
const LOT = `${PRODUCT}/20261108-A`;

const stage = city();
let codes;
const send = (page) => Promise.all([page.waitForNavigation(), page.click('main form[method=post] .btn-primary, main form[method=post] .btn-danger')]);
const atDesk = async (page, call, text, destination) => {
  await page.fill('#field-codes', text);
  if (destination) await page.selectOption('#field-destination', destination);
  await Promise.all([page.waitForNavigation(), page.click(`button[value=${call}]`)]);
};

test('it is deployed with sample data and passes its acceptance checks', async () => {
  const visitor = await stage.arrive();
  const { page } = visitor;
  await visitor.signIn('trace-admin');
  await deploy(visitor, id);
  await visitor.leave();
});

test('a producer registers a product and a lot, commissions codes and ships', async () => {
  const visitor = (await stage.arrive()).allow(422);
  const { page } = visitor;
  await visitor.signIn('trace-officer');
  await visitor.go(`${at}/act/goods/register_product`);
  await page.fill('#field-product', '123');
  await page.fill('#field-name', '云岭高山茶');
  await send(page);
  assert.match(await visitor.text('.error-summary'), /123.*校验位/);
  assert.equal(await page.inputValue('#field-name'), '云岭高山茶', 'what was typed is kept');
  await visitor.look(`${id}-product-refused`);
  await page.fill('#field-product', PRODUCT);
  await send(page);
  await visitor.go(`${at}/act/goods/open_lot`);
  await page.selectOption('#field-product', PRODUCT);
  for (const [name, value] of [['lot', '20261108-A'], ['made_on', '2026-11-08'], ['expire_on', '2099-05-30'], ['quantity', '24'], ['place', '云川市'], ['line', '2 号线']]) await page.fill(`#field-${name}`, value);
  await visitor.look(`${id}-lot-form`);
  await send(page);
  assert.match(await visitor.text('h1'), /20261108-A/);
  await page.click('.head >> text=赋码');
  await page.fill('#field-make_codes', '5');
  await send(page);
  assert.match(await visitor.text(), /已赋码\s*5/);
  await visitor.look(`${id}-lot`);
  await visitor.go(`${at}/pages/items?product=${PRODUCT}`);
  await visitor.look(`${id}-items`);
  codes = await page.locator('td.main a').allInnerTexts();
  assert.equal(codes.length, 5);
  await visitor.go(`${at}/pages/labels?lot=${encodeURIComponent(LOT)}`);
  assert.equal(await page.locator('.labels svg').count(), 5);
  await visitor.look(`${id}-labels`);
  await visitor.go(`${at}/pages/desk`);
  await visitor.look(`${id}-desk`);
  await atDesk(page, 'ship', codes.slice(0, 2).join('\n'), 'commerce');
  assert.match(await visitor.text('.note-line.ok'), /发货/);
  await atDesk(page, 'ship', codes[0], 'commerce');
  assert.match(await visitor.text('.error-summary'), /正在运往.*市商务局/);
  assert.equal(await page.inputValue('#field-codes'), codes[0], 'the code is kept');
  await visitor.look(`${id}-desk-refused`);
  await visitor.leave();
});

test('another organisation receives and sells; what it does not hold, and a second sale, are refused in plain words', async () => {
  const visitor = (await stage.arrive()).allow(422);
  const { page } = visitor;
  await visitor.signIn('trace-seller');
  await visitor.go(`${at}/pages/desk`);
  await atDesk(page, 'sell', codes[4]);
  assert.match(await visitor.text('.error-summary'), /市市场监管局.*持有/);
  await atDesk(page, 'receive', codes[0]);
  assert.match(await visitor.text('.note-line.ok'), /收货/);
  await atDesk(page, 'sell', codes[0]);
  assert.match(await visitor.text('.note-line.ok'), /销售/);
  await atDesk(page, 'sell', codes[0]);
  assert.match(await visitor.text('.error-summary'), /已经售出/);
  await visitor.go(`${at}/pages/item/record?id=${codes[0]}&tab=timeline`);
  assert.match(await visitor.text('.timeline'), /售出[\s\S]*收货[\s\S]*发货[\s\S]*赋码/);
  await visitor.look(`${id}-item`);
  await visitor.leave();
});

test('a citizen sees where it comes from, and the page is red within one block of a recall', async () => {
  const citizen = (await stage.arrive({ viewport: PHONE })).allow(404);
  await citizen.go(`/t/food/${codes[1]}`);
  assert.match(await citizen.text('.verdict'), /正常在售\s*第 1 次查询/);
  await citizen.look(`${id}-public`);
  await citizen.go(`/t/food/${codes[0]}`);
  assert.match(await citizen.text('.verdict'), /已售出/);
  await citizen.page.click('#verify');
  await citizen.page.waitForSelector('#proof-result:not([hidden])');
  assert.match(await citizen.text('#proof-result'), /本机核验通过/);
  await citizen.look(`${id}-public-verified`);
  const regulator = await stage.arrive();
  await regulator.signIn('trace-officer');
  await regulator.go(`${at}/pages/lot/record?id=${encodeURIComponent(LOT)}`);
  await regulator.page.click('.head >> text=发起召回');
  await regulator.page.selectOption('#field-level', '1');
  await regulator.page.fill('#field-reason', '检出异物');
  await regulator.page.fill('#field-measures', '立即停售并退货');
  await regulator.look(`${id}-recall`);
  await send(regulator.page);
  await citizen.go(`/t/food/${codes[1]}`);
  assert.match(await citizen.text('.verdict'), /召回中/);
  assert.ok(await citizen.page.locator('.verdict.bad').count());
  await citizen.look(`${id}-public-recalled`);
  const plain = await stage.arrive({ viewport: PHONE, javaScript: false });
  await plain.go(`/t/food/${codes[0]}`);
  assert.match(await plain.text('.verdict'), /召回中.*第 \d+ 次查询/s);
  await plain.leave();
  assert.equal(await citizen.go(`/t/food/${PRODUCT}QQQQQQQQQQQQQQQQQQQQ`), 404);
  assert.match(await citizen.text('.verdict'), /查无此码/);
  await citizen.leave();
  await regulator.go(`${at}/pages/recalls`);
  await regulator.look(`${id}-recalls`);
  await regulator.leave();
});

test('in English and dark the pages are whole', async () => {
  const visitor = await stage.arrive({ lang: 'en', theme: 'dark' });
  await visitor.signIn('trace-officer');
  for (const path of [at, `${at}/pages/lots`, `${at}/pages/desk`, `${at}/pages/item/record?id=${codes[0]}&tab=timeline`]) {
    await visitor.go(path);
    await visitor.look(`${id}-en${path.replace(/[/?&=]/g, '-')}`);
  }
  await visitor.leave();
});
