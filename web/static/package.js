/* Verifies packages (.evp) in the reader's own browser: the core by verifier.js, every member around it against the core. ES2017.
 *   CityChainPackage.verify(bytes, {trust, fileHash, templates: {zh, en}}) -> report, for packages and for evidence.cbor alike
 *   CityChainPackage.verifyAsync(bytes, inputs, onCheck) -> Promise of it
 *   CityChainPackage.isMeant(bytes) -> whether a file is meant as a package
 * Same verdicts as chain_types::evidence::package, by chain-node/types/testdata/package. Without the reports' templates (made
 * from the same crate) reports are not compared, and the check says so. */
(function () {
'use strict';
var inNode = typeof module === 'object';
var core = inNode ? require('./verifier.js') : self.CityChainVerifier;
var sha256 = core.parts.sha256, strict = core.parts.verifyStrict, read = core.parts.read;
var MIB = 1048576, MAX = 32 * MIB, SAFE = 9007199254740992;
var MEMBERS = [['evidence.cbor', 16 * MIB], ['proof.tlog-proof', MIB / 4], ['policy.txt', MIB / 4], ['sets.cbor', 8 * MIB],
  ['receipt.cose', MIB / 64], ['city-proof.cbor', 4 * MIB], ['provenance.json', MIB / 256], ['report.zh.html', MIB / 16],
  ['report.en.html', MIB / 16]];
var UTF8 = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});

function no(when, why) { if (when) throw why; }
function hex(b) { return Array.from(b, function (x) { return (x + 256).toString(16).slice(1); }).join(''); }
function ascii(s) { return Uint8Array.from(s, function (c) { return c.charCodeAt(0); }); }
function utf8(s) { return ascii(unescape(encodeURIComponent(s))); }
function base64(b) { return btoa(Array.from(b, function (x) { return String.fromCharCode(x); }).join('')); }
function unbase64(s) {
  try { return ascii(atob(s)); } catch (error) { throw 'a line is not base64'; }
}
function join() {
  var parts = Array.from(arguments), at = 0;
  var all = new Uint8Array(parts.reduce(function (n, p) { return n + p.length; }, 0));
  parts.forEach(function (p) { all.set(p, at); at += p.length; });
  return all;
}
function equal(a, b) { return a.length === b.length && a.every(function (x, i) { return x === b[i]; }); }
function drain(steps) {
  for (;;) {
    var step = steps.next();
    if (step.done) return step.value;
  }
}

/* ---- the one ZIP form ---- */
var TABLE = Array.from(Array(256), function (_, n) {
  for (var bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ n >>> 1 : n >>> 1;
  return n;
});
function checksum(b) {
  var sum = -1;
  for (var i = 0; i < b.length; i++) sum = TABLE[(sum ^ b[i]) & 255] ^ sum >>> 8;
  return ~sum >>> 0;
}
function little(n, size) {
  var b = [];
  for (; size; size--, n = Math.floor(n / 256)) b.push(n % 256);
  return b;
}
function number(b, at, size) {
  var n = 0;
  while (size--) n = n * 256 + b[at + size];
  return n;
}
/* Version, flags, method, time, date, checksum, sizes, length of the name, no extra field */
function shared(name, content) {
  return [].concat([10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0], little(checksum(content), 4), little(content.length, 4),
    little(content.length, 4), little(name.length, 2), [0, 0]);
}
function zip(members) {
  var files = [], directory = [], offset = 0, size = 0;
  members.forEach(function (member) {
    var name = ascii(member[0]), same = shared(member[0], member[1]);
    var local = join([0x50, 0x4b, 3, 4], same, name, member[1]);
    var entry = join([0x50, 0x4b, 1, 2, 10, 0], same, new Uint8Array(10), little(offset, 4), name);
    files.push(local); directory.push(entry);
    offset += local.length; size += entry.length;
  });
  var end = join([0x50, 0x4b, 5, 6, 0, 0, 0, 0], little(members.length, 2), little(members.length, 2), little(size, 4),
    little(offset, 4), [0, 0]);
  return join.apply(null, files.concat(directory, [end]));
}
function unzip(b) {
  var found = {}, list = [], at = 0, next = 0;
  no(b.length > MAX, 'a package has at most ' + MAX + ' bytes');
  while (at + 30 <= b.length && number(b, at, 4) === 0x04034b50) {
    var length = number(b, at + 26, 2), size = number(b, at + 22, 4), from = at + 30 + length;
    var name = Array.from(b.subarray(at + 30, from), function (x) { return String.fromCharCode(x); }).join('');
    var place = MEMBERS.findIndex(function (member, i) { return i >= next && member[0] === name; });
    no(place < 0, '`' + name.slice(0, 60) + '` is no member of a package, stands twice, or stands out of order');
    no(number(b, at + 6, 4), 'member `' + name + '` is compressed or encrypted; a package stores its members as they are');
    no(size > MEMBERS[place][1], 'member `' + name + '` is larger than a package may carry');
    no(from + size > b.length, 'the file ends within a member or its header');
    var content = b.subarray(from, from + size);
    no(number(b, at + 14, 4) !== checksum(content), 'the checksum of member `' + name + '` does not match');
    found[name] = content;
    list.push([name, content]);
    at = from + size;
    next = place + 1;
  }
  no(!equal(zip(list), b), 'the file is not in the one form of a package: headers or directory differ');
  return found;
}
function text(found, name) {
  no(!found[name], 'the package has no member `' + name + '`');
  try { return UTF8.decode(found[name]); } catch (error) { throw 'member `' + name + '` is not in its one form'; }
}
/* What belongs together is there; what it says is for the checks */
function open(bytes) {
  var found = unzip(bytes), alone = function (name, other) {
    no(found[name] && !found[other], 'the package carries `' + name + '` without a `' + other + '` to go with it');
  };
  ['sets.cbor', 'receipt.cose', 'policy.txt'].forEach(function (name) { alone(name, 'proof.tlog-proof'); });
  alone('proof.tlog-proof', 'policy.txt');
  no(!found['evidence.cbor'], 'the package has no member `evidence.cbor`');
  var p = {evidence: found['evidence.cbor'], receipt: found['receipt.cose'], city: found['city-proof.cbor'], later: []};
  if (found['sets.cbor']) {
    p.later = read('member `sets.cbor` is not in its one form', found['sets.cbor'], 'changes');
    no(!p.later.length, 'member `sets.cbor` is not in its one form');
  }
  if (found['proof.tlog-proof']) [p.proof, p.policy] = [text(found, 'proof.tlog-proof'), text(found, 'policy.txt')];
  p.pages = {zh: text(found, 'report.zh.html'), en: text(found, 'report.en.html')};
  p.provenance = provenance(text(found, 'provenance.json'));
  return p;
}
function provenance(json) {
  var of, bad = 'member `provenance.json` is not in its one form';
  try { of = JSON.parse(json); } catch (error) { throw bad; }
  no(!of || Object.keys(of).join() !== 'chain,fingerprint,made_by,version,made_at_ms' || JSON.stringify(of) !== json ||
    ['chain', 'fingerprint', 'made_by', 'version'].some(function (key) { return typeof of[key] !== 'string'; }) ||
    !/^[0-9a-f]{64}$/.test(of.fingerprint) || !(of.made_at_ms >= 0 && of.made_at_ms < SAFE && of.made_at_ms % 1 === 0), bad);
  return of;
}

/* ---- the log, as C2SP writes it ---- */
function label(name) {
  return Array.from(name).slice(0, 64).map(function (c) { return /^[A-Za-z0-9._-]$/.test(c) ? c : '-'; }).join('') || 'chain';
}
function vkey(name, kind, key) {
  var id = sha256(utf8(name), [10, kind], key).slice(0, 4);
  return {name: name, id: id, key: key, text: name + '+' + hex(id) + '+' + base64(join([kind], key))};
}
/* The set that cosigns, and the policy that follows from it */
function derive(ev, later) {
  var genesis = core.parts.readGenesis(ev.genesis), chain = sha256(ev.genesis), changes = ev.changes.concat(later);
  var last = changes.length ? changes[changes.length - 1].next : genesis.set;
  var end = {chain: chain, height: Infinity, set: last.hash};
  var all = drain(core.parts.followSets({changes: changes, seal: end}, genesis.set, chain)).all;
  no(all.some(function (v) { return v.power !== all[0].power; }), "the validators' powers differ, which a policy cannot express");
  var origin = label(genesis.id) + '/' + hex(chain), quorum = Math.floor(all.length * 2 / 3) + 1;
  /* A member is an array of three keys, its power and its organisation. */
  var logs = all.map(function (v) { return vkey(origin, 1, v.raw.subarray(71, 103)); });
  var witnesses = all.map(function (v) {
    return vkey(label(genesis.id) + '/' + label(v.org) + '/' + hex(v.key.subarray(0, 4)), 4, v.raw.subarray(37, 69));
  });
  var names = all.map(function (_, i) { return 'v' + (i + 1); });
  var policy = logs.map(function (log) { return 'log ' + log.text + '\n'; }).concat(witnesses.map(function (w, i) {
    return 'witness ' + names[i] + ' ' + w.text + '\n';
  }), ['group validators ' + quorum + ' ' + names.join(' ') + '\nquorum validators\n']).join('');
  return {origin: origin, logs: logs, witnesses: witnesses, quorum: quorum, policy: policy, all: all};
}
/* RFC 9162 §2.1.3.2; none if the path does not fit */
function rootOf(leaf, i, size, path) {
  var last = size - 1, hash = sha256([0], leaf), fits = i < size;
  function up() { i = Math.floor(i / 2); last = Math.floor(last / 2); }
  path.forEach(function (step) {
    var left = i % 2 === 1 || i === last;
    fits = fits && last > 0;
    hash = left ? sha256([1], step, hash) : sha256([1], hash, step);
    while (left && i && i % 2 === 0) up();
    up();
  });
  return fits && !last && size < SAFE ? hash : null;
}
function readProof(p) {
  var parts = /^c2sp\.org\/tlog-proof@v1\nindex (0|[1-9][0-9]*)\n((?:[A-Za-z0-9+/]{43}=\n)*)\n([^\n]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\n\n((?:— [^\s+]+ [A-Za-z0-9+/=]+\n)+)$/
    .exec(p);
  no(!parts, 'the proof is not in its one form');
  var one = function (encoded) {
    var bytes = unbase64(encoded);
    no(base64(bytes) !== encoded, 'the proof is not in its one form');
    return bytes;
  };
  var lines = function (block) { return block.split('\n').slice(0, -1); };
  return {
    index: Number(parts[1]), path: lines(parts[2]).map(one), origin: parts[3], size: Number(parts[4]), root: one(parts[5]),
    body: parts[3] + '\n' + parts[4] + '\n' + parts[5] + '\n',
    signatures: lines(parts[6]).map(function (line) {
      var words = line.split(' '), bytes = one(words[2]);
      return {name: words[1], id: bytes.subarray(0, 4), bytes: bytes.subarray(4)};
    })
  };
}
function entryOf(subject) {
  no(!subject.block, 'a state has no place in the log; its package carries no log proof');
  if (subject.kind === 'digest' || subject.record.length < 65536) return subject.record;
  return join(ascii('\x83\x02\x6btransaction\x58\x20'), sha256(subject.record));
}
/* The proof, if it leads from the evidence's own entry to a checkpoint that the policy accepts */
function cosigned(p, ev, by) {
  var entry = entryOf(ev.subject), proof = readProof(p.proof), logged = false, times = {};
  var body = utf8(proof.body), find = function (keys, line) {
    return keys.find(function (key) { return key.name === line.name && equal(key.id, line.id); });
  };
  no(proof.origin !== by.origin, 'the checkpoint is of log `' + proof.origin + '`, which the policy does not name');
  proof.signatures.forEach(function (line) {
    var log = find(by.logs, line), witness = find(by.witnesses, line), good = false;
    no(!log && !witness, 'the checkpoint carries a signature of `' + line.name + '`, whom the policy does not name');
    if (log) good = logged = line.bytes.length === 64 && strict(log.key, body, line.bytes);
    if (witness && line.bytes.length === 72) {
      var time = line.bytes.subarray(0, 8).reduce(function (n, x) { return n * 256 + x; }, 0);
      good = time < SAFE && strict(witness.key, join(ascii('cosignature/v1\ntime ' + time + '\n'), body), line.bytes.subarray(8));
      times[witness.text] = time;
    }
    no(!good, 'the signature of `' + line.name + '` does not verify');
  });
  var count = Object.keys(times).length;
  no(proof.index !== ev.subject.index, 'the proof is about entry ' + proof.index + ', the evidence about entry ' + ev.subject.index);
  no(!logged, "none of the policy's keys signed the checkpoint as its log");
  no(count < by.quorum, count + " of the policy's witnesses cosigned; its quorum asks for more");
  var root = rootOf(entry, proof.index, proof.size, proof.path);
  no(!root || !equal(root, proof.root), "the path does not lead from the entry to the checkpoint's root");
  return {proof: proof, detail: count + ' validators cosigned a log of ' + proof.size + ' entries'};
}

/* ---- receipts (RFC 9942) ---- */
function head(major, n) { return n < 24 ? [major << 5 | n] : n < 256 ? [major << 5 | 24, n] : [major << 5 | 25, n >> 8, n & 255]; }
function bstr(b) { return join(head(2, b.length), b); }
function statementOf(ev) {
  var tx, pair;
  if (ev.subject.kind !== 'transaction') return null;
  try { tx = read('', ev.subject.record, 'envelope'); } catch (error) { return null; }
  if (tx.instance !== 'anchor' || tx.method !== 'register' || !tx.args || !tx.args.pairs) return null;
  pair = tx.args.pairs.find(function (of) { return of[0] === 'statement'; });
  return pair && pair[1] instanceof Uint8Array ? pair[1] : null;
}
function received(p, ev, by, proof) {
  var statement = statementOf(ev), b = p.receipt, at = 0, origin = ascii(by.origin);
  no(!statement, 'the record is no registered statement, yet there is a receipt');
  var bad = 'the receipt is not in the form of RFC 9942 that this log writes, or signed by no validator of the set';
  function take(n) { no(at + n > b.length, bad); return b.subarray(at, at += n); }
  function expect(bytes) { no(!equal(take(bytes.length), Uint8Array.from(bytes)), bad); }
  function uint(major) {
    var first = take(1)[0], info = first & 31, size = info < 24 ? 0 : 1 << info - 24;
    no(first >> 5 !== major || info > 27, bad);
    var n = size ? take(size).reduce(function (n, x) { return n * 256 + x; }, 0) : info;
    no(size && n < (size < 2 ? 24 : Math.pow(2, 4 * size)) || n >= SAFE, bad);
    return n;
  }
  var named = join(head(3, origin.length), origin), signer = null;
  by.logs.forEach(function (log) {
    var kid = sha256([0xa3, 1, 1, 0x20, 6, 0x21, 0x58, 0x20], log.key);
    var header = join([0xa4, 1, 0x27, 4, 0x58, 0x20], kid, [0x0f, 0xa2, 1], named, [2], named, [0x19, 1, 0x8b, 1]);
    var start = join([0xd2, 0x84], bstr(header));
    if (equal(b.subarray(0, start.length), start)) signer = {key: log.key, header: header, start: start};
  });
  no(!signer, bad);
  at = signer.start.length;
  expect([0xa1, 0x19, 1, 0x8c, 0xa1, 0x20, 0x81]);
  var length = uint(2), end = at + length;
  expect([0x83]);
  var size = uint(0), index = uint(0), n = uint(4), path = [];
  no(n > 63, bad);
  for (; n--; path.push(take(32))) expect([0x58, 0x20]);
  no(at !== end, bad);
  expect([0xf6, 0x58, 0x40]);
  var signature = take(64), root = rootOf(statement, index, size, path);
  no(at !== b.length, bad);
  no(!root || !strict(signer.key, join(ascii('\x84\x6aSignature1'), bstr(signer.header), [0x40, 0x58, 0x20], root), signature),
    "the receipt's signature does not verify over the root that its path leads to");
  no(size !== proof.size || !equal(root, proof.root), 'the receipt is not under the checkpoint of the proof');
  return 'statement at entry ' + index;
}

/* ---- reports: the crate's own templates, filled again ---- */
var WORDS = {
  zh: {pass: '通过', none: '不适用', transaction: '已执行的调用', digest: '文件指纹', state: '链上状态'},
  en: {pass: 'pass', none: 'not applicable', transaction: 'an applied call', digest: "a file's fingerprint", state: 'a state record'}
};
function moment(ms) {
  if (ms > 253402271999999) return ms + ' ms';
  return new Date(ms + 288e5).toISOString().slice(0, 19).replace('T', ' ') + ' UTC+08:00';
}
function page(template, words, p, ev, report) {
  var made = {}, say = function (pass) { return pass ? words.pass : words.none; };
  var shown = function (fact) { return fact === undefined ? '–' : String(fact); };
  report.checks.forEach(function (check) { made[check.name] = check; });
  var passed = function (name) { return made[name].outcome === 'pass'; }, subject = ev.subject;
  var places = {
    fingerprint: hex(sha256(ev.genesis)), chain: shown(report.chain_id), governance: shown(report.governance),
    kind: words[subject.kind], time: moment((subject.block || ev.seal).time), height: shown(report.height),
    subject: subject.kind === 'state' ? hex(subject.proof.key) : subject.kind === 'digest' ? report.digest : made.signature.detail,
    index: shown(report.index), tx: shown(report.tx), signer: shown(report.signer),
    account: passed('account') ? made.account.detail : '–', signature: say(passed('signature')), of_account: say(passed('account')),
    cosignatures: say(!!p.proof), receipt: say(!!p.receipt), history: p.city ? '–' : words.none
  };
  return template.replace(/\{\{(\w+)\}\}/g, function (_, name) {
    return places[name].replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
  });
}

/* ---- the checks ---- */
function made(name, run) {
  var check = {name: name, outcome: 'pass', detail: ''};
  try {
    check.detail = run();
  } catch (error) {
    if (error instanceof Error) throw error;
    check.outcome = Array.isArray(error) ? 'not_applicable' : 'fail';
    check.detail = String(error);
  }
  return check;
}
/* Checks around the core; `report` is the core's */
function around(p, ev, report, inputs) {
  var by, proof, broken, checks = [], valid = report.valid;
  var log = made('cosignatures', function () {
    by = derive(ev, p.later);
    var found = cosigned(p, ev, by);
    proof = found.proof;
    return found.detail;
  });
  if (p.proof) {
    report.checks = report.checks.map(function (check) { return check.name === 'cosignatures' ? log : check; });
    if (!proof) broken = log.detail;
  }
  if (p.city) {
    report.checks = report.checks.map(function (check) {
      return check.name !== 'history' ? check :
        Object.assign({}, check, {detail: 'the package carries a city-chain proof, which this program cannot check yet'});
    });
  }
  checks.push(made('policy', function () {
    no(!p.proof, ['this package carries no cosigned checkpoint']);
    no(!by, broken);
    no(p.policy !== by.policy, 'policy.txt is not what follows from the validator set');
    return by.quorum + ' of ' + by.all.length + ' validators must cosign';
  }));
  checks.push(made('receipt', function () {
    no(!p.receipt && (!p.proof || statementOf(ev)), ['this package carries no receipt']);
    no(!p.receipt, ['the record is no registered statement']);
    no(broken, broken);
    return received(p, ev, by, proof);
  }));
  checks.push(made('reports', function () {
    no(!valid, ['evidence that fails a check has no report']);
    no(!inputs.templates, ['this page has no templates to compare the reports with']);
    ['zh', 'en'].forEach(function (language) {
      no(page(inputs.templates[language], WORDS[language], p, ev, report) !== p.pages[language],
        'a report says something else than the evidence');
    });
    return 'both say what the evidence says';
  }));
  checks.push(made('provenance', function () {
    no(p.provenance.chain !== report.chain_id || p.provenance.fingerprint !== hex(sha256(ev.genesis)),
      'the package says that it was made from another chain');
    throw ["who made the package, and when, is its maker's word alone"];
  }));
  return checks;
}
function isMeant(bytes) { return bytes[0] === 0x50 && bytes[1] === 0x4b; }
function opened(bytes) {
  var p, check = made('package', function () {
    p = open(bytes);
    return bytes.length + ' bytes';
  });
  return {p: p, check: check};
}
function finish(p, opening, report, inputs) {
  var ev;
  try { ev = read('', p.evidence, 'evidence'); } catch (error) { ev = null; }
  var added = ev ? around(p, ev, report, inputs) : [];
  report.checks = [opening].concat(report.checks, added);
  report.valid = report.checks.every(function (check) { return check.outcome !== 'fail'; });
  report.provenance = p.provenance;
  return report;
}
function verify(bytes, inputs) {
  inputs = inputs || {};
  if (!isMeant(bytes)) return core.verify(bytes, inputs);
  var opening = opened(bytes);
  if (!opening.p) return {valid: false, checks: [opening.check]};
  return finish(opening.p, opening.check, core.verify(opening.p.evidence, inputs), inputs);
}
function verifyAsync(bytes, inputs, onCheck) {
  inputs = inputs || {};
  if (!isMeant(bytes)) return core.verifyAsync(bytes, inputs, onCheck);
  var opening = opened(bytes);
  if (!opening.p) return Promise.resolve({valid: false, checks: [opening.check]});
  return core.verifyAsync(opening.p.evidence, inputs, onCheck).then(function (report) {
    return finish(opening.p, opening.check, report, inputs);
  });
}
var api = {verify: verify, verifyAsync: verifyAsync, isMeant: isMeant};
if (inNode) module.exports = api;
else self.CityChainPackage = api;
})();
