// People and their roles in a real browser: the page of everybody, a second role that works at once in the session that is open, and the
// last administrator who stays.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Visitor, startBrowser, startConsole } from './harness.mjs';

let site, browser;

before(async () => { [site, browser] = await Promise.all([startConsole(), startBrowser()]); });
after(async () => { await browser?.close(); await site?.stop(); });

const person = async (visitor, login) => {
  await visitor.go(`/people?q=${login}`);
  await Promise.all([visitor.page.waitForNavigation(), visitor.page.click('td.main a')]);
};

test('the operator sees everybody, gives a role that works at once, and the last administrator stays', async () => {
  const operator = (await Visitor.arrive(browser, site)).allow(422);
  await operator.signIn('operator');
  await operator.go('/people');
  await operator.look('people');
  await operator.go('/people?tenant=notary');
  assert.deepEqual((await operator.page.locator('td.main a').allInnerTexts()).sort(), ['吴公证员', '王主任', '郑开发'].sort());

  const officer = (await Visitor.arrive(browser, site)).allow(403);
  await officer.signIn('notary-officer');
  assert.equal(await officer.go('/developers/keys'), 403);
  await person(operator, 'notary-officer');
  assert.deepEqual(await operator.page.locator('#field-role option').allInnerTexts(), ['租户管理员', '开发者'], 'an auditor is nothing else');
  await operator.page.selectOption('#field-role', 'developer');
  await Promise.all([operator.page.waitForNavigation(), operator.page.click('.grant button')]);
  assert.match(await operator.text('#roles'), /业务员[\s\S]*开发者/);
  await operator.look('person-two-roles');
  assert.equal(await officer.go('/developers/keys'), 200);
  await officer.leave();

  await person(operator, 'notary-admin');
  await operator.page.click('[data-open=disable]');
  await Promise.all([operator.page.waitForNavigation(), operator.page.click('#disable .btn-danger')]);
  assert.match(await operator.text('.error-summary'), /最后一位在用的管理员/);
  await operator.look('person-last-administrator');
  await operator.leave();
});

test('a tenant\'s administrator sees the own people only, in English and dark', async () => {
  const admin = (await Visitor.arrive(browser, site, { lang: 'en', theme: 'dark' })).allow(404);
  await admin.signIn('medical-admin');
  await admin.go('/people?tenant=notary');
  assert.deepEqual(await admin.page.locator('td.main a').allInnerTexts(), ['孙主任']);
  await admin.look('people-of-tenant-en-dark');
  await person(admin, 'medical-admin');
  assert.equal(await admin.page.locator('.grant').count(), 0, 'nobody changes their own roles');
  await admin.look('person-own-en-dark');
  await admin.leave();
});
