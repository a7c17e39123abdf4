// Writes web/static/verify.html: both verifiers, the reports' templates and the page around them as one file that needs no network.
// Nothing is minified, so that anybody can compare it with its sources. Its policy names the only script and style it may run.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const text = (path) => readFileSync(new URL(path, root), 'utf8');
const hash = (content) => `sha256-${createHash('sha256').update(content).digest('base64')}`;

export function page() {
  const folder = 'chain-node/types/src/evidence/package/';
  const templates = { zh: text(`${folder}report.zh.html`), en: text(`${folder}report.en.html`) };
  // No text of a script may end its element.
  const inlined = JSON.stringify(templates).replace(/</g, '\\u003c');
  const script = `${text('web/static/verifier.js')}${text('web/static/package.js')}self.CityChainTemplates = ${inlined};\n${text('web/offline/page.js')}`;
  const style = text('web/offline/page.css');
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) throw new Error('a source ends the element that it stands in');
  const parts = { STYLE: style, SCRIPT: script, STYLE_HASH: hash(style), SCRIPT_HASH: hash(script), MARK: text('web/static/mark.svg').trim() };
  return text('web/offline/page.html').replace(/%([A-Z_]+)%/g, (_, name) => parts[name]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(new URL('web/static/verify.html', root), page());
