/* The page around both verifiers: takes files from this device, shows every check by name. Sends nothing anywhere: its policy
 * (CSP) allows no connection at all, and it works from a file with the network off. */
(function () {
'use strict';
var TEXT = {
  zh: {
    brand: '城链 CityChain', other: 'English', title: '离线核验证据', lead: '一切都在本机完成：不联网，文件不会离开这台设备。',
    evidence: '证据包', evidenceHint: '拖入或选择 .evp 或 evidence.cbor', original: '原文件（可选）', originalHint: '拖入或选择，核对其指纹',
    trust: '你信任的链的创世指纹', trustHint: '64 位十六进制数，须从证据包以外获得，例如该链主管部门的公告。不填则无法确认证据属于哪条链。',
    trustWrong: '创世指纹是 64 位十六进制数。', record: '记录', checks: '检查项', busy: '正在核验……',
    valid: '证据有效', validText: '各项检查均未失败。历史未被重写这一点尚未证明。', validAll: '各项检查均未失败，历史亦已证明。',
    partial: '自身一致，尚未确认属于哪条链', partialText: '请填入从别处获得的创世指纹后再下结论。',
    invalid: '证据无效', invalidText: '下列检查未通过：', unreadable: '文件无法读取。', pass: '通过', fail: '未通过', not_applicable: '不适用',
    foot: '核验程序已全部包含在本文件中。报告与制作信息本身不作证明。',
    facts: {chain_id: '链', fingerprint: '创世指纹', governance: '治理', height: '区块高度', time_ms: '区块时间', index: '日志序号', tx: '交易', digest: '文件指纹', signer: '签署公钥', account: '账户', made: '制作者自述'},
    names: {
      package: ['证据包文件', '证据包文件完整，成员只有一种写法'], format: ['格式', '证据包格式完整、只有一种编码'],
      genesis: ['创世', '证据属于你信任的那条链；指纹须从别处获得'], validators: ['验证者', '验证者集合由创世逐次推出'],
      certificate: ['提交证书', '超过三分之二的验证者签署了该区块'], header: ['区块头', '记录的区块由被签署的区块头锁定'],
      path: ['路径', '记录在链上，此后未改；不证明上链之前为真'], signature: ['签名', '内容由该账户签署'],
      account: ['账户', '签署账户当时属于该机构'], file: ['原文件', '原文件与链上指纹一致'],
      history: ['历史', '历史未被退役密钥重写（需城市主链见证）'], cosignatures: ['共签', '日志检查点另有独立共签'],
      policy: ['策略', '供其他验证程序使用的策略由验证者集合推出'], receipt: ['回执', '登记的声明有日志密钥签发的回执'],
      reports: ['报告', '报告与证据所述一致'], provenance: ['来源', '制作者自述，不作证明']
    }
  },
  en: {
    brand: 'CityChain 城链', other: '中文', title: 'Check evidence offline', lead: 'Everything happens on this device: no network, and no file leaves it.',
    evidence: 'Evidence', evidenceHint: 'drop or choose an .evp or evidence.cbor', original: 'Original file (optional)', originalHint: 'drop or choose it to compare its fingerprint',
    trust: 'Genesis fingerprint of the chain that you trust', trustHint: '64 hexadecimal digits, from elsewhere than the package, such as a notice of the authority that runs the chain. Without it nothing says which chain the evidence is of.',
    trustWrong: 'A genesis fingerprint has 64 hexadecimal digits.', record: 'Record', checks: 'Checks', busy: 'Checking …',
    valid: 'Valid', validText: 'No check failed. That history was not rewritten is not proven.', validAll: 'No check failed, and history is proven.',
    partial: 'Consistent, but of which chain is open', partialText: 'Enter a genesis fingerprint from elsewhere before you rely on this.',
    invalid: 'Not valid', invalidText: 'These checks failed: ', unreadable: 'The file cannot be read.', pass: 'pass', fail: 'fail', not_applicable: 'not applicable',
    foot: 'This one file holds the whole verifier. Reports and who made a package are no proof.',
    facts: {chain_id: 'Chain', fingerprint: 'Genesis fingerprint', governance: 'Governance', height: 'Height', time_ms: 'Block time', index: 'Log entry', tx: 'Transaction', digest: 'File fingerprint', signer: 'Signing key', account: 'Account', made: 'Says its maker'},
    names: {
      package: ['Package', 'the file is whole; its members stand in the one form of a package'], format: ['Format', 'the package is whole and in its only byte form'],
      genesis: ['Genesis', 'it is about the chain you trust; get the fingerprint from elsewhere'], validators: ['Validators', 'the validator set follows from genesis, change by change'],
      certificate: ['Certificate', 'more than two thirds of the validators signed the block'], header: ['Header', "the record's block is locked in by the signed header"],
      path: ['Path', 'the record is on the chain, unchanged since; not that it was true before'], signature: ['Signature', 'the content was signed by this account'],
      account: ['Account', 'the account belonged to this organisation then'], file: ['File', 'the original file matches the digest on the chain'],
      history: ['History', "history was not rewritten with retired keys (needs the city chain's witness)"], cosignatures: ['Cosignatures', "the log's checkpoint is cosigned independently"],
      policy: ['Policy', 'the policy for other verifiers follows from the validator set'], receipt: ['Receipt', 'the registered statement has a receipt by a log key'],
      reports: ['Reports', 'the reports say what the evidence says'], provenance: ['Provenance', "who made the package is the maker's own word, and proves nothing"]
    }
  }
};
var packages = self.CityChainPackage, hashFile = self.CityChainVerifier.hashFile, templates = self.CityChainTemplates;
function $(id) { return document.getElementById(id); }
function element(name, text, kind) {
  var made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}
var language = /^zh/i.test(navigator.language) ? 'zh' : 'en', chosen = {}, turn = 0, last = null;

function speak() {
  var words = TEXT[language];
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  Array.from(document.querySelectorAll('[data-text]')).forEach(function (part) { part.textContent = words[part.dataset.text]; });
  $('language').textContent = words.other;
  ['evidence', 'original'].forEach(function (which) {
    if (chosen[which]) $('pick-' + which).querySelector('span').textContent = chosen[which].name;
  });
  if (last) show(last);
}
function verdict(kind, title, text) {
  $('result').hidden = false;
  $('verdict').className = 'verdict ' + kind;
  $('verdict').querySelector('h2').textContent = title;
  $('verdict').querySelector('p').textContent = text;
}
function show(report) {
  var words = TEXT[language], passed = function (name) {
    return report.checks.some(function (check) { return check.name === name && check.outcome === 'pass'; });
  };
  var failed = report.checks.filter(function (check) { return check.outcome === 'fail'; });
  var comma = language === 'zh' ? '、' : ', ';
  if (!report.valid) {
    verdict('bad', words.invalid, words.invalidText + failed.map(function (check) { return words.names[check.name][0]; }).join(comma));
  } else if (!passed('genesis')) verdict('warn', words.partial, words.partialText);
  else verdict('ok', words.valid, passed('history') ? words.validAll : words.validText);
  var facts = $('facts'), checks = $('checks');
  facts.textContent = checks.textContent = '';
  Object.keys(words.facts).forEach(function (name) {
    var value = report[name], made = report.provenance;
    if (name === 'time_ms' && value !== undefined) value = new Date(value + 288e5).toISOString().slice(0, 19).replace('T', ' ') + ' UTC+08:00';
    if (name === 'account' && value) value = value.label + ' · ' + value.organisation + ' · ' + value.custody;
    if (name === 'made' && made) value = made.made_by + ' · ' + made.version + ' · ' + new Date(made.made_at_ms).toISOString();
    if (value === undefined) return;
    facts.appendChild(element('dt', words.facts[name]));
    facts.appendChild(element('dd', String(value), /^[0-9a-f]{64}$/.test(value) ? 'mono' : ''));
  });
  report.checks.forEach(function (check) {
    var line = element('li', undefined, check.outcome === 'not_applicable' ? 'none' : check.outcome);
    line.dataset.check = check.name;
    line.appendChild(element('i', {pass: '✓', fail: '✗', not_applicable: '–'}[check.outcome]));
    line.appendChild(element('b', words.names[check.name][0]));
    line.appendChild(element('em', words[check.outcome]));
    line.appendChild(element('small', words.names[check.name][1]));
    line.appendChild(element('small', check.detail));
    checks.appendChild(line);
  });
}
/* The newest choice wins: an older run that ends later is dropped */
function run() {
  var mine = ++turn, words = TEXT[language], trust = $('trust').value.trim();
  var wrong = trust !== '' && !/^[0-9a-f]{64}$/i.test(trust);
  $('trust-wrong').hidden = !wrong;
  if (!chosen.evidence || wrong) return;
  last = null;
  verdict('busy', words.busy, '');
  Promise.all([
    new Response(chosen.evidence).arrayBuffer(),
    chosen.original ? hashFile(chosen.original) : undefined
  ]).then(function (read) {
    var inputs = {trust: trust ? trust.toLowerCase() : undefined, fileHash: read[1], templates: templates};
    return packages.verifyAsync(new Uint8Array(read[0]), inputs);
  }).then(function (report) {
    if (mine === turn) show(last = report);
  }, function () {
    if (mine === turn) verdict('bad', words.invalid, TEXT[language].unreadable);
  });
}
function choose(which, file) {
  if (!file) return;
  chosen[which] = file;
  var pick = $('pick-' + which);
  pick.classList.add('full');
  pick.querySelector('span').textContent = file.name;
  run();
}
['evidence', 'original'].forEach(function (which) {
  var pick = $('pick-' + which);
  $(which).addEventListener('change', function () { choose(which, $(which).files[0]); });
  ['dragenter', 'dragover'].forEach(function (name) {
    pick.addEventListener(name, function (event) { event.preventDefault(); pick.classList.add('over'); });
  });
  ['dragleave', 'drop'].forEach(function (name) {
    pick.addEventListener(name, function (event) { event.preventDefault(); pick.classList.remove('over'); });
  });
  pick.addEventListener('drop', function (event) { choose(which, event.dataTransfer.files[0]); });
});
/* A file dropped beside its place would replace the page */
['dragover', 'drop'].forEach(function (name) { document.addEventListener(name, function (event) { event.preventDefault(); }); });
$('trust').addEventListener('input', run);
$('language').addEventListener('click', function () { language = language === 'zh' ? 'en' : 'zh'; speak(); });
speak();
})();
