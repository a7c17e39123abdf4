// Fields for files: each file is hashed on this device and only its fingerprint enters the form. Nothing is uploaded.
(function () {
  'use strict';
  var verifier = window.CityChainVerifier;
  if (!verifier) return;
  Array.prototype.forEach.call(document.querySelectorAll('[data-hash-files]'), function (field) {
    var area = field.querySelector('textarea'), zone = field.querySelector('.drop-files'), list = field.querySelector('.hashed');
    var input = zone.querySelector('input'), drop = zone.querySelector('.drop'), pending = 0;
    zone.hidden = false;
    area.rows = 2;

    function add(digest) {
      var lines = area.value.split(/\s+/).filter(Boolean);
      if (lines.indexOf(digest) < 0) lines.push(digest);
      area.value = lines.join('\n');
    }
    function ready() {
      Array.prototype.forEach.call(area.form.querySelectorAll('button[type=submit]'), function (button) { button.disabled = pending > 0; });
    }
    function take(file) {
      var line = document.createElement('li'), name = document.createElement('span'), bar = document.createElement('progress');
      name.textContent = file.name; bar.max = 100; bar.setAttribute('aria-label', file.name);
      line.append(name, bar); list.append(line);
      pending += 1; ready();
      verifier.hashFile(file, function (done, size) { bar.value = size ? Math.floor(done * 100 / size) : 100; }).then(function (digest) {
        var code = document.createElement('code');
        code.textContent = digest.slice(0, 12) + '…' + digest.slice(-8); code.title = digest;
        bar.replaceWith(code);
        line.className = 'done';
        add(digest);
      }, function () { bar.remove(); line.className = 'failed'; name.textContent = file.name + ' · ' + field.dataset.failed; }).then(function () {
        pending -= 1; ready();
        var say = document.getElementById('announcements');
        if (say && !pending) say.textContent = field.dataset.done;
      });
    }
    function takeAll(files) { Array.prototype.forEach.call(files, take); }
    input.addEventListener('change', function () { takeAll(input.files); input.value = ''; });
    ['dragenter', 'dragover'].forEach(function (name) { drop.addEventListener(name, function (event) { event.preventDefault(); drop.classList.add('over'); }); });
    ['dragleave', 'drop'].forEach(function (name) { drop.addEventListener(name, function (event) { event.preventDefault(); drop.classList.remove('over'); }); });
    drop.addEventListener('drop', function (event) { takeAll(event.dataTransfer.files); });
  });
})();
