// A console with a home of its own, a real browser, and the rules that every page must keep: no console error, no CSP violation,
// no request to another origin, no unexpected status, no serious accessibility finding, no sideways scrolling.
// A journey asks for a visitor, acts as a person would, and closes it; the rules are checked on closing.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

function binary() {
  const path = process.env.CONSOLE_BIN;
  if (!path || !existsSync(path)) throw new Error('set CONSOLE_BIN to the console program (cargo build -p console builds it)');
  return path;
}

function browserPath() {
  const found = [process.env.CHROMIUM_BIN, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && existsSync(path));
  if (!found) throw new Error('no Chromium found: install the chromium package or set CHROMIUM_BIN');
  return found;
}

async function freePort(host) {
  const server = createServer();
  await new Promise((done, failed) => server.once('error', failed).listen(0, host, done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export async function until(what, condition, ms = 15000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Starts a console with the demo's tenants in a temporary home. */
export async function startConsole({ host = '127.0.0.1', env = {}, settings = [] } = {}) {
  const home = join(mkdtempSync(join(tmpdir(), 'citychain-browser-')), 'home');
  const made = spawnSync(binary(), ['--home', home, 'init', '--demo', '--json'], { encoding: 'utf8', env: { ...process.env, ...env } });
  assert.equal(made.status, 0, made.stderr);
  const accounts = Object.fromEntries(JSON.parse(made.stdout).map((account) => [account.login, account.password]));
  const port = await freePort(host);
  const url = `http://${host}:${port}`;
  const options = ['--home', home, '--listen', `${host}:${port}`, ...settings];
  if (process.env.CONSOLE_WEB) options.push('--web', process.env.CONSOLE_WEB);
  let log = '';
  let child, ended;
  async function launch() {
    child = spawn(binary(), [...options, 'serve'], { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk) => { log += chunk; });
    ended = new Promise((done) => child.once('exit', done));
    try {
      await until('the console is ready', async () => {
        if (child.exitCode !== null) throw new Error(`the console ended: ${log}`);
        return fetch(`${url}/readyz`).then((answer) => answer.ok, () => false);
      });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }
  async function end(signal) {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10000);
    await ended;
    clearTimeout(timer);
  }
  await launch();
  return {
    url, home, accounts, log: () => log, pid: () => child.pid,
    /** Ends the console, at once with SIGKILL, and starts it again on the same home and port. */
    async restart(signal = 'SIGTERM', between = async () => {}) {
      await end(signal);
      await between();
      await launch();
    },
    async stop() {
      await end('SIGTERM');
      // Nodes outlive their console on purpose.
      const stopped = spawnSync(binary(), ['--home', home, 'stop'], { encoding: 'utf8' });
      assert.equal(stopped.status, 0, stopped.stderr);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export function startBrowser() {
  return chromium.launch({
    executablePath: browserPath(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** Somebody at a browser. `lang`: zh-CN or en; `theme`: light or dark (of the system); `javaScript: false` for those without. */
export class Visitor {
  static async arrive(browser, site, { viewport = DESKTOP, lang = 'zh-CN', theme = 'light', javaScript = true } = {}) {
    const context = await browser.newContext({ viewport, locale: lang, colorScheme: theme, javaScriptEnabled: javaScript, bypassCSP: false, reducedMotion: 'reduce', timezoneId: 'Asia/Shanghai' });
    const page = await context.newPage();
    return new Visitor(site, context, page, javaScript);
  }

  constructor(site, context, page, javaScript) {
    Object.assign(this, { site, context, page, javaScript, faults: [], allowed: [] });
    const origin = new URL(site.url).origin;
    page.on('pageerror', (error) => this.faults.push(`page error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() !== 'error' && !/Content.Security.Policy/i.test(message.text())) return;
      const ofStatus = /the server responded with a status of (\d+)/.exec(message.text());
      if (ofStatus && this.allowed.includes(Number(ofStatus[1]))) return;
      this.faults.push(`console: ${message.text()} (${message.location().url})`);
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !/^(data|blob|about):/.test(url)) this.faults.push(`request to another origin: ${url}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400 && !this.allowed.includes(response.status())) this.faults.push(`${response.status()} for ${response.url()}`);
    });
  }

  /** These statuses are part of the journey. */
  allow(...statuses) { this.allowed.push(...statuses); return this; }

  async go(path) {
    const response = await this.page.goto(this.site.url + path, { waitUntil: 'load' });
    return response.status();
  }

  async signIn(login, password = this.site.accounts[login]) {
    await this.go('/login');
    await this.page.fill('[name=login]', login);
    await this.page.fill('[name=password]', password);
    await Promise.all([this.page.waitForNavigation(), this.page.click('main button[type=submit]')]);
  }

  async leaveAndArriveAs(login) {
    await this.context.clearCookies();
    await this.signIn(login);
  }

  text(selector = 'main') { return this.page.locator(selector).first().innerText(); }

  /** No serious or critical finding of axe on the page as it is. */
  async accessible() {
    // Playwright evaluates outside of the page's CSP, so the page keeps its own.
    await this.page.evaluate(axeSource);
    const found = await this.page.evaluate((tags) => axe.run(document, { runOnly: { type: 'tag', values: tags } }), AXE_TAGS);
    const serious = found.violations.filter((violation) => ['serious', 'critical'].includes(violation.impact));
    const shown = serious.map((violation) => `${violation.id}: ${violation.help}\n  ${violation.nodes.slice(0, 4).map((node) => `${node.target} ${node.failureSummary.split('\n')[1] ?? ''}`).join('\n  ')}`);
    assert.equal(serious.length, 0, `accessibility of ${this.page.url()}:\n${shown.join('\n')}`);
  }

  /** Nothing makes the page scroll sideways. */
  async fits() {
    const { scroll, client, widest } = await this.page.evaluate(() => {
      const root = document.documentElement;
      const out = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1 && getComputedStyle(e).position !== 'fixed');
      return { scroll: root.scrollWidth, client: root.clientWidth, widest: out.slice(0, 3).map((e) => e.outerHTML.slice(0, 120)) };
    });
    assert.ok(scroll <= client, `${this.page.url()} is ${scroll} px wide in ${client} px: ${widest.join(' | ')}`);
  }

  /** A picture in SCREENSHOTS (or nowhere) at the present width. */
  async picture(name, { whole = true } = {}) {
    if (!process.env.SCREENSHOTS) return;
    mkdirSync(process.env.SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`), fullPage: whole });
  }

  /** The page at both widths: fits, is accessible, and is pictured. */
  async look(name) {
    const before = this.page.viewportSize();
    for (const [suffix, size] of [['desktop', DESKTOP], ['phone', PHONE]]) {
      await this.page.setViewportSize(size);
      await this.fits();
      if (this.javaScript) await this.accessible();
      await this.picture(`${name}-${suffix}`);
    }
    await this.page.setViewportSize(before);
  }

  /** Leaves; everything that went wrong on the way fails the journey. */
  async leave() {
    await this.context.close();
    assert.deepEqual(this.faults, []);
  }
}

/** A city with real chains and a browser for the tests of one file: started before them, ended after them. */
export function city() {
  const node = process.env.NODE_BIN ?? process.env.CITYCHAIN_NODE_BIN;
  const city = { arrive: (options) => Visitor.arrive(city.browser, city.site, options) };
  before(async () => { [city.site, city.browser] = await Promise.all([startConsole({ env: node ? { CITYCHAIN_NODE_BIN: node } : {} }), startBrowser()]); });
  after(async () => { await city.browser?.close(); await city.site?.stop(); });
  return city;
}

/** Deploys a template of the catalog as it is offered, and waits until it has passed its own acceptance checks. */
export async function deploy(visitor, id) {
  const { page } = visitor;
  await until('the chain can carry an application', async () => { await visitor.go(`/catalog/${id}/deploy`); return page.locator('#field-chain option:not([disabled])').count(); }, 90000);
  await visitor.look(`${id}-deploy`);
  const asked = Date.now();
  await Promise.all([page.waitForNavigation(), page.click('main button[type=submit]')]);
  await until('it is usable', async () => /立即打开|运行中/.test(await visitor.text()), 30000);
  console.log(`usable after ${Date.now() - asked} ms`);
  await until('every step is done', async () => { const text = await visitor.text('#progress'); assert.doesNotMatch(text, /失败/); return /运行中/.test(text); }, 60000);
  await visitor.look(`${id}-deployed`);
}
