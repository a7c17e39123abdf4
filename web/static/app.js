// What pages do beyond htmx: copying, shortcuts, menus, dialogs, announcements. Every page works without it.
(function () {
  'use strict';
  var $ = function (selector, from) { return (from || document).querySelector(selector); };
  var all = function (selector, from) { return Array.prototype.slice.call((from || document).querySelectorAll(selector)); };
  var body = document.body;

  // Announces to screen readers; the same text twice is announced twice.
  function say(text) {
    var region = $('#announcements');
    if (!region) return;
    region.textContent = '';
    setTimeout(function () { region.textContent = text; }, 50);
  }

  function copy(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    // Plain http on the local network has no clipboard API.
    return new Promise(function (done, failed) {
      var area = document.createElement('textarea');
      area.value = text; area.readOnly = true; area.className = 'visually-hidden';
      ($('dialog[open]') || body).appendChild(area); area.select();
      var copied = document.execCommand('copy');
      area.remove();
      if (copied) done(); else failed();
    });
  }

  function onCopy(button) {
    var source = button.dataset.copyFrom ? $(button.dataset.copyFrom) : null;
    var text = source ? (source.value !== undefined ? source.value : source.textContent) : button.dataset.copy;
    copy(text).then(function () {
      button.classList.add('copied');
      say(body.dataset.copied);
      setTimeout(function () { button.classList.remove('copied'); }, 1500);
    }, function () { say(body.dataset.copyFailed); });
  }

  function menu(open) {
    var rail = $('#rail'), button = $('#menu-button');
    if (!rail || !button) return;
    rail.classList.toggle('open', open);
    button.setAttribute('aria-expanded', String(open));
    if (open) { var first = $('a', rail); if (first) first.focus(); } else if (rail.contains(document.activeElement)) button.focus();
  }

  document.addEventListener('click', function (event) {
    var at = event.target.closest('[data-copy],[data-copy-from],[data-open],[data-close],#menu-button,.scrim');
    all('details.menu[open]').forEach(function (details) { if (!details.contains(event.target)) details.open = false; });
    if (!at) return;
    if (at.dataset.copy !== undefined || at.dataset.copyFrom) return onCopy(at);
    if (at.id === 'menu-button') { event.preventDefault(); return menu(!$('#rail').classList.contains('open')); }
    if (at.classList.contains('scrim')) return menu(false);
    if (at.dataset.open) { var dialog = $('#' + at.dataset.open); if (dialog && dialog.showModal) { event.preventDefault(); dialog.showModal(); } return; }
    var closing = at.closest('dialog') || at.closest('.toast-line');
    if (closing && closing.close) closing.close(); else if (closing) closing.remove();
  });

  // A dialog that asks for a name enables its button when the name is typed.
  document.addEventListener('input', function (event) {
    var expected = event.target.dataset && event.target.dataset.expected;
    if (expected === undefined) return;
    $('button[type=submit]', event.target.form).disabled = event.target.value.trim() !== expected;
  });

  var went = 0;
  document.addEventListener('keydown', function (event) {
    if (event.key === 'Escape') {
      all('details.menu[open]').forEach(function (details) { details.open = false; $('summary', details).focus(); });
      menu(false);
      return;
    }
    var typing = event.target.closest && event.target.closest('input,textarea,select,[contenteditable],dialog[open]');
    if (typing || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem('shortcuts') === 'off') return;
    if (event.key === '/') { var box = $('#search-box'); if (box) { event.preventDefault(); box.focus(); } return; }
    if (event.key === '?') { var keys = $('#shortcuts'); if (keys && keys.showModal) { event.preventDefault(); keys.showModal(); } return; }
    if (event.key === 'g') { went = Date.now(); return; }
    if (Date.now() - went < 1200) {
      var link = $('.rail a[data-shortcut="' + event.key.replace(/[^a-z]/g, '') + '"]');
      went = 0;
      if (link) { event.preventDefault(); link.click(); }
    }
  });

  function ready(root) {
    var summary = $('.error-summary', root) || (root.matches && root.matches('.error-summary') ? root : null);
    if (summary && !summary.closest('[data-example]')) summary.focus();
    all('dialog[data-show]', root).forEach(function (dialog) { if (dialog.showModal && !dialog.open) dialog.showModal(); });
    all('#shortcuts-on', root).forEach(function (box) {
      box.checked = localStorage.getItem('shortcuts') !== 'off';
      box.addEventListener('change', function () { localStorage.setItem('shortcuts', box.checked ? 'on' : 'off'); });
    });
    all('input[data-expected]', root).forEach(function (input) { $('button[type=submit]', input.form).disabled = input.value.trim() !== input.dataset.expected; });
  }
  ready(document);
  document.addEventListener('htmx:after:swap', function (event) { ready(event.target && event.target.querySelector ? event.target : document); });

  // Live pages: say when the connection is lost and when it is back.
  document.addEventListener('htmx:sse:error', function () { body.classList.add('stale'); });
  document.addEventListener('htmx:sse:after:connection', function () { body.classList.remove('stale'); });

  // A long form answers once: the button rests while the page is on its way.
  document.addEventListener('submit', function (event) {
    var button = event.submitter || $('button[type=submit]', event.target);
    if (button && !event.defaultPrevented) setTimeout(function () { button.disabled = true; button.classList.add('busy'); }, 0);
  });
  window.addEventListener('pageshow', function (event) {
    if (event.persisted) all('button.busy').forEach(function (button) { button.disabled = false; button.classList.remove('busy'); });
  });
})();
