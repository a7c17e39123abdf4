/* Verifies evidence in the reader's own browser, trusting nothing but a genesis fingerprint. ES2017, for plain http.
 *   CityChainVerifier.verify(bytes, {trust, fileHash}) -> report
 *   CityChainVerifier.verifyAsync(bytes, {trust, fileHash}, onCheck) -> Promise of it; tells each check
 *   CityChainVerifier.hashFile(file, onProgress(done, all)) -> Promise of its SHA-256; the file goes nowhere
 * Same verdicts as chain_types::evidence, by chain-node/types/testdata. Refusals are thrown as strings, reasons
 * why a check does not apply as arrays. Heights, sizes and powers from 2^53 on pass no check. Terse: at most 25 KB. */
(() => {
'use strict';
let floor = Math.floor, LIMIT = 2 ** 53, WORD = 2 ** 32,
 hex = b => Array.from(b, x => (x + 256).toString(16).slice(1)).join(''),
 unhex = s => Uint8Array.from(s.match(/../g), x => parseInt(x, 16)), ascii = s => Uint8Array.from(s, c => c.charCodeAt(0));
function order(a, b) {
 let i = a.findIndex((x, i) => x !== b[i]);
 return i < 0 || i >= b.length ? a.length - b.length : a[i] - b[i];
}
let equal = (a, b) => !order(a, b);
function join(...parts) {
 let all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
 parts.reduce((at, p) => (all.set(p, at), at + p.length), 0);
 return all;
}
function no(when, why) {
 if (when) throw why;
}
/* SHA-2 (FIPS 180-4): SHA-512's initial values and constants; their high halves are SHA-256's. */
let SHA = ascii(atob(`
agnmZ/O8yQi7Z66FhMqnOzxu83L+lPgrpU/1Ol8dNvFRDlJ/reaC0ZsFaIwrPmwfH4PZq/tBvWtb4M0ZE34heUKKL5jXKK4icTdEkSPvZc21wPvP7E07L+m
126WBidu8OVbCW/NItThZ8RHxtgXQGZI/gqSvGU+bqxxe1dptgRjYB6qYowMCQhKDWwFFcG++JDGFvk7ksoxVDH3D1f+04nK+XXTye4lvgN6x/jsWlrGb3A
anJccSNcGb8XTPaSaU5JtpwZ7xStLvvkeGOE8l4w/BncaLjNW1JAyhzHesnGUt6SxvWSsCdUp0hKpupuSDXLCp3L1B+9R2+YjagxFTtZg+UVLuZt+rqDHGb
S20MhCwAyfImPshP79Zf8e+7w7kxuAL8z2oj8LVp5FHkwqnJQbKY1HgA4JvFCkpZwoObnAntwqFRtIv/C4bIThcJskmTSxt/FrEKu1TOA0TnZWz32UKc1SL
r2PedmoKuzx3sqiBwskuR+2u5pJyLIUUgjU7or/ooUzxA2SoGmZLvEIwAcJLi3DQ+JeRx2xRowZUvjDRkugZ1u9SGNaZBiRVZakQ9A41hVdxICoQaqBwMrv
RuBmkwRa40tDIHjdsCFFBq1MnSHdM347rmTSwvLXhm0ioORwMs8XJWmNO2KpK40GKy1ucyk93Y+NzaC5v89ayuKN0j4LuXe+y/HilY29DFy9ghMh4FKHwq3
KMxwIIGmQ57JC+//ojYx4opFBs696Cvem++aP3ssZ5FcZxePLjclMryic+zuomYZzRhrjHIcDCB+rafdbN4Ose9X1Pf+5u0XgG8GeqchdvugpjfcWiyJimE
T+YBL75Da4bcQs1ExxHGyjbd/UjBH2EMsqre0DHJJM8nr4KFcm+vEMdZ8ScEA1MTMXUvss+QrZZfymc/GV+Kl/Lb6s61vrsbEQZjEpHWBc=`));
let word = (b, at) => b[at] << 24 | b[at + 1] << 16 | b[at + 2] << 8 | b[at + 3], high = (_, i) => i % 2 < 1,
 INITIAL = new Int32Array(16).map((_, i) => word(SHA, 4 * i)), K = new Int32Array(160).map((_, i) => word(SHA, 64 + 4 * i)),
 bytesOf = words => new Uint8Array(4 * words.length).map((_, i) => words[i >> 2] >>> 24 - i % 4 * 8);
function padded(rest, size, total) {
 let n = rest.length + size / 8, b = new Uint8Array(n - n % size + size);
 b.set([...rest, 128]);
 for (let i = b.length, bits = total * 8; bits; bits = floor(bits / 256)) b[--i] = bits % 256;
 return b;
}
function hasher() {
 let s = INITIAL.filter(high), w = new Int32Array(64), k = K.filter(high), rest = [], total = 0;
 function update(more) {
  let p = join(rest, more), at = 0;
  for (; at + 64 <= p.length; at += 64) {
   let i = 0, x, y, a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
   for (; i < 16; i++) w[i] = word(p, at + 4 * i);
   for (; i < 64; i++) {
    x = w[i - 15];
    y = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) +
     ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10) | 0;
   }
   for (i = 0; i < 64; i++) {
    x = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (g ^ e & (f ^ g)) + k[i] + w[i] | 0;
    y = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b | c & (a | b)) | 0;
    h = g; g = f; f = e; e = d + x | 0; d = c; c = b; b = a; a = x + y | 0;
   }
   s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e; s[5] += f; s[6] += g; s[7] += h;
  }
  rest = p.slice(at);
  return total += more.length;
 }
 return {update, digest: () => (update(padded(rest, 64, total).subarray(rest.length)), bytesOf(s))};
}
function sha256(...parts) {
 let hash = hasher();
 hash.update(join(...parts));
 return hash.digest();
}
function sha512(msg) {
 let p = padded(msg, 128, msg.length), s = INITIAL.slice(), v = s.slice(), w = K.slice();
 /* The high half; with halves exchanged, the low one. */
 let turn = (h, l, n) => n < 32 ? h >>> n | l << 32 - n : l >>> n - 32 | h << 64 - n;
 let turns = (h, l, a, b, c) => turn(h, l, a) ^ turn(h, l, b) ^ turn(h, l, c), add = (to, i, h, l) => {
  l = (l >>> 0) + (to[i + 1] >>> 0);
  to[i] += h + floor(l / WORD);
  to[i + 1] = l;
 };
 let mix = (i, h, l, a, b, c) => add(v, i, turns(h, l, a, b, c), turns(l, h, a, b, c));
 let small = (i, h, l, a, b, c) => add(w, i, turn(h, l, a) ^ turn(h, l, b) ^ h >>> c, turns(l, h, a, b, c));
 for (let at = 0, i; at < p.length; at += 128) {
  for (i = 0; i < 32; i++) w[i] = word(p, at + 4 * i);
  for (; i < 160; i += 2) {
   w[i] = w[i + 1] = 0;
   for (let j of [i - 32, i - 14]) add(w, i, w[j], w[j + 1]);
   small(i, w[i - 30], w[i - 29], 1, 8, 7);
   small(i, w[i - 4], w[i - 3], 19, 61, 6);
  }
  v.set(s);
  for (i = 0; i < 160; i += 2) {
   mix(14, v[8], v[9], 14, 18, 41);
   add(v, 14, v[12] ^ v[8] & (v[10] ^ v[12]), v[13] ^ v[9] & (v[11] ^ v[13]));
   for (let of of [K, w]) add(v, 14, of[i], of[i + 1]);
   add(v, 6, v[14], v[15]);
   mix(14, v[0], v[1], 28, 34, 39);
   add(v, 14, v[0] & v[2] | v[4] & (v[0] | v[2]), v[1] & v[3] | v[5] & (v[1] | v[3]));
   v.set([v[14], v[15], ...v.subarray(0, 14)]);
  }
  for (i = 0; i < 16; i += 2) add(s, i, v[i], v[i + 1]);
 }
 return bytesOf(s);
}
/* Modulo p = 2^255 - 19: 15 limbs of 17 bits, signed and up to 21 bits between products. */
let RADIX = 131072, BLANK = Array(15).fill(.5), T = new Float64Array(30),
 digits = (b, n) => Array.from(Array(n), (_, i) => {
 let at = 17 * i >> 3;
 return (b[at] | b[at + 1] << 8 | b[at + 2] << 16) >>> 17 * i % 8 & 131071;
});
function add(a, b, n = 1) {
 let o = BLANK.slice();
 for (let i = 0; i < 15; i++) o[i] = a[i] + n * b[i];
 return o;
}
let sub = (a, b) => add(a, b, -1), ZERO = sub(BLANK, BLANK), number = n => add(ZERO, [n].concat(ZERO)), ONE = number(1);
function mul(a, b) {
 let o = BLANK.slice(), c = 0, k = 0, x;
 for (; k < 15; k++) T[k] = 19 * (T[k + 15] = b[k]);
 for (; k < 30; k++) {
  x = c;
  for (let i = 0; i < 15; i += 3) x += a[i] * T[k - i] + a[i + 1] * T[k - i - 1] + a[i + 2] * T[k - i - 2];
  c = floor(x / RADIX);
  o[k - 15] = x - c * RADIX;
 }
 x = o[0] + 19 * c;
 c = floor(x / RADIX);
 o[0] = x - c * RADIX;
 o[1] += c;
 return o;
}
let squares = (a, n) => n ? squares(mul(a, a), n - 1) : a;
/* x^(2^n - 1) */
function ones(x, n) {
 if (n < 2) return x;
 let half = ones(x, n >> 1), all = mul(squares(half, n >> 1), half);
 return n & 1 ? mul(mul(all, all), x) : all;
}
/* x^(2^(250 + n) - 2^n) y */
let power = (x, n, y) => mul(squares(ones(x, 250), n), y),
 inverse = x => power(x, 5, mul(squares(x, 3), mul(mul(x, x), x)));
function carried(a, n, b) {
 let c = 0;
 return add(a, b, n).map((x, i) => {
  x += c;
  c = floor(x / RADIX);
  return i < 14 ? x - c * RADIX : x;
 });
}
/* The one form below p */
function pack(a) {
 let b = new Uint8Array(32), over = a => floor(a[14] / RADIX);
 for (let i = 0, c = 0; i < 4; i++, c = over(a), a[14] -= c * RADIX, a[0] += 19 * c) a = carried(a, 0, ZERO);
 a = carried(a, 19 * over(carried(a, 19, ONE)), ONE);
 a.forEach((x, i) => [0, 8, 16].forEach((n, j) => { b[(17 * i >> 3) + j] |= x % RADIX << 17 * i % 8 >> n; }));
 return b;
}
let same = (a, b) => equal(pack(a), pack(b));
/* Ed25519 (RFC 8032): points are [X, Y, Z, T] with x = X/Z, y = Y/Z, xy = T/Z. */
let D = mul(number(-121665), inverse(number(121666))), D2 = add(D, D), ROOT = power(number(2), 3, number(8));
/* Minus the point, or null; as in ZIP 215, any y of 255 bits and either sign of x = 0 */
function negated(b) {
 let y = add(ZERO, digits(b, 15)), yy = mul(y, y), u = sub(yy, ONE), v = add(mul(D, yy), ONE), v3 = mul(mul(v, v), v);
 let w = mul(mul(mul(v3, v3), v), u), root = mul(mul(u, v3), power(w, 2, w)), square = mul(mul(root, root), v);
 let x = same(square, u) ? root : same(square, sub(ZERO, u)) && mul(root, ROOT);
 if (x && (pack(x)[0] & 1) === b[31] >> 7) x = sub(ZERO, x);
 return x ? [x, y, ONE, mul(x, y)] : null;
}
let addend = ([x, y, z, t]) => [sub(y, x), add(y, x), add(z, z), mul(t, D2)],
 point = (e, f, g, h) => [mul(e, f), mul(g, h), mul(f, g), mul(e, h)];
function plus([x, y, z, t], q) {
 let a = mul(sub(y, x), q[0]), b = mul(add(y, x), q[1]), c = mul(t, q[3]), d = mul(z, q[2]);
 return point(sub(b, a), sub(d, c), add(d, c), add(b, a));
}
function twice([x, y, z]) {
 let a = mul(x, x), b = mul(y, y), c = mul(z, z), s = add(x, y), g = sub(b, a), h = add(a, b);
 return point(sub(mul(s, s), h), sub(add(c, c), g), g, h);
}
function smallOrder(p) {
 p = twice(twice(twice(p)));
 return same(p[0], ZERO) && same(p[1], p[2]);
}
function multiples(p) {
 let one = addend(p), all = [];
 for (let q = IDENTITY; all.length < 16; q = plus(q, one)) all.push(addend(q));
 return all;
}
let IDENTITY = [ZERO, ONE, ONE, ZERO], BASE = multiples(negated(unhex('58' + '66'.repeat(30) + 'e6'))),
 L = digits(unhex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010'), 15),
 reduce = b => pack(digits(b, 31).reduceRight((r, digit) => {
 let top = r[14] * RADIX + r[13];
 r = carried([digit].concat(r.slice(0, 13), top), -floor(top / 16384), L);
 return r[14] < 0 ? carried(r, 1, L) : r;
}, ZERO));
/* [s·base - k·a, -a], if s is below the order and a is a point */
function points(key, msg, sig) {
 let s = sig.subarray(32), a = negated(key);
 if (!a || !equal(reduce(s), s)) return [];
 let of = [[s, BASE], [reduce(sha512(join(sig.subarray(0, 32), key, msg))), multiples(a)]], p = IDENTITY;
 for (let i = 63; i >= 0; i--) {
  p = twice(twice(twice(twice(p))));
  for (let [n, table] of of) p = plus(p, table[n[i >> 1] >> i % 2 * 4 & 15]);
 }
 return [p, a];
}
/* For validators: canonical, not of small order, without the cofactor */
function verifyStrict(key, msg, sig) {
 let [p, a] = points(key, msg, sig);
 if (!p || smallOrder(p) || smallOrder(a)) return false;
 let z = inverse(p[2]), b = join(pack(mul(p[1], z)), pack(a[1]));
 b[31] |= pack(mul(p[0], z))[0] << 7;
 b[63] |= key[31] & 128;
 return equal(b, join(sig.subarray(0, 32), key));
}
/* For envelopes: ZIP 215, with the cofactor */
function verifyZip215(key, msg, sig) {
 let [p] = points(key, msg, sig), r = p && negated(sig);
 return !!r && smallOrder(plus(p, addend(r)));
}
let UTF8 = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}), EMPTY = ascii('SPARSE_MERKLE_PLACEHOLDER_HASH__');
/* One object of deterministic CBOR (RFC 8949 §4.2.1); a refusal begins with these words */
function read(words, b, type) {
 let at = 0, mark;
 let must = holds => no(!holds, `${words}: not as the format demands at byte ${at}`),
  since = start => b.subarray(start, at), take = n => {
  must(at + n <= b.length);
  return b.subarray(at, at += n);
 };
 let head = () => {
  let [first] = take(1), info = first & 31;
  must(info < 28);
  if (info < 24) return [first >> 5, info];
  let n = take(1 << info - 24).reduce((n, x) => n * 256 + x, 0);
  must(first < 224 && n >= (info < 25 ? 24 : 2 ** (8 << info - 25)));
  return [first >> 5, n];
 };
 let uint = (wanted = 0, limit = 2 ** 64) => {
  let [major, n] = head();
  must(major === wanted && n <= limit);
  return n;
 },
 size = (major, limit = LIMIT) => {
  let n = uint(major, limit);
  must(n <= b.length - at);
  return n;
 },
 bytes = n => {
  let s = take(size(2));
  must(!n || s.length === n);
  return s;
 },
 text = () => {
  let s = take(size(3));
  try {
   return UTF8.decode(s);
  } catch (e) {
   must();
  }
 },
 nil = () => b[at] === 246 && !!++at;
 let list = (limit, one) => {
  let items = [];
  for (let n = size(4, limit); n--;) items.push(one());
  return items;
 },
 /* Any item; maps as {pairs}, integers as undefined */
 value = (depth = 0) => {
  let start = at, [major, n] = head(), inner = () => value(depth + 1), pairs = [];
  must(depth < 17 && major !== 6);
  if (major < 2) return undefined;
  if (major > 6) {
   must(n > 19 && n < 23);
   return [false, true, null][n - 20];
  }
  at = start;
  if (major < 5) return major < 3 ? bytes() : major < 4 ? text() : list(LIMIT, inner);
  for (let i = size(5), last = []; i--;) {
   let from = at, key = inner();
   must(order(since(from), last) > 0);
   last = since(from);
   pairs.push([key, inner()]);
  }
  return {pairs};
 },
 /* An array of `name:type` items; an unknown type is a choice of texts */
 rec = spec => {
  let o = {}, start = at, fields = spec.split(' ').map(field => field.split(':'));
  must(size(4) === fields.length);
  for (let [name, type] of fields) {
   o[name] = (types[type] || text)();
   must(types[type] || type.split('|').indexOf(o[name]) >= 0);
  }
  o.raw = since(start);
  return o;
 },
 hashed = spec => {
  let o = rec(spec);
  o.hash = sha256(o.raw);
  return o;
 },
 types = {
  u: uint, t: text, v: value,
  b: bytes,
  h: () => bytes(32),
  s: () => bytes(64),
  salt: () => bytes(8),
  i() {
   let n = uint();
   must(n < WORD);
   return n;
  },
  label() {
   let s = text();
   must(/^[a-z0-9_-]{1,40}$/.test(s));
   return s;
  },
  header: () => hashed('_:citychain/header/1 _:i _:intl chain:h height:u _:i time:u parent:h _:h set:h next:h _:h ' +
   'state:h size:u log:h _:h'),
  sigs() {
   mark = at;
   return list(32, () => rec('index:i bytes:s'));
  },
  cert() {
   let start = at + 20, o = rec('_:citychain/commit/1 height:u _:i id:h sigs:sigs');
   /* As in a vote */
   o.vote = b.subarray(start, mark);
   return o;
  },
  member: () => rec('key:h _:h _:h power:u org:t'),
  members: () => list(32, types.member),
  set() {
   let o = hashed('_:citychain/validators/1 all:members'), {all} = o;
   must(all.length && all.every((v, i) => (!i || order(all[i - 1].key, v.key) < 0) && v.power > 0 && v.power <= 2 ** 57));
   return o;
  },
  named: () => list(LIMIT, () => rec('name:t member:member')),
  title: () => rec('_:t _:t'),
  orgs: () => list(LIMIT, () => rec('id:t _:title _:h _:self|platform').id),
  steps: () => list(256, () => {
   if (nil()) return EMPTY;
   let hash = bytes(32);
   must(!equal(hash, EMPTY));
   return hash;
  }),
  proof: () => rec('key:b value:b steps:steps'),
  account: () => nil() ? null : types.proof(),
  path: () => list(64, types.h),
  subject: () => rec(b[at] === 130 ? 'kind:state proof:proof' :
   'kind:transaction|digest record:b index:u path:path block:header'),
  changes: () => list(1e4, () => rec('header:header cert:cert next:set')),
  evidence: () => rec('_:citychain/evidence/1 genesis:b changes:changes subject:subject account:account seal:header ' +
   'cert:cert'),
  genesis: () => rec('_:citychain/genesis/1 id:t profile:t rules:i _:u governance:platform|self _:delegated|members ' +
   'beat:u _:u _:h members:named orgs:orgs operator:t'),
  call: () => rec('chain:h _:u _:salt app:label instance:label method:label args:v'),
  /* COSE_Sign1; all before the payload follows from the key */
  envelope() {
   let kid = b.subarray(10, 42);
   let header = join(ascii('\x58\x4a\xa3\x01\x32\x04\x58\x20'), kid, ascii('\x10\x78\x21application/vnd.citychain.tx+cbor'));
   must(b.length <= 524288 && equal(take(79), join([210, 132], header, [160])));
   let tx = read(words, bytes(), 'call');
   tx.msg = join(ascii('\x84\x6aSignature1'), header, [64], since(79));
   return Object.assign(tx, {kid, sig: bytes(64)});
  },
  digest() {
   must(equal(take(3), [134, 1, 47]));
   return {digest: bytes(32), tx: bytes(32), position: uint(), kid: bytes(32)};
  }
 };
 let object = types[type]();
 must(at === b.length);
 return object;
}
function readGenesis(b) {
 let g = read('genesis does not decode', b, 'genesis'), ids = g.orgs, all = g.members.map(v => v.member);
 let once = items => new Set(items).size === items.length, known = id => ids.indexOf(id) >= 0, n = all.length;
 no(!(g.profile === 'intl' && g.rules === 1 && g.beat >= 1e3 && g.beat <= 864e5 && known(g.operator) && once(ids) &&
  ids.concat(g.members.map(v => v.name)).every(name => /^[a-z][a-z0-9-]{0,29}$/.test(name)) && n > 0 && n <= 32 &&
  once(all.map(v => hex(v.key))) && all.every(v => v.power === all[0].power && known(v.org)) &&
  all[0].power > 0 && all[0].power <= 1e3), 'genesis breaks a rule of this version');
 all.sort((a, b) => order(a.key, b.key));
 let start = join(ascii('\x82\x76citychain/validators/1'), n < 24 ? [128 + n] : [152, n]);
 g.set = {all, hash: sha256(start, ...all.map(v => v.raw))};
 return g;
}
/* RFC 6962 path, by RFC 9162 §2.1.3.2 */
function included(leaf, i, size, path, root) {
 let last = size - 1, hash = sha256([0], leaf), fits = i < size, up = () => [i, last] = [floor(i / 2), floor(last / 2)];
 for (let step of path) {
  let left = i % 2 || i === last;
  fits = fits && last > 0;
  hash = sha256([1], ...left ? [step, hash] : [hash, step]);
  while (left && i && i % 2 < 1) up();
  up();
 }
 return fits && !last && size < LIMIT && equal(hash, root);
}
/* Existence in a Jellyfish Merkle tree */
function inState({key, value, steps}, root) {
 let path = sha256(key), depth = steps.length, hash = sha256(ascii('JMT::LeafNode'), path, sha256(value));
 for (let step of steps) {
  let right = path[--depth >> 3] >> 7 - depth % 8 & 1;
  hash = sha256(ascii('JMT::IntrnalNode'), ...right ? [step, hash] : [hash, step]);
 }
 return equal(hash, root);
}
function* certified(cert, chain, header, {all}, where = '') {
 no(cert.height !== header.height || !equal(cert.id, header.hash), where + 'the commit certificate is for another block');
 let msg = join(ascii('\x86\x70citychain/vote/1\x58\x20'), chain, [2], cert.vote);
 let last = -1, power = 0, total = all.reduce((n, v) => n + v.power, 0);
 for (let {index, bytes} of cert.sigs) {
  no(!all[index] || index <= last, `${where}signature ${index} is from nobody in the validator set, or stands twice`);
  no(!verifyStrict(all[index].key, msg, bytes), `${where}signature of validator ${index} does not verify`);
  power += all[last = index].power;
  yield null;
 }
 no(!(3 * power > 2 * total && 3 * total < LIMIT),
  `${where}${power} of ${total} voting power signed; more than two thirds are needed`);
}
/* From genesis' set to the sealing header's */
function* followSets({changes, seal}, set, chain) {
 let height = 0, follows = next => equal(next.chain, chain) && next.height > height && equal(next.set, set.hash);
 for (let {header, cert, next} of changes) {
  let at = `the set change at height ${header.height}`;
  no(!follows(header), at + ' does not follow the one before');
  no(!equal(next.hash, header.next), `the set after height ${header.height} is not the one its header names`);
  yield* certified(cert, chain, header, set, at + ': ');
  [set, height] = [next, header.height];
 }
 no(!follows(seal), 'the sealing header names another validator set');
 return set;
}
let contains = (value, digest) => value instanceof Uint8Array ? equal(value, digest) : Array.isArray(value) ?
 value.some(item => contains(item, digest)) : !!value && !!value.pairs && contains(value.pairs.map(pair => pair[1]), digest);
function given(value) {
 let b = /^[0-9a-f]{64}$/i.test(value) ? unhex(value) : value;
 if (b == null || b instanceof Uint8Array && b.length === 32) return b;
 throw new Error('a fingerprint or hash has 64 hexadecimal digits');
}
/* Yields each check, and null between signatures */
function* run(out, bytes, inputs = {}) {
 let trust = given(inputs.trust), file = given(inputs.fileHash);
 let ev, subject, seal, block, chain, genesis, broken, set, tx, entry, signer, checks = {
  format() {
   ev = read('not an evidence package', bytes, 'evidence');
   ({subject, seal} = ev);
   block = subject.block;
   chain = sha256(ev.genesis);
   return bytes.length + ' bytes';
  },
  genesis() {
   try {
    genesis = readGenesis(ev.genesis);
   } catch (e) {
    throw broken = e;
   }
   no(trust && !equal(trust, chain), `the package is about chain ${hex(chain)}, you trust ${hex(trust || '')}`);
   [out.chain_id, out.governance] = [genesis.id, genesis.governance];
   no(!trust, ['no fingerprint was given to compare with']);
   return `${genesis.id} ${out.fingerprint = hex(chain)}`;
  },
  * validators() {
   no(broken, broken);
   try {
    set = yield* followSets(ev, genesis.set, chain);
   } catch (e) {
    throw broken = e;
   }
   return `${set.all.length} validators, ${ev.changes.length} changes`;
  },
  * certificate() {
   no(broken, broken);
   yield* certified(ev.cert, chain, seal, set);
   return `${ev.cert.sigs.length} of ${set.all.length} signed height ${seal.height}`;
  },
  header() {
   let {height, time, hash, size} = block || seal, {index} = subject;
   no(block && !(equal(seal.parent, hash) && seal.height === height + 1 && height < LIMIT),
    `the sealing header does not follow the record's block`);
   no(block && !(equal(seal.chain, block.chain) && seal.time > time),
    'the sealing header belongs to another chain or is not later');
   no(block && !(index >= size && index < seal.size), `entry ${index} was not added by block ${height}`);
   no(!(height > 0 || block), 'no state is before height 0');
   [out.height, out.time_ms] = [height, time];
   return block ? `height ${height}, sealed by ${seal.height}` : `state after height ${height - 1}`;
  },
  path() {
   let {kind, record, index, path, proof} = subject;
   no(!block && !inState(proof, seal.state), 'the record is not in the state with this root');
   if (!block) return proof.steps.length + ' steps to the state root';
   let leaf = kind === 'digest' || record.length < 65536 ? record :
    join(ascii('\x83\x02\x6btransaction\x58\x20'), sha256(record));
   no(!included(leaf, index, seal.size, path, seal.log), 'the record is not in the log with this root');
   out.index = index;
   return `entry ${index} of ${seal.size}, ${path.length} steps`;
  },
  signature() {
   no(!block, ['a state is the work of many calls']);
   if (subject.kind === 'digest') {
    entry = read('not a digest entry', subject.record, 'digest');
    if ('index' in out) [signer, out.tx, out.digest] = [entry.kid, hex(entry.tx), hex(entry.digest)];
    throw [`the call's envelope is left out of a digest's evidence`];
   }
   tx = read('transaction is not in its one form', subject.record, 'envelope');
   no(!equal(tx.chain, block.chain), 'the call was signed for another chain');
   no(!verifyZip215(tx.kid, tx.msg, tx.sig), 'the signature does not verify');
   [signer, out.tx] = [tx.kid, hex(sha256(tx.msg))];
   return `${tx.app}.${tx.instance}.${tx.method}`;
  },
  account() {
   let {account} = ev, found = {};
   if (signer) out.signer = hex(signer);
   no(account && !block, 'a state has no one signer; its package carries no account record');
   no(!signer, ['there is no one signer']);
   no(!account, ['the package carries no account record']);
   for (let [name, value] of Object(read('account', account.value, 'v')).pairs || []) found[name] = value;
   no(!equal(account.key, join(ascii('\x05chain\x08identity\x07account'), signer)) ||
    Object.keys(found) + '' !== 'label,status,custody,organisation,administrator', `the account record is not the signer's`);
   no(!inState(account, seal.state), 'the account record is not in the state with this root');
   out.account = found;
   return `${found.label} of ${found.organisation}, key custody: ${found.custody}`;
  },
  file() {
   no(!file, ['no original file was given']);
   no(!block, ['a state holds no file digest']);
   no(!(tx ? contains(tx.args, file) : entry && equal(entry.digest, file)),
    `sha-256 of the file is ${hex(file)}; the record does not hold it`);
   return 'sha-256 ' + hex(file);
  },
  history() { throw ['this package carries no city-chain proof']; },
  cosignatures() { throw ['this package carries no cosigned checkpoint']; }
 };
 for (let name in checks) {
  let check = {name, outcome: 'pass', detail: ''};
  try {
   let made = checks[name]();
   check.detail = made.next ? yield* made : made;
  } catch (e) {
   if (e instanceof Error) throw e;
   check.outcome = Array.isArray(e) ? 'not_applicable' : 'fail';
   check.detail = '' + e;
  }
  out.checks.push(check);
  yield check;
  if (!ev) return;
 }
 out.valid = out.checks.every(check => check.outcome !== 'fail');
}
function verify(bytes, inputs) {
 let out = {valid: false, checks: []};
 for (let _ of run(out, bytes, inputs));
 return out;
}
/* Lets the page breathe after each check and every 12 ms */
async function verifyAsync(bytes, inputs, onCheck) {
 let out = {valid: false, checks: []}, start = Date.now();
 for (let check of run(out, bytes, inputs)) {
  if (check && onCheck) onCheck(check);
  if (!check && Date.now() - start < 12) continue;
  await new Promise(resume => setTimeout(resume, 0));
  start = Date.now();
 }
 return out;
}
async function hashFile(file, onProgress) {
 let hash = hasher();
 for (let at = 0; at < file.size;) {
  /* Blob.arrayBuffer is too young */
  let part = await new Response(file.slice(at, at + 1048576)).arrayBuffer();
  if (!part.byteLength) throw new Error('the file changed while it was read');
  at = hash.update(new Uint8Array(part));
  if (onProgress) onProgress(at, file.size);
 }
 return hex(hash.digest());
}
let api = {verify, verifyAsync, hashFile, parts: {sha256, sha512, verifyStrict, verifyZip215, read, readGenesis, followSets}};
if (typeof module === 'object') module.exports = api;
else self.CityChainVerifier = api;
})();
