// The console's base in a real browser: signing in, the components, tenants and people, refusals, phone and keyboard.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PHONE, Visitor, startBrowser, startConsole, until } from './harness.mjs';

let site, browser;
before(async () => { [site, browser] = await Promise.all([startConsole(), startBrowser()]); });
after(async () => { await browser?.close(); await site?.stop(); });

const arrive = (options) => Visitor.arrive(browser, site, options);

test('a person signs in, is told what is wrong, and is locked after five failures', async () => {
  const visitor = (await arrive()).allow(422);
  await visitor.go('/audit');
  assert.match(visitor.page.url(), /\/login\?next=\/audit$/);
  await visitor.look('login');
  await visitor.page.click('main button[type=submit]');
  await visitor.page.waitForSelector('.error-summary');
  assert.equal(await visitor.page.evaluate(() => document.activeElement.className), 'error-summary', 'the summary has the focus');
  assert.match(await visitor.page.title(), /^错误：/);
  await visitor.look('login-missing');
  await visitor.page.click('.error-summary a');
  assert.equal(await visitor.page.evaluate(() => document.activeElement.name), 'login');
  for (let i = 0; i < 5; i += 1) {
    await visitor.page.fill('[name=login]', 'trace-officer');
    await visitor.page.fill('[name=password]', 'not the password');
    await Promise.all([visitor.page.waitForNavigation(), visitor.page.click('main button[type=submit]')]);
    assert.equal(await visitor.page.inputValue('[name=login]'), 'trace-officer', 'the name is kept');
  }
  assert.match(await visitor.text('.error-summary'), /锁定.*15 分钟/);
  await visitor.signIn('trace-officer');
  assert.match(await visitor.text('.error-summary'), /锁定/, 'the right password does not open a locked account');
  await visitor.signIn('operator');
  assert.equal(new URL(visitor.page.url()).pathname, '/');
  await visitor.look('overview');
  await visitor.leave();
});

test('every component is whole in both themes and languages', async () => {
  for (const lang of ['zh-CN', 'en']) {
    for (const theme of ['light', 'dark']) {
      const visitor = await arrive({ lang, theme });
      await visitor.signIn('operator');
      assert.equal(await visitor.go('/gallery'), 200);
      assert.equal(await visitor.page.getAttribute('html', 'data-bs-theme'), theme, 'the theme follows the system');
      assert.equal(await visitor.page.getAttribute('html', 'lang'), lang);
      const icon = await visitor.page.locator('.pill .icon use').first().evaluate((use) => use.getBBox().width);
      assert.ok(icon > 0, 'icons of the sprite are drawn');
      await visitor.look(`gallery-${lang}-${theme}`);
      if (theme === 'light') {
        await visitor.go('/gallery/public');
        await visitor.look(`gallery-public-${lang}`);
      }
      await visitor.leave();
    }
  }
});

test('copying, dialogs, shortcuts and menus work with the keyboard', async () => {
  const visitor = await arrive();
  await visitor.signIn('operator');
  await visitor.go('/gallery');
  const { page } = visitor;
  await page.click('.chip button');
  await page.waitForSelector('.chip button.copied');
  await until('copying is announced', async () => (await page.textContent('#announcements')) === '已复制');
  await page.click('[data-open=gallery-confirm]');
  await page.waitForSelector('#gallery-confirm[open]');
  await visitor.accessible();
  await visitor.picture('dialog', { whole: false });
  assert.ok(await page.isDisabled('#gallery-confirm button[type=submit]'));
  await page.fill('#gallery-confirm [name=typed]', 'medical');
  assert.ok(await page.isEnabled('#gallery-confirm button[type=submit]'));
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'search-box');
  await page.keyboard.type('medical');
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
  assert.match(await visitor.text(), /卫生健康委/);
  await visitor.look('search');
  await page.focus('h1, main');
  await page.keyboard.press('?');
  await page.waitForSelector('#shortcuts[open]');
  await visitor.picture('shortcuts', { whole: false });
  await page.uncheck('#shortcuts-on');
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await page.keyboard.press('t');
  assert.match(page.url(), /search/, 'switched-off shortcuts do nothing');
  await page.keyboard.press('Shift+/');
  await page.evaluate(() => document.getElementById('shortcuts').showModal());
  await page.check('#shortcuts-on');
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await Promise.all([page.waitForNavigation(), page.keyboard.press('t')]);
  assert.match(page.url(), /\/tenants$/);
  await page.click('details.menu summary');
  await visitor.accessible();
  await visitor.picture('user-menu', { whole: false });
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('details.menu[open]').count(), 0);
  await page.keyboard.press('Control+Home');
  await visitor.leave();
});

test('an operator creates a tenant and invites its administrator, and a list open elsewhere shows it', async () => {
  const watcher = await arrive({ lang: 'en', theme: 'dark' });
  await watcher.signIn('auditor');
  await watcher.go('/tenants');
  await watcher.look('tenants-en');
  const visitor = (await arrive()).allow(422);
  const { page } = visitor;
  await visitor.signIn('operator');
  await visitor.go('/tenants');
  await visitor.look('tenants');
  await page.click('.actions .btn-primary');
  await page.waitForSelector('[name=title_zh]');
  await visitor.look('tenant-new');
  await page.fill('[name=title_zh]', '住房城乡建设局');
  await page.fill('[name=name]', 'Housing!');
  await Promise.all([page.waitForNavigation(), page.click('main button[type=submit]')]);
  assert.equal(await page.inputValue('[name=title_zh]'), '住房城乡建设局', 'what was typed is kept');
  await visitor.look('tenant-new-wrong');
  await page.fill('[name=title_en]', 'Housing Bureau');
  await page.fill('[name=name]', 'housing');
  await Promise.all([page.waitForNavigation(), page.click('main button[type=submit]')]);
  assert.match(page.url(), /\/tenants\/housing$/);
  assert.match(await visitor.text('.toasts'), /租户已建立/);
  await watcher.page.getByText('Housing Bureau').waitFor({ timeout: 5000 });
  await visitor.look('tenant-empty');
  await page.click('.empty .btn');
  await page.waitForSelector('[name=login]');
  await visitor.look('user-new');
  await page.fill('[name=display_name]', '何主任');
  await page.fill('[name=login]', 'housing-admin');
  await page.check('input[value=tenant-admin]');
  await Promise.all([page.waitForNavigation(), page.click('main button[type=submit]')]);
  const oneTime = await page.textContent('#one-time-password');
  await visitor.look('user-one-time');
  await page.click('main .btn-primary');
  await page.waitForURL(/\/users\/[0-9a-f]{32}$/);
  await visitor.look('user');
  await visitor.leave();
  await watcher.leave();

  const admin = await arrive({ viewport: PHONE });
  await admin.signIn('housing-admin', oneTime);
  assert.match(admin.page.url(), /\/account\/password$/, 'the one-time password comes first');
  await admin.look('password-required');
  await admin.page.fill('[name=current]', oneTime);
  for (const field of ['new', 'again']) await admin.page.fill(`[name=${field}]`, 'four unrelated words here');
  await Promise.all([admin.page.waitForNavigation(), admin.page.click('main button[type=submit]')]);
  assert.match(await admin.text(), /住房城乡建设局/);
  await admin.look('overview-tenant');
  await admin.leave();
});

test('suspending asks for the name and can be undone', async () => {
  const visitor = await arrive();
  const { page } = visitor;
  await visitor.signIn('operator');
  await visitor.go('/tenants/medical');
  await visitor.look('tenant');
  await page.click('[data-open=suspend]');
  await page.waitForSelector('#suspend[open]');
  await visitor.picture('suspend', { whole: false });
  await page.fill('#suspend [name=typed]', 'medical');
  await Promise.all([page.waitForNavigation(), page.click('#suspend button[type=submit]')]);
  assert.match(await visitor.text(), /已停用/);
  await visitor.look('tenant-suspended');
  await Promise.all([page.waitForNavigation(), page.click('.head form button')]);
  assert.match(await visitor.text('.head'), /正常/);
  await visitor.leave();
});

test('the audit log filters, shows details, exports and proves itself', async () => {
  const visitor = await arrive();
  const { page } = visitor;
  await visitor.signIn('operator');
  await visitor.go('/audit');
  await visitor.look('audit');
  await page.click('table details summary');
  await visitor.picture('audit-details', { whole: false });
  await page.keyboard.press('Escape');
  await page.click('#check a');
  await page.waitForSelector('#check .verdict.ok');
  await visitor.accessible();
  await visitor.picture('audit-intact', { whole: false });
  await page.selectOption('[name=action]', 'tenant.create');
  await Promise.all([page.waitForNavigation(), page.click('.filters button')]);
  const acts = await page.locator('tbody td.main').allInnerTexts();
  assert.ok(acts.length >= 3 && acts.every((act) => act === '新建租户'), acts.join());
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('.head .btn')]);
  assert.match(download.suggestedFilename(), /^audit-\d{4}-\d\d-\d\d\.csv$/);
  await visitor.leave();
});

test('what is not there and what is not allowed say so and lead on', async () => {
  const visitor = (await arrive()).allow(403, 404);
  await visitor.signIn('notary-officer');
  for (const [path, status] of [['/no-such-page', 404], ['/tenants/medical', 404], ['/tenants', 403]]) {
    assert.equal(await visitor.go(path), status, path);
    await visitor.look(`status-${status}`);
    assert.equal(await visitor.page.locator('.chip button').count(), 1, 'the request id can be copied');
    await Promise.all([visitor.page.waitForNavigation(), visitor.page.click('main .btn-primary')]);
    assert.equal(new URL(visitor.page.url()).pathname, '/');
  }
  await visitor.leave();
});

test('on a phone the menu opens, closes and leads', async () => {
  for (const javaScript of [true, false]) {
    const visitor = await arrive({ viewport: PHONE, javaScript });
    const { page } = visitor;
    await visitor.signIn('operator');
    assert.ok(!(await page.isVisible('.rail a[href="/tenants"]')), 'closed at first');
    await page.click('#menu-button');
    await page.waitForSelector('.rail a[href="/tenants"]', { state: 'visible' });
    await visitor.fits();
    if (javaScript) {
      await visitor.accessible();
      await visitor.picture('phone-menu', { whole: false });
      await page.keyboard.press('Escape');
      await page.waitForSelector('.rail a[href="/tenants"]', { state: 'hidden' });
      assert.equal(await page.evaluate(() => document.activeElement.id), 'menu-button', 'the focus returns');
      await page.click('#menu-button');
    }
    await Promise.all([page.waitForNavigation(), page.click('.rail a[href="/tenants"]')]);
    assert.match(page.url(), /\/tenants$/);
    await visitor.leave();
  }
});

test('language and theme are chosen and kept', async () => {
  const visitor = await arrive();
  const { page } = visitor;
  await visitor.signIn('auditor');
  await visitor.go('/account');
  await visitor.look('account');
  await page.check('input[name=language][value=en]');
  await page.check('input[name=theme][value=dark]');
  await Promise.all([page.waitForNavigation(), page.click('main form button')]);
  assert.match(await visitor.text('h1'), /My account/);
  assert.equal(await page.getAttribute('html', 'data-bs-theme'), 'dark');
  await visitor.look('account-en-dark');
  await visitor.leaveAndArriveAs('auditor');
  assert.equal(await page.getAttribute('html', 'lang'), 'en', 'kept with the account');
  await visitor.go('/help');
  await visitor.look('help-en-dark');
  await visitor.leave();
});

test('a live page says when the connection is lost and catches up when it is back', async () => {
  const visitor = (await arrive()).allow(502);
  const { page } = visitor;
  await visitor.signIn('operator');
  await Promise.all([page.waitForResponse(/\/events/), visitor.go('/tenants')]);
  await site.restart('SIGKILL', () => page.waitForSelector('.stale-line', { state: 'visible' }));
  await page.waitForSelector('.stale-line', { state: 'hidden' });
  await visitor.fits();
  // The browser itself notes each failed attempt to reconnect.
  visitor.faults = visitor.faults.filter((fault) => !/ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)|sse/i.test(fault));
  await visitor.leave();
});
