/* Verifies an evidence package in the reader's own browser, trusting nothing but a genesis fingerprint.
 *   CityChainVerifier.verify(bytes, {trust, fileHash}) -> report
 *   CityChainVerifier.verifyAsync(bytes, {trust, fileHash}, onCheck) -> Promise of the report; tells each check
 *   CityChainVerifier.hashFile(file, onProgress(done, all)) -> Promise of its SHA-256; the file goes nowhere
 * Checks, order and verdicts are those of chain_types::evidence::verify; chain-node/types/testdata holds the two
 * together. Written from FIPS 180-4, RFC 8032, ZIP 215, RFC 8949 and RFC 6962, for ES2017 and plain http: no BigInt, no
 * modules, no crypto.subtle. Terse, to stay within 25 KB. A refusal is thrown as a string, why a check does not apply
 * as an array; an Error is a defect. An integer beyond 2^53 - 1 is read as NaN, and no check passes with one. */
(root => {
'use strict';

const floor = Math.floor;
const hex = b => Array.from(b, x => (x < 16 ? '0' : '') + x.toString(16)).join('');
const unhex = s => Uint8Array.from(s.match(/../g), x => parseInt(x, 16));
const ascii = s => Uint8Array.from(s, c => c.charCodeAt(0));
function order(a, b) {
 for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
 return a.length - b.length;
}
const equal = (a, b) => !order(a, b);
function join(...parts) {
 const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
 parts.reduce((at, p) => (all.set(p, at), at + p.length), 0);
 return all;
}

/* ---- SHA-2: 8 initial values and 80 constants of SHA-512; SHA-256 has the high halves ---- */

const SHA = ascii(atob(
 'agnmZ/O8yQi7Z66FhMqnOzxu83L+lPgrpU/1Ol8dNvFRDlJ/reaC0ZsFaIwrPmwfH4PZq/tBvWtb4M0ZE34heUKKL5jXKK4icTdEkSPvZc21wPvP' +
 '7E07L+m126WBidu8OVbCW/NItThZ8RHxtgXQGZI/gqSvGU+bqxxe1dptgRjYB6qYowMCQhKDWwFFcG++JDGFvk7ksoxVDH3D1f+04nK+XXTye4lv' +
 'gN6x/jsWlrGb3AanJccSNcGb8XTPaSaU5JtpwZ7xStLvvkeGOE8l4w/BncaLjNW1JAyhzHesnGUt6SxvWSsCdUp0hKpupuSDXLCp3L1B+9R2+Yja' +
 'gxFTtZg+UVLuZt+rqDHGbS20MhCwAyfImPshP79Zf8e+7w7kxuAL8z2oj8LVp5FHkwqnJQbKY1HgA4JvFCkpZwoObnAntwqFRtIv/C4bIThcJskm' +
 'TSxt/FrEKu1TOA0TnZWz32UKc1SLr2PedmoKuzx3sqiBwskuR+2u5pJyLIUUgjU7or/ooUzxA2SoGmZLvEIwAcJLi3DQ+JeRx2xRowZUvjDRkugZ' +
 '1u9SGNaZBiRVZakQ9A41hVdxICoQaqBwMrvRuBmkwRa40tDIHjdsCFFBq1MnSHdM347rmTSwvLXhm0ioORwMs8XJWmNO2KpK40GKy1ucyk93Y+Nz' +
 'aC5v89ayuKN0j4LuXe+y/HilY29DFy9ghMh4FKHwq3KMxwIIGmQ57JC+//ojYx4opFBs696Cvem++aP3ssZ5FcZxePLjclMryic+zuomYZzRhrjH' +
 'IcDCB+rafdbN4Ose9X1Pf+5u0XgG8GeqchdvugpjfcWiyJimET+YBL75Da4bcQs1ExxHGyjbd/UjBH2EMsqre0DHJJM8nr4KFcm+vEMdZ8ScEA1M' +
 'TMXUvss+QrZZfymc/GV+Kl/Lb6s61vrsbEQZjEpHWBc='));
const word = (b, at) => b[at] << 24 | b[at + 1] << 16 | b[at + 2] << 8 | b[at + 3];
const INITIAL = new Int32Array(16).map((_, i) => word(SHA, 4 * i));
const K = new Int32Array(160).map((_, i) => word(SHA, 64 + 4 * i)), K256 = K.filter((_, i) => i % 2 < 1);
const bytesOf = words => new Uint8Array(4 * words.length).map((_, i) => words[i >> 2] >>> 24 - i % 4 * 8);
/* A message's rest, a one bit, zeros, and the message's length in bits. */
function padded(rest, size, total) {
 const n = rest.length + size / 8, b = new Uint8Array(n - n % size + size);
 b.set(rest);
 b[rest.length] = 128;
 for (let i = b.length, bits = total * 8; bits; bits = floor(bits / 256)) b[--i] = bits % 256;
 return b;
}
class Sha256 {
 constructor() {
  this.state = INITIAL.filter((_, i) => i % 2 < 1);
  this.rest = [];
  this.total = 0;
 }
 update(more) {
  const p = join(this.rest, more), s = this.state, w = new Int32Array(64);
  let at = 0;
  for (; at + 64 <= p.length; at += 64) {
   let [a, b, c, d, e, f, g, h] = s, i = 0, x, y;
   for (; i < 16; i++) w[i] = word(p, at + 4 * i);
   for (; i < 64; i++) {
    x = w[i - 15];
    y = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) +
     ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10) | 0;
   }
   for (i = 0; i < 64; i++) {
    x = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (g ^ e & (f ^ g)) + K256[i] + w[i] | 0;
    y = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b | c & (a | b)) | 0;
    h = g; g = f; f = e; e = d + x | 0; d = c; c = b; b = a; a = x + y | 0;
   }
   [a, b, c, d, e, f, g, h].forEach((x, i) => { s[i] += x; });
  }
  this.rest = p.subarray(at);
  this.total += more.length;
  return this;
 }
 digest() {
  this.update(padded(this.rest, 64, this.total).subarray(this.rest.length));
  return bytesOf(this.state);
 }
}
const sha256 = (...parts) => new Sha256().update(join(...parts)).digest();
function sha512(message) {
 const p = padded(message, 128, message.length), s = INITIAL.slice(), v = s.slice(), w = new Int32Array(160);
 /* The high half of a rotation, and of three; with the halves exchanged, the low one. */
 const turn = (h, l, n) => n < 32 ? h >>> n | l << 32 - n : l >>> n - 32 | h << 64 - n;
 const turns = (h, l, a, b, c) => turn(h, l, a) ^ turn(h, l, b) ^ turn(h, l, c);
 const add = (to, i, h, l) => {
  l = (l >>> 0) + (to[i + 1] >>> 0);
  to[i] += h + floor(l / 4294967296);
  to[i + 1] = l;
 };
 for (let at = 0, i, h, l; at < p.length; at += 128) {
  for (i = 0; i < 32; i++) w[i] = word(p, at + 4 * i);
  for (; i < 160; i += 2) {
   add(w, i, w[i - 32], w[i - 31]);
   add(w, i, w[i - 14], w[i - 13]);
   [h, l] = [w[i - 30], w[i - 29]];
   add(w, i, turn(h, l, 1) ^ turn(h, l, 8) ^ h >>> 7, turns(l, h, 1, 8, 7));
   [h, l] = [w[i - 4], w[i - 3]];
   add(w, i, turn(h, l, 19) ^ turn(h, l, 61) ^ h >>> 6, turns(l, h, 19, 61, 6));
  }
  v.set(s);
  for (i = 0; i < 160; i += 2) {
   [h, l] = [v[8], v[9]];
   add(v, 14, turns(h, l, 14, 18, 41), turns(l, h, 14, 18, 41));
   add(v, 14, v[12] ^ h & (v[10] ^ v[12]), v[13] ^ l & (v[11] ^ v[13]));
   add(v, 14, K[i], K[i + 1]);
   add(v, 14, w[i], w[i + 1]);
   add(v, 6, v[14], v[15]);
   [h, l] = [v[0], v[1]];
   add(v, 14, turns(h, l, 28, 34, 39), turns(l, h, 28, 34, 39));
   add(v, 14, h & v[2] | v[4] & (h | v[2]), l & v[3] | v[5] & (l | v[3]));
   [h, l] = [v[14], v[15]];
   v.copyWithin(2, 0);
   [v[0], v[1]] = [h, l];
  }
  for (i = 0; i < 16; i += 2) add(s, i, v[i], v[i + 1]);
  w.fill(0);
 }
 return bytesOf(s);
}

/* ---- Integers modulo p = 2^255 - 19: fifteen limbs of 17 bits, up to 21 between products, with a sign ---- */

const RADIX = 131072, BLANK = Array(15).fill(.5);
/* Little-endian bytes in 17-bit digits; fifteen leave out bit 255. */
const digits = (b, n) => Array.from(Array(n), (_, i) => {
 const at = 17 * i >> 3;
 return (b[at] | b[at + 1] << 8 | b[at + 2] << 16) >>> 17 * i % 8 & 131071;
});
function add(a, b, n = 1) {
 const o = BLANK.slice();
 for (let i = 0; i < 15; i++) o[i] = a[i] + n * b[i];
 return o;
}
const sub = (a, b) => add(a, b, -1), ZERO = sub(BLANK, BLANK), number = n => add(ZERO, [n].concat(ZERO)), ONE = number(1);
function mul(a, b) {
 const o = BLANK.slice();
 let c = 0, k = 0, low;
 for (; k < 15; k++) {
  let high = 0, i = 0;
  for (low = c; i <= k; i++) low += a[i] * b[k - i];
  for (; i < 15; i++) high += a[i] * b[k + 15 - i];
  low += 19 * high;
  c = floor(low / RADIX);
  o[k] = low - c * RADIX;
 }
 low = o[0] + 19 * c;
 c = floor(low / RADIX);
 o[0] = low - c * RADIX;
 o[1] += c;
 return o;
}
const squares = (a, n) => n ? squares(mul(a, a), n - 1) : a;
/* x^(2^n - 1) */
function ones(x, n) {
 if (n < 2) return x;
 const half = ones(x, n >> 1), all = mul(squares(half, n >> 1), half);
 return n & 1 ? mul(mul(all, all), x) : all;
}
/* x^(2^(250 + n) - 2^n) y */
const power = (x, n, y) => mul(squares(ones(x, 250), n), y);
const inverse = x => power(x, 5, mul(squares(x, 3), mul(mul(x, x), x)));
/* a + n·b, carried up to the last digit. */
function carried(a, n, b) {
 let c = 0;
 return add(a, b, n).map((x, i) => {
  x += c;
  c = floor(x / RADIX);
  return i < 14 ? x - c * RADIX : x;
 });
}
/* The one form below p, as 32 bytes. */
function pack(a) {
 const b = new Uint8Array(32), over = a => floor(a[14] / RADIX);
 for (let i = 0, c = 0; i < 4; i++, c = over(a), a[14] -= c * RADIX, a[0] += 19 * c) a = carried(a, 0, ZERO);
 a = carried(a, 19 * over(carried(a, 19, ONE)), ONE);
 a.forEach((x, i) => [0, 8, 16].forEach((n, j) => { b[(17 * i >> 3) + j] |= x % RADIX << 17 * i % 8 >> n; }));
 return b;
}
const same = (a, b) => equal(pack(a), pack(b));

/* ---- edwards25519: points are [X, Y, Z, T] with x = X/Z, y = Y/Z, xy = T/Z ---- */

const D = mul(number(-121665), inverse(number(121666))), D2 = add(D, D), ROOT = power(number(2), 3, number(8));
/* RFC 8032 §5.1.3, but as ZIP 215 has it: any y of 255 bits, either sign of x = 0. Null if there is no such point. */
function decompress(b) {
 const y = add(ZERO, digits(b, 15)), yy = mul(y, y), u = sub(yy, ONE), v = add(mul(D, yy), ONE), v3 = mul(mul(v, v), v);
 const w = mul(mul(mul(v3, v3), v), u), root = mul(mul(u, v3), power(w, 2, w)), square = mul(mul(root, root), v);
 let x = same(square, u) ? root : same(square, sub(ZERO, u)) && mul(root, ROOT);
 if (x && (pack(x)[0] & 1) !== b[31] >> 7) x = sub(ZERO, x);
 return x ? [x, y, ONE, mul(x, y)] : null;
}
function compress(p) {
 const z = inverse(p[2]), b = pack(mul(p[1], z));
 b[31] |= pack(mul(p[0], z))[0] << 7;
 return b;
}
/* What an addition needs of its second point. */
const addend = p => [sub(p[1], p[0]), add(p[1], p[0]), add(p[2], p[2]), mul(p[3], D2)];
const point = (e, f, g, h) => [mul(e, f), mul(g, h), mul(f, g), mul(e, h)];
/* p + q or p - q, for any two points. */
function plus(p, q, minus) {
 const a = mul(sub(p[1], p[0]), q[+minus]), b = mul(add(p[1], p[0]), q[1 - minus]), c = mul(p[3], q[3]);
 const d = mul(p[2], q[2]), f = sub(d, c), g = add(d, c);
 return minus ? point(sub(b, a), g, f, add(b, a)) : point(sub(b, a), f, g, add(b, a));
}
function twice([x, y, z]) {
 const a = mul(x, x), b = mul(y, y), c = mul(z, z), s = add(x, y), g = sub(b, a), h = add(a, b);
 return point(sub(mul(s, s), h), sub(add(c, c), g), g, h);
}
function smallOrder(p) {
 p = twice(twice(twice(p)));
 return same(p[0], ZERO) && same(p[1], p[2]);
}
/* p, 3p, … 15p */
function oddMultiples(p) {
 const two = addend(twice(p));
 return [0, 1, 1, 1, 1, 1, 1, 1].map(n => addend(p = n ? plus(p, two, false) : p));
}
/* A scalar in signed digits, odd and below 16 or zero, one for each power of two. */
function signedDigits(s) {
 const o = new Int8Array(256), bit = i => s[i / 17 | 0] >> i % 17 & 1;
 for (let i = 0, carry = 0; i < 256; i++) {
  if (bit(i) === carry) continue;
  for (let j = 0; j < 5; j++) o[i] += bit(i + j) << j;
  o[i] += carry;
  carry = o[i] >> 4;
  o[i] -= 32 * carry;
  i += 4;
 }
 return o;
}
const BASE = oddMultiples(decompress(pack(mul(number(4), inverse(number(5))))));

/* ---- Ed25519 ---- */

const ORDER = unhex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010'), L = digits(ORDER, 15);
/* 512 bits modulo the order, digit by digit from the top. */
const reduce = b => digits(b, 31).reduceRight((r, digit) => {
 const top = r[14] * RADIX + r[13];
 r = carried([digit].concat(r.slice(0, 13), top), -floor(top / 16384), L);
 return r[14] < 0 ? carried(r, 1, L) : r;
}, ZERO);
/* [s·base - k·a, a], or nothing if s is not below the order or a is no point. */
function points(key, message, sig) {
 const s = sig.slice(32), a = decompress(key);
 if (!a || order(s.slice().reverse(), ORDER.slice().reverse()) >= 0) return [];
 const k = reduce(sha512(join(sig.subarray(0, 32), key, message)));
 const all = [[signedDigits(digits(s, 15)), BASE, 1], [signedDigits(k), oddMultiples(a), -1]];
 let p = [ZERO, ONE, ONE, ZERO];
 for (let i = 255; i >= 0; i--) {
  p = twice(p);
  for (const [of, table, sign] of all) if (of[i]) p = plus(p, table[Math.abs(of[i]) >> 1], of[i] * sign < 0);
 }
 return [p, a];
}
/* For validators: canonical A and R, neither of small order, without the cofactor. */
function verifyStrict(key, message, sig) {
 const all = points(key, message, sig);
 return equal(join(...all.map(compress)), join(sig.subarray(0, 32), key)) && !all.some(smallOrder);
}
/* For envelopes: ZIP 215, with the cofactor. */
function verifyZip215(key, message, sig) {
 const [p] = points(key, message, sig), r = p && decompress(sig);
 return !!r && smallOrder(plus(p, addend(r), true));
}

/* ---- Deterministic CBOR (RFC 8949 §4.2.1): the one byte form, or a refusal ---- */

const UTF8 = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});
class Reader {
 constructor(b) {
  this.b = b;
  this.at = 0;
 }
 must(holds) {
  if (!holds) throw 'not as the format demands at byte ' + this.at;
 }
 take(n) {
  this.must(this.at + n <= this.b.length);
  return this.b.subarray(this.at, this.at += n);
 }
 since(start) { return this.b.subarray(start, this.at); }
 /* [major type, argument] */
 head() {
  const [first] = this.take(1), info = first & 31;
  this.must(info < 28);
  if (info < 24) return [first >> 5, info];
  const n = this.take(1 << info - 24).reduce((n, x) => n * 256 + x, 0);
  this.must(first < 224 && n >= (info < 25 ? 24 : Math.pow(2, 8 << info - 25)));
  return [first >> 5, n < 9007199254740992 ? n : NaN];
 }
 uint(wanted = 0) {
  const [major, n] = this.head();
  this.must(major === wanted);
  return n;
 }
 size(major, limit = Infinity) {
  const n = this.uint(major);
  this.must(n <= this.b.length - this.at && n <= limit);
  return n;
 }
 bytes(n) {
  const b = this.take(this.size(2));
  this.must(!n || b.length === n);
  return b;
 }
 text() {
  const b = this.take(this.size(3));
  try {
   return UTF8.decode(b);
  } catch (e) {
   this.must(false);
  }
 }
 nil() { return this.b[this.at] === 246 && !!++this.at; }
 list(limit, one) {
  const items = [];
  for (let n = this.size(4, limit); n--;) items.push(one(this));
  return items;
 }
 /* An item of the open types: bytes, text, arrays, {pairs} of maps, booleans, null; an integer as undefined. */
 value(depth = 0) {
  const start = this.at, [major, n] = this.head(), inner = () => this.value(depth + 1), pairs = [];
  this.must(depth < 17 && major !== 6);
  if (major < 2) return undefined;
  if (major > 6) {
   this.must(n > 19 && n < 23);
   return [false, true, null][n - 20];
  }
  this.at = start;
  if (major < 5) return major < 3 ? this.bytes() : major < 4 ? this.text() : this.list(Infinity, inner);
  for (let i = this.size(5), last = []; i--; pairs.push([last.key, inner()])) {
   const at = this.at, key = inner();
   this.must(order(this.since(at), last) > 0);
   last = this.since(at);
   last.key = key;
  }
  return {pairs};
 }
 /* An array of `name:type` items; a type that is not in TYPES is a choice of texts. */
 record(spec) {
  const o = {}, start = this.at, fields = spec.split(' ').map(field => field.split(':'));
  this.must(this.size(4) === fields.length);
  for (const [name, type] of fields) {
   o[name] = TYPES[type] ? TYPES[type](this) : this.text();
   this.must(TYPES[type] || type.split('|').indexOf(o[name]) >= 0);
  }
  o.raw = this.since(start);
  return o;
 }
}
/* Reads exactly one object; a refusal begins with some words. */
function whole(words, b, one) {
 const r = new Reader(b);
 try {
  const object = one(r);
  r.must(r.at === b.length);
  return object;
 } catch (e) {
  throw typeof e === 'string' ? words + ': ' + e : e;
 }
}

/* ---- The objects of a package ---- */

const EMPTY = ascii('SPARSE_MERKLE_PLACEHOLDER_HASH__');
const TYPES = {
 u: r => r.uint(),
 b: r => r.bytes(),
 h: r => r.bytes(32),
 t: r => r.text(),
 v: r => r.value(),
 salt: r => r.bytes(8),
 sig: r => r.bytes(64),
 u32(r) {
  const n = r.uint();
  r.must(n < 4294967296);
  return n;
 },
 label(r) {
  const text = r.text();
  r.must(/^[a-z0-9_-]{1,40}$/.test(text));
  return text;
 },
 header(r) {
  const o = r.record('_:citychain/header/1 _:u32 _:intl chain:h height:u _:u32 time:u parent:h _:h validators:h next:h ' +
   '_:h state:h size:u log:h _:h');
  o.id = sha256(o.raw);
  return o;
 },
 signatures(r) {
  r.mark = r.at;
  return r.list(32, () => r.record('index:u32 bytes:sig'));
 },
 cert(r) {
  const start = r.at + 20, o = r.record('_:citychain/commit/1 height:u _:u32 id:h signatures:signatures');
  /* Height, round and id, encoded as they are in a vote. */
  o.vote = r.b.subarray(start, r.mark);
  return o;
 },
 validator: r => r.record('key:h _:h _:h power:u organisation:t'),
 validators: r => r.list(32, TYPES.validator),
 set(r) {
  const o = r.record('_:citychain/validators/1 all:validators'), {all} = o;
  r.must(all.length && all.every((v, i) => (!i || order(all[i - 1].key, v.key) < 0) && v.power > 0));
  o.hash = sha256(o.raw);
  return o;
 },
 named: r => r.list(Infinity, () => r.record('name:t validator:validator')),
 title: r => r.record('_:t _:t'),
 organisations: r => r.list(Infinity, () => r.record('id:t _:title _:h _:self|platform').id),
 siblings: r => r.list(256, () => {
  const sibling = r.nil() ? null : r.bytes(32);
  r.must(!sibling || !equal(sibling, EMPTY));
  return sibling || EMPTY;
 }),
 proof: r => r.record('key:b value:b siblings:siblings'),
 account: r => r.nil() ? null : TYPES.proof(r),
 path: r => r.list(64, TYPES.h),
 subject: r => r.record(r.b[r.at] === 130 ? 'kind:state proof:proof' :
  'kind:transaction|digest record:b index:u path:path block:header'),
 changes: r => r.list(1e4, () => r.record('header:header cert:cert next:set')),
 evidence: r => r.record('_:citychain/evidence/1 genesis:b changes:changes subject:subject account:account ' +
  'sealing:header cert:cert'),
 genesis: r => r.record('_:citychain/genesis/1 id:t profile:t rules:u32 _:u governance:platform|self ' +
  '_:delegated|members beat:u _:u _:h validators:named organisations:organisations operator:t'),
 call: r => r.record('chain:h _:u _:salt app:label instance:label method:label args:v')
};
function readGenesis(b) {
 const g = whole('genesis does not decode', b, TYPES.genesis), ids = g.organisations, all = g.validators.map(v => v.validator);
 const once = items => items.length && new Set(items).size === items.length, known = id => ids.indexOf(id) >= 0;
 if (!(g.profile === 'intl' && g.rules === 1 && g.beat >= 1e3 && g.beat <= 864e5 && known(g.operator) && once(ids) &&
   ids.concat(g.validators.map(v => v.name)).every(name => /^[a-z][a-z0-9-]{0,29}$/.test(name)) && all.length <= 32 &&
   once(all.map(v => hex(v.key))) && all[0].power > 0 && all[0].power <= 1e3 &&
   all.every(v => v.power === all[0].power && known(v.organisation)))) throw 'genesis breaks a rule of this version';
 all.sort((a, b) => order(a.key, b.key));
 const n = all.length, start = join(ascii('\x82\x76citychain/validators/1'), n < 24 ? [128 + n] : [152, n]);
 g.set = {all, hash: sha256(start, ...all.map(v => v.raw))};
 return g;
}
/* The one COSE_Sign1 form of a signed call: everything before the payload follows from the key. */
const readTransaction = b => whole('transaction is not in its one form', b, r => {
 const kid = b.subarray(10, 42);
 const head = join(ascii('\x58\x4a\xa3\x01\x32\x04\x58\x20'), kid, ascii('\x10\x78\x21application/vnd.citychain.tx+cbor'));
 r.must(b.length <= 524288 && equal(r.take(79), join([210, 132], head, [160])));
 const tx = whole('payload', r.bytes(), TYPES.call);
 tx.message = join(ascii('\x84\x6aSignature1'), head, [64], r.since(79));
 return Object.assign(tx, {kid, sig: r.bytes(64)});
});
const readDigest = b => whole('not a digest entry', b, r => {
 r.must(equal(r.take(3), [134, 1, 47]));
 return {digest: r.bytes(32), tx: r.bytes(32), position: r.uint(), kid: r.bytes(32)};
});

/* ---- Proofs ---- */

/* RFC 6962 §2.1.1: below the level where index and last entry part, the index' bits tell left from right; above, only
   left neighbours remain. */
function included(leaf, index, size, path, root) {
 const bit = (n, i) => floor(n / Math.pow(2, i)) % 2;
 let parted = 53, steps, hash = sha256([0], leaf);
 while (parted && bit(index, parted - 1) === bit(size - 1, parted - 1)) parted--;
 steps = parted;
 for (let i = parted; i < 53; i++) steps += bit(index, i);
 path.forEach((sibling, i) => {
  hash = i >= parted || bit(index, i) ? sha256([1], sibling, hash) : sha256([1], hash, sibling);
 });
 return index < size && path.length === steps && equal(hash, root);
}
/* Existence in a Jellyfish Merkle tree. */
function inState({key, value, siblings}, root) {
 const inner = ascii('JMT::IntrnalNode'), path = sha256(key);
 return equal(root, siblings.reduce((hash, sibling, i) => {
  const depth = siblings.length - 1 - i, right = path[depth >> 3] >> 7 - depth % 8 & 1;
  return right ? sha256(inner, sibling, hash) : sha256(inner, hash, sibling);
 }, sha256(ascii('JMT::LeafNode'), path, sha256(value))));
}
/* Every signature holds, and together they are more than two thirds. Pauses after each. */
function* certified(cert, chain, header, {all}) {
 refuse(cert.height !== header.height || !equal(cert.id, header.id), 'the commit certificate is for another block');
 const message = join(ascii('\x86\x70citychain/vote/1\x58\x20'), chain, [2], cert.vote), sum = of => of.reduce((n, v) => n + v.power, 0);
 const signers = [], total = sum(all);
 let last = -1;
 for (const {index, bytes} of cert.signatures) {
  refuse(!all[index] || index <= last, 'signature ' + index + ' is from nobody in the validator set, or stands twice');
  refuse(!verifyStrict(all[index].key, message, bytes), 'signature of validator ' + index + ' does not verify');
  signers.push(all[last = index]);
  yield null;
 }
 refuse(!(3 * sum(signers) > 2 * total && 3 * total < 9007199254740992),
  sum(signers) + ' of ' + total + ' voting power signed; more than two thirds are needed');
}
/* From genesis' set to the one that the sealing header names. */
function* followSets({changes, sealing}, set, chain) {
 let height = 0;
 const follows = next => equal(next.chain, chain) && next.height > height && equal(next.validators, set.hash);
 for (const {header, cert, next} of changes) {
  const at = 'the set change at height ' + header.height;
  refuse(!follows(header), at + ' does not follow the one before');
  refuse(!equal(next.hash, header.next), 'the set after height ' + header.height + ' is not the one its header names');
  try {
   yield* certified(cert, chain, header, set);
  } catch (e) {
   throw typeof e === 'string' ? at + ': ' + e : e;
  }
  [set, height] = [next, header.height];
 }
 refuse(!follows(sealing), 'the sealing header names another validator set');
 return set;
}
/* Whether a digest stands anywhere in the arguments of a call. */
const contains = (value, digest) => value instanceof Uint8Array ? equal(value, digest) : Array.isArray(value) ?
 value.some(item => contains(item, digest)) : !!value && !!value.pairs && contains(value.pairs.map(pair => pair[1]), digest);

/* ---- The checks ---- */

function refuse(when, why) {
 if (when) throw why;
}
function given(value) {
 if (value === undefined || value === null) return null;
 const b = /^[0-9a-f]{64}$/i.test(value) ? unhex(value) : value;
 if (!(b instanceof Uint8Array) || b.length !== 32) throw new Error('a hash is written as 64 hexadecimal digits');
 return b;
}
/* Yields each check as it is made, and null between signatures; returns the report. */
function* run(bytes, inputs = {}) {
 const trust = given(inputs.trust), file = given(inputs.fileHash), report = {
  valid: false, checks: [], chain_id: null, fingerprint: null, governance: null, height: null, time_ms: null, index: null,
  tx: null, digest: null, signer: null, account: null
 };
 /* What make() gives is the detail of a pass. */
 function* check(name, make) {
  let outcome = 'pass', detail;
  try {
   detail = make();
   if (detail.next) detail = yield* detail;
  } catch (e) {
   if (e instanceof Error) throw e;
   outcome = Array.isArray(e) ? 'not_applicable' : 'fail';
   detail = '' + e;
  }
  report.checks.push({name, outcome, detail});
  yield {name, outcome, detail};
  return outcome === 'pass';
 }
 let evidence, genesis, broken, set, tx, entry, signer;
 if (!(yield* check('format', () => {
  evidence = whole('not an evidence package', bytes, TYPES.evidence);
  return bytes.length + ' bytes';
 }))) return report;
 const {subject, account, sealing, cert, changes} = evidence, {kind, record, index, path, block, proof} = subject;
 const chain = sha256(evidence.genesis), {height, time} = block || sealing;
 yield* check('genesis', () => {
  try {
   genesis = readGenesis(evidence.genesis);
  } catch (e) {
   throw broken = e;
  }
  refuse(trust && !equal(trust, chain), 'the package is about chain ' + hex(chain) + ', you trust ' + hex(trust || ''));
  [report.chain_id, report.governance] = [genesis.id, genesis.governance];
  refuse(!trust, ['no fingerprint was given to compare with']);
  return genesis.id + ' ' + (report.fingerprint = hex(chain));
 });
 yield* check('validators', function* () {
  refuse(broken, broken);
  try {
   set = yield* followSets(evidence, genesis.set, chain);
  } catch (e) {
   throw broken = e;
  }
  return set.all.length + ' validators, ' + changes.length + ' changes';
 });
 yield* check('certificate', function* () {
  refuse(broken, broken);
  yield* certified(cert, chain, sealing, set);
  return cert.signatures.length + ' of ' + set.all.length + ' signed height ' + sealing.height;
 });
 yield* check('header', () => {
  refuse(block && !(equal(sealing.parent, block.id) && sealing.height === height + 1),
   'the sealing header does not follow the record\'s block');
  refuse(block && !(equal(sealing.chain, block.chain) && sealing.time > time),
   'the sealing header belongs to another chain or is not later');
  refuse(block && !(index >= block.size && index < sealing.size), 'entry ' + index + ' was not added by block ' + height);
  refuse(!block && !(height > 0), 'no state is before height 0');
  [report.height, report.time_ms] = [height, time];
  return block ? 'height ' + height + ', sealed by ' + sealing.height : 'state after height ' + (height - 1);
 });
 const placed = yield* check('path', () => {
  refuse(!block && !inState(proof, sealing.state), 'the record is not in the state with this root');
  if (!block) return proof.siblings.length + ' steps to the state root';
  const leaf = kind === 'digest' || record.length < 65536 ? record :
   join(ascii('\x83\x02\x6btransaction\x58\x20'), sha256(record));
  refuse(!included(leaf, index, sealing.size, path, sealing.log), 'the record is not in the log with this root');
  report.index = index;
  return 'entry ' + index + ' of ' + sealing.size + ', ' + path.length + ' steps';
 });
 yield* check('signature', () => {
  refuse(!block, ['a state is the work of many calls']);
  if (kind === 'digest') {
   entry = readDigest(record);
   if (placed) [signer, report.tx, report.digest] = [entry.kid, hex(entry.tx), hex(entry.digest)];
   throw ['the call\'s envelope is left out of a digest\'s evidence'];
  }
  tx = readTransaction(record);
  refuse(!equal(tx.chain, block.chain), 'the call was signed for another chain');
  refuse(!verifyZip215(tx.kid, tx.message, tx.sig), 'the signature does not verify');
  [signer, report.tx] = [tx.kid, hex(sha256(tx.message))];
  return tx.app + '.' + tx.instance + '.' + tx.method;
 });
 if (signer) report.signer = hex(signer);
 yield* check('account', () => {
  refuse(account && !block, 'a state has no one signer; its package carries no account record');
  refuse(!signer, ['there is no one signer']);
  refuse(!account, ['the package carries no account record']);
  refuse(!equal(account.key, join(ascii('\x05chain\x08identity\x07account'), signer)),
   'the account record is not the signer\'s');
  refuse(!inState(account, sealing.state), 'the account record is not in the state with this root');
  const found = {};
  for (const [name, value] of whole('', account.value, TYPES.v).pairs) found[name] = value;
  report.account = found;
  return found.label + ' of ' + found.organisation + ', key custody: ' + found.custody;
 });
 yield* check('file', () => {
  refuse(!file, ['no original file was given']);
  refuse(!block, ['a state holds no file digest']);
  refuse(!(tx ? contains(tx.args, file) : entry && equal(entry.digest, file)),
   'sha-256 of the file is ' + hex(file) + '; the record does not hold it');
  return 'sha-256 ' + hex(file);
 });
 yield* check('history', () => refuse(true, ['this package carries no city-chain proof']));
 yield* check('cosignatures', () => refuse(true, ['this package carries no cosigned checkpoint']));
 report.valid = report.checks.every(check => check.outcome !== 'fail');
 return report;
}
function verify(bytes, inputs) {
 const steps = run(bytes, inputs);
 let step;
 do step = steps.next(); while (!step.done);
 return step.value;
}
/* Lets the page breathe after every check and, within one, every twelve milliseconds. */
async function verifyAsync(bytes, inputs, onCheck) {
 const steps = run(bytes, inputs);
 for (let start = Date.now(), step; ;) {
  step = steps.next();
  if (step.done) return step.value;
  if (step.value && onCheck) onCheck(step.value);
  if (!step.value && Date.now() - start < 12) continue;
  await new Promise(resume => setTimeout(resume, 0));
  start = Date.now();
 }
}
async function hashFile(file, onProgress) {
 const hash = new Sha256();
 while (hash.total < file.size) {
  /* Through Response, because Blob.arrayBuffer is younger than some browsers in use. */
  const part = await new Response(file.slice(hash.total, hash.total + 1048576)).arrayBuffer();
  if (!part.byteLength) throw new Error('the file changed while it was read');
  hash.update(new Uint8Array(part));
  if (onProgress) onProgress(hash.total, file.size);
 }
 return hex(hash.digest());
}

const parts = {sha256, sha512, verifyStrict, verifyZip215, readCbor: b => whole('', b, TYPES.v)};
const api = {verify, verifyAsync, hashFile, parts};
if (typeof module === 'object' && module.exports) module.exports = api;
if (root) root.CityChainVerifier = api;
})(typeof window === 'object' && window);
