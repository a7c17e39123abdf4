// The voting set of a chain that is in use, changed from its page, on real processes (NODE_BIN): from four validators to seven and back
// with the console killed on the way, and one of the founders replaced for good; records made before, meanwhile and after are proven by the node
// program from nothing but the fingerprint of genesis. And what is refused, with its arithmetic.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Visitor, startBrowser, startConsole, until } from './harness.mjs';

const node = process.env.NODE_BIN;
const skip = node && existsSync(node) ? false : 'set NODE_BIN to the node program (cargo build -p chain-node)';
const PATIENCE = 120000;
let site, browser, operator, load;

before(async () => {
  if (skip) return;
  [site, browser] = await Promise.all([startConsole({ env: { CITYCHAIN_NODE_BIN: node } }), startBrowser()]);
  operator = (await Visitor.arrive(browser, site)).allow(409, 422, 404);
});
after(async () => { load?.stop(); await operator?.context.close(); await browser?.close(); await site?.stop(); });

const chain = () => join(site.home, 'chains/notary');
const status = () => { try { return JSON.parse(readFileSync(join(chain(), 'status.json'), 'utf8')); } catch { return { phase: 'none', validators: [] }; } };
const voters = () => status().validators.filter((row) => row.voting).map((row) => row.name);
const ready = () => status().validators.filter((row) => row.ready).length;
const folders = () => readdirSync(join(chain(), 'validators')).map(Number).sort((a, b) => a - b);
const record = (n) => JSON.parse(readFileSync(join(chain(), 'validators', String(n), 'process.json'), 'utf8'));
const alive = (pid) => existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
const config = (n) => readFileSync(join(chain(), 'validators', String(n), 'node.toml'), 'utf8');
const settled = (names) => () => voters().join() === names.map((n) => `validator-${n}`).join() && ready() === names.length
  && (status().setChange ?? []).every((step) => step.state === 'done');
const api = (n) => /listen\]\nconsensus = "([^:]+)/.exec(config(n))[1];
const asked = async (n, path) => (await fetch(`http://${api(n)}:8080${path}`)).json();

/** A key of the tenant's developer, as the page shows it once. */
async function apiKey() {
  const developer = await Visitor.arrive(browser, site);
  await developer.signIn('notary-dev');
  await developer.go('/developers/keys/new');
  await developer.page.fill('[name=name]', 'load');
  await Promise.all([developer.page.waitForNavigation(), developer.page.click('main form button[type=submit]')]);
  const key = await developer.text('#api-key');
  await developer.leave();
  return key.trim();
}

/** Anchors a new digest again and again; a console that is away is asked again with the same idempotency key. */
function startLoad(key) {
  const accepted = [];
  let going = true;
  const one = async () => {
    const digest = createHash('sha256').update(randomBytes(16)).digest('hex'), token = randomBytes(8).toString('hex');
    while (going) {
      const answer = await fetch(`${site.url}/api/v1/chains/notary/anchors`, {
        method: 'POST', body: JSON.stringify({ digest }), headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': token },
      }).catch(() => null);
      if (answer?.status === 202) { accepted.push({ digest, id: (await answer.json()).id }); return; }
      await new Promise((done) => setTimeout(done, 200));
    }
  };
  const run = (async () => { while (going) { await one(); await new Promise((done) => setTimeout(done, 30)); } })();
  return { accepted, stop: () => { going = false; return run; } };
}

const gateway = (key, path) => fetch(`${site.url}/api/v1/chains/notary${path}`, { headers: { authorization: `Bearer ${key}` } });
const provable = (key, id) => until(`${id} is provable`, async () => {
  const answer = await gateway(key, `/anchors/${id}`).catch(() => null);
  return answer?.ok && (await answer.json()).state === 'provable';
}, 60000);

/** The evidence of an anchor as a file, once there is one. */
async function evidence(key, { id, digest }) {
  await provable(key, id);
  const answer = await gateway(key, `/anchors/${id}/evidence?digest=${digest}`);
  assert.equal(answer.status, 200);
  const path = join(site.home, `${digest}.evidence.cbor`);
  writeFileSync(path, Buffer.from(await answer.arrayBuffer()));
  return path;
}

const verify = (path, trust) => spawnSync(node, ['verify', path, '--trust', trust], { encoding: 'utf8' });

/** Types a number on the validators' tab and goes to the page with the steps. */
async function askFor(number) {
  await operator.go('/chains/notary/validators');
  await operator.page.fill('[name=validators]', String(number));
  await Promise.all([operator.page.waitForNavigation(), operator.page.click('.set-form button[type=submit]')]);
}
/** Asks, looks at the steps, confirms. Asked again where a busy machine let validators seem absent for a moment, as a person would. */
async function change(ask, shown) {
  await until('the change is taken', async () => {
    await ask();
    if (!shown.test(await operator.text('#set-preview'))) return false;
    await Promise.all([operator.page.waitForNavigation(), operator.page.click('#set-confirm button[type=submit]')]);
    return await operator.page.locator('#refusal').count() === 0;
  }, 60000);
  assert.match(operator.page.url(), /\/chains\/notary\/validators$/);
}
let key, fingerprint, kept;

test('a chain in use grows from four to seven while its console is killed and started again', { skip, timeout: 400000 }, async () => {
  await operator.signIn('operator');
  await until('notary works', () => ['healthy', 'idle'].includes(status().phase), 60000);
  fingerprint = status().fingerprint;
  key = await apiKey();
  load = startLoad(key);
  await until('something is anchored', () => load.accepted.length > 2);
  kept = [await evidence(key, load.accepted[0])];
  const first = [1, 2, 3, 4].map((n) => record(n).pid);

  await operator.go('/chains/notary/validators');
  await operator.look('set-form');
  await askFor(7);
  const shown = await operator.text('#set-preview');
  assert.match(shown, /由 4 个变为 7 个，法定数由 3 变为 5，可容忍的故障由 1 个变为 2 个/);
  assert.match(shown, /加入 validator-5 后共 5 个、法定数 4、在线 5 个.*加入 validator-7 后共 7 个、法定数 5、在线 7 个，可以执行/s);
  assert.equal(voters().length, 4, 'nothing is done before it is confirmed');
  await operator.look('set-preview-grow');
  const begun = Date.now();
  await change(() => askFor(7), /由 4 个变为 7 个/);
  await operator.page.goto('about:blank');
  // At once, and wherever it is: between two votes, or with one on its way.
  await until('the first votes', () => voters().length >= 5, PATIENCE);
  const before = load.accepted.length;
  await site.restart('SIGKILL', () => assert.ok(voters().length < 7, 'it was killed on the way'));
  await operator.go('/chains/notary/validators');
  await operator.page.waitForFunction(() => document.querySelectorAll('#set-change li').length === 3, null, { timeout: 30000 });
  await operator.picture('set-going');
  await until('seven vote', settled([1, 2, 3, 4, 5, 6, 7]), PATIENCE);
  console.log(`4 → 7 validators in ${Date.now() - begun} ms, console killed once, ${load.accepted.length} anchors accepted`);
  assert.deepEqual([1, 2, 3, 4].map((n) => record(n).pid), first, 'nobody was restarted for it');
  for (const n of [1, 7]) {
    assert.equal((config(n).match(/\[\[peers\]\]/g) ?? []).length, 6, 'everybody is a peer of everybody');
    await until('all are connected', async () => (await asked(n, '/status')).peers.every((peer) => peer.connected), 30000);
    assert.equal((await asked(n, '/validators')).length, 7);
    await until('its vote can count', async () => (await fetch(`http://${api(n)}:8080/readyz`)).ok, 30000);
  }
  await until('anchors go on', () => load.accepted.length > before + 5, 30000);
  kept.push(await evidence(key, load.accepted.at(-1)));
  await operator.go('/chains/notary/validators');
  await operator.page.waitForFunction(() => /7 个验证者全部在线，法定数 5，可再容忍 2 个故障/.test(document.querySelector('#chain-live').innerText), null, { timeout: 15000 });
  assert.match(await operator.text('#set-change'), /已完成.*validator-5 加入.*validator-7 加入/s);
  await operator.look('set-grown');
});

test('what the quorum forbids is refused with the arithmetic, and the chain shrinks once it allows it', { skip, timeout: 400000 }, async () => {
  // Two of seven are off on request: five are the quorum, and no more may be spared.
  for (const n of [1, 2]) {
    await operator.go('/chains/notary/validators');
    await Promise.all([operator.page.waitForNavigation(), operator.page.click(`#validator-${n} form button`)]);
  }
  await until('two are off', () => ready() === 5, 30000);
  await operator.go('/chains/notary/validators/change?replace=validator-3');
  assert.match(await operator.text('#set-preview'), /加入 validator-8/, 'a place may be taken with a quorum there');
  // Two more stand still: no change of the set can be decided, and none is begun.
  const still = [4, 5].map((n) => record(n).pid);
  still.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  try {
    await until('the quorum is lost', () => ready() === 3, 30000);
    await askFor(8);
    assert.match(await operator.text('#refusal'), /7 个验证者，4 个缺席，法定数 5：加入 validator-8 .*已拒绝/s);
    assert.equal(await operator.page.locator('#set-confirm').count(), 0, 'there is nothing to confirm');
    await operator.look('set-refused');
  } finally {
    still.forEach((pid) => process.kill(pid, 'SIGCONT'));
  }
  for (const n of [1, 2]) {
    await operator.go('/chains/notary/validators');
    await Promise.all([operator.page.waitForNavigation(), operator.page.click(`#validator-${n} form button`)]);
  }
  await until('all seven are back', () => ready() === 7, PATIENCE);
  assert.deepEqual([4, 5].map((n) => record(n).pid), still, 'who does not answer for a while is not restarted');

  await askFor(3);
  assert.match(await operator.text('#refusal'), /4 至 32 个/);
  const begun = Date.now();
  await change(() => askFor(4), /由 7 个变为 4 个.*移出 validator-7 后共 6 个.*移出 validator-6 .*移出 validator-5 后共 4 个、法定数 3/s);
  await operator.page.goto('about:blank');
  await until('the first is out', () => voters().length <= 6, PATIENCE);
  await site.restart('SIGKILL', () => assert.ok(voters().length > 4, 'it was killed on the way'));
  await until('four vote', settled([1, 2, 3, 4]), PATIENCE);
  await until('those that left are set aside', () => folders().join() === '1,2,3,4', 30000);
  console.log(`7 → 4 validators in ${Date.now() - begun} ms, console killed once`);
  await until('everybody knows', () => [1, 2, 3, 4].every((n) => (config(n).match(/\[\[peers\]\]/g) ?? []).length === 3), 30000);
});

test('one of the founders is replaced for good, and its data waits for a person', { skip, timeout: 300000 }, async () => {
  const ask = async () => {
    await operator.go('/chains/notary/validators');
    await Promise.all([operator.page.waitForNavigation(), operator.page.click('#validator-3 a.btn')]);
  };
  await ask();
  await operator.look('set-preview-replace');
  const old = record(3).pid, was = status().validators.find((row) => row.name === 'validator-3').organisation;
  await change(ask, /加入 validator-8 后共 5 个.*移出 validator-3 后共 4 个.*永久退出：validator-3/s);
  await until('validator-8 is in its place', settled([1, 2, 4, 8]), PATIENCE);
  await until('it is set aside', () => folders().join() === '1,2,4,8', 30000);
  assert.equal(alive(old), false);
  assert.equal(status().validators.find((row) => row.name === 'validator-8').organisation, was, 'it belongs to whom the other belonged');
  const aside = readdirSync(join(site.home, 'deleted')).filter((name) => /^notary-validator-3-\d+$/.test(name));
  assert.equal(aside.length, 1);
  assert.ok(existsSync(join(site.home, 'deleted', aside[0], 'data')) && existsSync(join(site.home, 'deleted', aside[0], 'keys/consensus.key')));
  await until('its peers have forgotten it', () => folders().every((n) => !config(n).includes('name = "validator-3"')), 30000);
  await until('every peer is there', async () => (await asked(8, '/status')).peers.every((peer) => peer.connected), 30000);
  for (const lang of ['zh-CN', 'en']) {
    const visitor = await Visitor.arrive(browser, site, { lang, theme: lang === 'en' ? 'dark' : 'light' });
    await visitor.signIn('operator');
    await visitor.go('/chains/notary/validators');
    await visitor.page.waitForFunction(() => /4 个验证者全部在线|All 4 validators are live/.test(document.querySelector('#chain-live').innerText), null, { timeout: 15000 });
    await visitor.look(`set-shrunk-${lang}`);
    assert.equal(await visitor.page.locator('[name=validators]').count(), 0, 'organisations are named now');
    await visitor.page.locator('.set-form input[type=number]').first().fill('3');
    await Promise.all([visitor.page.waitForNavigation(), visitor.page.keyboard.press('Enter')]);
    await visitor.look(`set-preview-${lang}`);
    for (const page of ['/blocks', '/members', '/events']) {
      await visitor.go(`/chains/notary${page}`);
      await visitor.look(`set-after${page.replace('/', '-')}-${lang}`);
    }
    const newest = await visitor.page.evaluate(() => fetch('/chains/notary/blocks').then((a) => a.text()).then((t) => /\/blocks\/(\d+)/.exec(t)[1]));
    await visitor.go(`/chains/notary/blocks/${newest}`);
    assert.doesNotMatch(await visitor.text('main'), /#\d/, 'every signer has a name');
    await visitor.leave();
  }
});

test('nothing that was accepted is lost, and every proof holds from the fingerprint alone', { skip, timeout: 300000 }, async () => {
  await load.stop();
  const all = load.accepted;
  assert.ok(all.length > 30, `${all.length} anchors`);
  kept.push(await evidence(key, all.at(-1)));
  for (const anchor of all) await provable(key, anchor.id);
  for (const file of kept) {
    const checked = verify(file, fingerprint);
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  }
  assert.equal(verify(kept.at(-1), '0'.repeat(64)).status, 1, 'another chain is not believed');
  const sizes = kept.map((file) => readFileSync(file).length);
  assert.ok(sizes[0] < sizes[1] && sizes[1] < sizes[2], `each change of the set is part of the proof: ${sizes}`);
  console.log(`${all.length} anchors provable; evidence with 0, 3 and 8 changes of the set: ${sizes.join(', ')} bytes`);
  await operator.go('/audit');
  assert.match(await operator.text('main'), /变更验证者/);
  await operator.leave();
});
