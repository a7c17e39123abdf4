// Public pages: hashes a file on this device, and checks the chain's proofs here. Everything is answered without it, too.
(function () {
  'use strict';
  var verifier = window.CityChainVerifier;
  var $ = function (selector, from) { return (from || document).querySelector(selector); };
  var all = function (selector, from) { return Array.prototype.slice.call((from || document).querySelectorAll(selector)); };
  if (!verifier) return;

  // A file: hashed here, then its fingerprint is looked up.
  var ask = $('#ask'), drop = $('#drop'), input = $('#file');
  function look(file) {
    var line = $('#hashing'), bar = $('#hash-progress');
    line.hidden = bar.hidden = false;
    line.textContent = ask.dataset.hashing.replace('{name}', file.name);
    verifier.hashFile(file, function (done, size) { bar.value = size ? Math.floor(done * 100 / size) : 100; }).then(function (digest) {
      bar.value = 100;
      $('#sha256').value = digest;
      $('#digest-form').submit();
    }, function () { line.textContent = ask.dataset.readFailed; bar.hidden = true; });
  }
  if (drop && input) {
    drop.hidden = false;
    input.addEventListener('change', function () { if (input.files[0]) look(input.files[0]); });
    ['dragenter', 'dragover'].forEach(function (name) { drop.addEventListener(name, function (event) { event.preventDefault(); drop.classList.add('over'); }); });
    ['dragleave', 'drop'].forEach(function (name) { drop.addEventListener(name, function (event) { event.preventDefault(); drop.classList.remove('over'); }); });
    drop.addEventListener('drop', function (event) { if (event.dataTransfer.files[0]) look(event.dataTransfer.files[0]); });
  }

  var proof = $('#proof'), button = $('#verify');
  if (!proof || !button) return;
  button.hidden = false;

  function draw(line, state, detail) {
    var use = $('use', line), names = { pass: 'ok', fail: 'bad', not_applicable: 'stop' };
    line.className = { pass: 'pass', fail: 'fail', not_applicable: 'none' }[state];
    use.setAttribute('href', proof.dataset.icons + '#' + names[state]);
    var hidden = $('.hidden', line);
    hidden.textContent = '';
    var shown = line.children[2];
    shown.textContent = detail;
  }

  // The record that a package proves, as text and numbers by name; null if the package proves an act.
  function record(bytes) {
    var subject = verifier.parts.read('', bytes, 'evidence').subject;
    if (subject.kind !== 'state') return null;
    var found = {};
    verifier.parts.read('', subject.proof.value, 'v').pairs.forEach(function (pair) { found[pair[0]] = pair[1]; });
    return found;
  }

  function check(part) {
    var tag = $('.tag', part);
    part.open = true;
    tag.textContent = proof.dataset.running;
    return fetch(part.dataset.address).then(function (answer) {
      if (!answer.ok) throw new Error('status ' + answer.status);
      return answer.arrayBuffer();
    }).then(function (buffer) {
      var bytes = new Uint8Array(buffer);
      var inputs = { trust: proof.dataset.trust, fileHash: part.dataset.file };
      return verifier.verifyAsync(bytes, inputs, function (made) {
        var line = $('[data-check="' + made.name + '"]', part);
        if (line) draw(line, made.outcome, made.outcome === 'fail' ? made.detail : made.outcome === 'pass' ? '' : proof.dataset.none);
      }).then(function (report) {
        var valid = report.valid, said = '';
        var proven = valid ? record(bytes) : null;
        if (proven && proven.status !== undefined && part.dataset.status) {
          said = proof.dataset.stateIs.replace('{state}', part.dataset.word);
          if (proven.status !== part.dataset.status) { valid = false; said = proof.dataset.otherState.replace('{state}', proven.status); }
        }
        var found = $('.found', part);
        found.textContent = said;
        tag.textContent = valid ? proof.dataset.passed : proof.dataset.failed;
        part.classList.add(valid ? 'passed' : 'failed');
        if (valid && part.previousElementSibling && part.previousElementSibling.matches('.package')) part.open = false;
        return valid;
      });
    }).catch(function () {
      tag.textContent = proof.dataset.unreachable;
      part.classList.add('failed');
      return false;
    });
  }

  button.addEventListener('click', function () {
    var result = $('#proof-result');
    button.disabled = true;
    // One after another: a phone shows each as it is made.
    all('.package', proof).reduce(function (before, part) {
      return before.then(function (good) { return check(part).then(function (one) { return good && one; }); });
    }, Promise.resolve(true)).then(function (good) {
      result.hidden = false;
      result.className = 'note ' + (good ? 'ok' : 'bad');
      result.textContent = good ? proof.dataset.passed : proof.dataset.failed;
      button.disabled = false;
    });
  });
})();
