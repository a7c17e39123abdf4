// Chains made by the local provisioner, with the real node program (NODE_BIN) in a real browser: making one, losing a validator, being
// refused, a console that ends and comes back, and stopping everything.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Visitor, startBrowser, startConsole, until } from './harness.mjs';

const node = process.env.NODE_BIN;
const skip = node && existsSync(node) ? false : 'set NODE_BIN to the node program (cargo build -p chain-node)';
let site, browser;

before(async () => {
  if (skip) return;
  [site, browser] = await Promise.all([startConsole({ env: { CITYCHAIN_NODE_BIN: node } }), startBrowser()]);
});
after(async () => { await browser?.close(); await site?.stop(); });

const arrive = (options) => Visitor.arrive(browser, site, options);
const status = (chain) => { try { return JSON.parse(readFileSync(join(site.home, 'chains', chain, 'status.json'), 'utf8')); } catch { return { phase: 'none', validators: [] }; } };
const works = (chain) => ['healthy', 'idle'].includes(status(chain).phase);
const record = (chain, n) => { try { return JSON.parse(readFileSync(join(site.home, 'chains', chain, 'validators', String(n), 'process.json'), 'utf8')); } catch { return { pid: 0 }; } };
const alive = (pid) => existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
const pids = () => readdirSync(join(site.home, 'chains')).flatMap((chain) => [1, 2, 3, 4].map((n) => record(chain, n).pid));

test('the city starts by itself and a tenant\'s chain is made from a prefilled form', { skip }, async () => {
  const visitor = (await arrive()).allow(422);
  await visitor.signIn('operator');
  for (const chain of ['city', 'traceability', 'notary']) await until(`${chain} works`, () => works(chain), 60000);
  await visitor.page.waitForFunction(() => document.querySelectorAll('#chains .pill.ok').length >= 6, null, { timeout: 15000 });
  await visitor.look('city-overview');
  await visitor.page.click('.tour a.btn-primary');
  assert.match(visitor.page.url(), /\/chains\/new\?tenant=medical$/);
  assert.equal(await visitor.page.inputValue('[name=title_zh]'), '医疗链');
  assert.match(await visitor.text('#preview'), /4 个验证者，法定数 3：可容忍 1 个故障/);
  await visitor.page.fill('[name=validators-insurance]', '0');
  await visitor.page.waitForFunction(() => /现有 3 个验证者，至少需要 4 个/.test(document.querySelector('#preview').innerText));
  await visitor.page.fill('[name=name]', 'Medical');
  await Promise.all([visitor.page.waitForNavigation(), visitor.page.click('#chain-form button[type=submit]')]);
  assert.match(await visitor.text('.error-summary'), /小写字母|名称/);
  assert.equal(await visitor.page.inputValue('[name=name]'), 'Medical', 'what was typed is kept');
  await visitor.look('chain-new-wrong');
  await visitor.page.fill('[name=name]', 'medical');
  await Promise.all([visitor.page.waitForNavigation(), visitor.page.click('#chain-form button[type=submit]')]);
  assert.match(await visitor.text('.error-summary'), /4 至 32 个/, 'three validators are too few');
  await visitor.page.fill('[name=validators-insurance]', '1');
  await visitor.page.waitForFunction(() => document.querySelector('#preview details'));
  await visitor.page.click('#preview summary');
  assert.match(await visitor.text('#preview pre'), /kind: Chain/);
  await visitor.look('chain-new');
  const asked = Date.now();
  await Promise.all([visitor.page.waitForNavigation(), visitor.page.click('#chain-form button[type=submit]')]);
  assert.match(visitor.page.url(), /\/chains\/medical\/progress$/);
  await visitor.page.reload();
  await visitor.page.waitForFunction(() => document.querySelectorAll('#steps li.done').length === 5, null, { timeout: 30000 });
  const took = Date.now() - asked;
  console.log(`medical chain: form sent → five steps done in ${took} ms`);
  await visitor.look('chain-progress');
  await visitor.page.click('#chain-live .buttons a.btn-primary');
  assert.match(await visitor.text('#chain-live .note-line'), /4 个验证者全部在线，法定数 3/);
  await visitor.leave();
});

test('every page of a chain is whole in both languages and themes, and a tenant sees its own only', { skip }, async () => {
  const pages = ['', '/validators', '/blocks', '/blocks/1', '/transactions', '/members', '/events', '/settings', '/progress'];
  for (const [lang, theme] of [['zh-CN', 'light'], ['en', 'dark']]) {
    const visitor = await arrive({ lang, theme });
    await visitor.signIn('operator');
    for (const page of pages) {
      assert.equal(await visitor.go(`/chains/notary${page}`), 200);
      await visitor.look(`chain${page.replaceAll('/', '-')}-${lang}-${theme}`);
    }
    await visitor.leave();
  }
  const notary = (await arrive()).allow(404, 403);
  await notary.signIn('notary-dev');
  assert.equal(await notary.go('/chains'), 200);
  assert.deepEqual(await notary.page.locator('#chains tbody td.main').allInnerTexts(), ['公证链']);
  assert.equal(await notary.go('/chains/notary/validators'), 200);
  assert.equal(await notary.page.locator('main form').count(), 0, 'no acts are offered');
  assert.equal(await notary.go('/chains/traceability'), 404);
  assert.equal(await notary.go('/chains/city'), 404);
  await notary.leave();
});

test('a killed validator is named, comes back and catches up', { skip }, async () => {
  const visitor = await arrive();
  await visitor.signIn('operator');
  await visitor.go('/chains/notary/validators');
  const { pid } = record('notary', 3);
  process.kill(pid, 'SIGKILL');
  // Either while it is away or, because that takes about a second, once it is back: the page says which one, why, and how it went.
  await visitor.page.waitForFunction(() => /validator-3（市中级法院）.*被信号 9 终止/.test(document.querySelector('#chain-live').innerText), null, { timeout: 8000 });
  await until('it runs again', () => record('notary', 3).pid !== pid && works('notary'), 20000);
  await visitor.page.waitForFunction(() => /4 个验证者全部在线/.test(document.querySelector('#chain-live .note-line').innerText) && /validator-3.*已重新启动并追上/.test(document.querySelector('#chain-live').innerText), null, { timeout: 15000 });
  await visitor.look('chain-recovered');
  await visitor.go('/chains/notary/events');
  assert.match(await visitor.text('.timeline'), /validator-3.*信号 9/s);
  await visitor.leave();
});

test('a second validator is not stopped while one is down, and the arithmetic says why', { skip }, async () => {
  const visitor = (await arrive()).allow(409);
  await visitor.signIn('operator');
  const act = async (n) => {
    await visitor.go('/chains/notary/validators');
    await Promise.all([visitor.page.waitForNavigation(), visitor.page.click(`#validator-${n} form button`)]);
  };
  await act(2);
  await until('validator-2 has ended', () => !existsSync(join(site.home, 'chains/notary/validators/2/process.json')), 20000);
  await until('the status says so', () => status('notary').phase === 'degraded');
  await act(4);
  assert.match(await visitor.text('#refusal'), /4 个验证者，1 个.*法定数 3.*validator-4.*2 个.*拒绝/s);
  await visitor.look('chain-refused');
  assert.ok(alive(record('notary', 4).pid), 'nothing was stopped');
  await act(2);
  await until('it is back', () => works('notary'), 20000);
  await visitor.go('/audit');
  assert.match(await visitor.text('main'), /停用验证者/);
  await visitor.leave();
});

test('a hand-edited object is read again, and a mistake in it is told', { skip }, async () => {
  const visitor = await arrive();
  await visitor.signIn('operator');
  const file = join(site.home, 'chains/traceability/chain.yaml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('heartbeatMs', 'heartBeat'));
  await visitor.go('/chains/traceability');
  await visitor.page.waitForFunction(() => /heartBeat/.test(document.querySelector('#chain-live').innerText), null, { timeout: 8000 });
  await visitor.look('chain-invalid-object');
  writeFileSync(file, text.replace('governance: platform', 'governance: self'));
  await visitor.page.waitForFunction(() => /spec\.governance/.test(document.querySelector('#chain-live').innerText), null, { timeout: 8000 });
  writeFileSync(file, text);
  await visitor.page.waitForFunction(() => !document.querySelector('#chain-live .note-line.bad'), null, { timeout: 8000 });
  assert.ok(works('traceability'));
  await visitor.leave();
});

test('a chain is deleted by its name only, and its data is moved aside', { skip }, async () => {
  const visitor = (await arrive()).allow(422);
  await visitor.signIn('operator');
  const nodes = [1, 2, 3, 4].map((n) => record('medical', n).pid);
  await visitor.go('/chains/medical/settings');
  await visitor.page.click('[data-open=delete]');
  assert.ok(await visitor.page.isDisabled('#delete button.btn-danger'));
  await visitor.page.fill('#delete [name=typed]', 'medical');
  await visitor.accessible();
  await Promise.all([visitor.page.waitForNavigation(), visitor.page.click('#delete button.btn-danger')]);
  await until('the chain is gone', () => !existsSync(join(site.home, 'chains/medical')), 20000);
  assert.ok(nodes.every((pid) => !alive(pid)));
  assert.equal(readdirSync(join(site.home, 'deleted')).length, 1);
  await visitor.leave();
});

test('nodes outlive the console, are adopted by the next one, and stop only when asked', { skip }, async () => {
  const before = pids();
  await site.restart('SIGTERM', () => assert.ok(before.every(alive), 'the console ended, the chains go on'));
  const visitor = await arrive();
  await visitor.signIn('operator');
  await visitor.go('/chains/city/validators');
  await visitor.page.waitForFunction(() => /4 个验证者全部在线/.test(document.querySelector('#chain-live').innerText), null, { timeout: 15000 });
  assert.deepEqual(pids(), before, 'the same processes');
  process.kill(before[0], 'SIGKILL');
  await until('an adopted validator is looked after as well', () => !pids().includes(before[0]) && pids().every(alive), 20000);
  await visitor.leave();
  const running = pids();
  const stop = () => spawnSync(process.env.CONSOLE_BIN, ['--home', site.home, 'stop'], { encoding: 'utf8' });
  await site.restart('SIGTERM', () => {
    const stopped = stop();
    assert.equal(stopped.status, 0, stopped.stderr);
    assert.match(stopped.stdout, /12 nodes/);
    assert.ok(running.every((pid) => !alive(pid)), 'nothing is left');
    assert.equal(stop().status, 0, 'nothing to stop is no failure');
  });
  await until('the chains go on', () => pids().every((pid) => alive(pid) && !running.includes(pid)), 30000);
});

test('without a node program the page shows how far it is, and the city starts when it is there', { skip }, async () => {
  const city = await startConsole();
  const visitor = await Visitor.arrive(browser, city, {});
  try {
    await visitor.signIn('operator');
    assert.match(await visitor.text('#chains'), /等待节点程序/);
    const build = (state) => writeFileSync(join(city.home, 'build.json'), JSON.stringify({ state, done: 630, total: 1000, percent: 63, eta_s: 540, what: 'librocksdb-sys', log: 'build.log', error: state === 'failed' ? 'no space left' : '' }));
    build('building');
    await visitor.page.waitForFunction(() => /chain-node 63 %，约 9 分钟/.test(document.querySelector('#chains').innerText), null, { timeout: 8000 });
    await visitor.look('city-building');
    await visitor.go('/chains/notary/progress');
    await visitor.look('chain-waits-for-program');
    await visitor.go('/');
    build('failed');
    await visitor.page.waitForFunction(() => /no space left/.test(document.querySelector('#chains').innerText), null, { timeout: 8000 });
    mkdirSync(join(city.home, 'bin/0.1.0'), { recursive: true });
    copyFileSync(node, join(city.home, 'bin/0.1.0/chain-node'));
    await visitor.page.waitForFunction(() => document.querySelectorAll('#chains tbody tr').length === 3 && document.querySelectorAll('#chains .pill.ok').length >= 6, null, { timeout: 60000 });
    await visitor.leave();
  } finally {
    await city.stop();
  }
});
