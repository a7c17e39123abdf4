// Runs before the first paint: a reader who follows the system's theme sees no flash of the other one.
(function () {
  var root = document.documentElement;
  if (root.getAttribute('data-theme') !== 'auto') return;
  var dark = matchMedia('(prefers-color-scheme: dark)');
  var apply = function () { root.setAttribute('data-bs-theme', dark.matches ? 'dark' : 'light'); };
  apply();
  if (dark.addEventListener) dark.addEventListener('change', apply);
})();
