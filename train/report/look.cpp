#include "train/report/look.h"

namespace vitrail::report {

// The palette is that of Okabe and Ito, which people with any colour vision tell apart; yellow and orange darker on white.
const char* const kStyle = R"css(
:root { --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #aa4a8c; --c4: #8f6b00; --c5: #6b7480; --c6: #3a9bd9; --c7: #4b3fa0; --on: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --c0: #56b4e9; --c1: #ff8d4d; --c2: #2fc79a; --c3: #e59bc8; --c4: #e0c040; --c5: #98a2ac; --c6: #9bd3ff; --c7: #ab9dff; --on: #10151a; } }
.s0 { --c: var(--c0); } .s1 { --c: var(--c1); } .s2 { --c: var(--c2); } .s3 { --c: var(--c3); }
.s4 { --c: var(--c4); } .s5 { --c: var(--c5); } .s6 { --c: var(--c6); } .s7 { --c: var(--c7); }
h1 { margin: 0; } header p { margin: .2rem 0; } h2 { margin-top: 2.5rem; padding-bottom: .3rem; } h3 { margin: 1.4rem 0 .4rem; } .beside h3:first-child { margin-top: 0; } details { margin: .6rem 0; }
main p { max-width: 46rem; } .live { color: var(--good); }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.6rem, 1fr)); gap: .7rem; margin: 1.2rem 0; }
.tile { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.tile b { display: block; font-size: 1.35rem; font-weight: 600; white-space: nowrap; font-variant-numeric: tabular-nums; }
.tile span { color: var(--faint); font-size: .85rem; display: block; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20.5rem), 1fr)); gap: 1rem 1.6rem; align-items: end; }
.chart { margin: 0; display: block; min-width: 0; } .chart.narrow { width: 300px; max-width: 100%; }
.chart figcaption { max-width: none; margin-bottom: .3rem; display: flex; flex-wrap: wrap; gap: 0 .9rem; align-items: baseline; }
.chart figcaption b { color: var(--ink); font-size: .95rem; }
.key { white-space: nowrap; } .key i { display: inline-block; width: 1.1em; height: 0; border-top: 3px solid var(--c); margin-right: .35em;
  vertical-align: .25em; } .key i.dashed { border-top-style: dashed; }
svg.plot { width: 100%; height: auto; display: block; touch-action: pan-y; } svg.plot:focus-visible { outline: 2px solid var(--accent); }
svg text { font: 11px system-ui, sans-serif; fill: var(--faint); font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); stroke-width: 1; fill: none; } .frame { fill: none; stroke: var(--line); }
.line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; } .line.dashed { stroke-dasharray: 5 3; }
.noise { fill: none; stroke: var(--c); stroke-width: 1; opacity: .28; } .mark { fill: var(--c); }
.cross { stroke: var(--faint); stroke-width: 1; } .dot { fill: var(--c); stroke: var(--ground); stroke-width: 1.5; }
.cell { fill: var(--c); } .gap { fill: var(--c); fill-opacity: 0; stroke: var(--c); stroke-width: 1.5; } svg text.on { fill: var(--on); } svg text.count { fill: var(--ink); }
.beside { display: flex; flex-wrap: wrap; gap: 1.5rem 2.5rem; align-items: flex-start; } .beside > div { min-width: 0; max-width: 100%; }
.beside > div:last-child { flex: 1 1 18rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 1rem .8rem; }
.pictures figure { margin: 0; } .pictures img { border-radius: 3px; max-width: 100%; height: auto; }
.pictures figcaption { line-height: 1.35; margin-top: .25rem; } .pictures figcaption b { font-weight: 600; } .pictures b:not(.bad) { color: var(--ink); }
.tall { max-height: 30rem; overflow-y: auto; } .tall thead th { position: sticky; top: 0; }
table { font-size: .9rem; } th, td:first-child { white-space: nowrap; } td { overflow-wrap: break-word; max-width: 30rem; } th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--accent); }
th[aria-sort=ascending] button::after { content: " \2191"; } th[aria-sort=descending] button::after { content: " \2193"; }
.bar i { float: left; width: 44px; height: .6em; margin: .4em .7em 0 0; background: linear-gradient(to right, var(--c0) var(--p), var(--shade) var(--p)); }
td.top { font-weight: 700; }
#tip { position: fixed; z-index: 9; pointer-events: none; background: var(--ground); border: 1px solid var(--line); border-radius: .4rem;
  padding: .35rem .6rem; font-size: .85rem; box-shadow: 0 2px 10px rgb(0 0 0 / .18); max-width: min(20rem, 90vw); }
#tip div { display: flex; gap: .5em; align-items: baseline; font-variant-numeric: tabular-nums; } #tip i { width: .7em; height: .7em; border-radius: 50%;
  background: var(--c); flex: none; } #tip b { margin-left: auto; padding-left: .6em; white-space: nowrap; }
@media (max-width: 40rem) { body { padding: .9rem; } .tiles { grid-template-columns: 1fr 1fr; } .tile b { font-size: 1.25rem; } }
)css";

const char* const kScript = R"js('use strict';
(function () {
  var tip = document.createElement('div'), touched = 0;
  tip.id = 'tip';
  tip.hidden = true;
  tip.setAttribute('role', 'status');
  document.body.appendChild(tip);

  // Lines are [text] or [text, value, colour class].
  function show(lines, x, y) {
    touched = Date.now();
    tip.replaceChildren.apply(tip, lines.map(function (line) {
      var row = document.createElement('div');
      if (line[2]) row.appendChild(document.createElement('i')).className = line[2];
      row.appendChild(document.createElement('span')).textContent = line[0];
      if (line[1]) row.appendChild(document.createElement('b')).textContent = line[1];
      return row;
    }));
    tip.hidden = false;
    var w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - w - 4)) + 'px';
    tip.style.top = (y + 16 + h > innerHeight ? Math.max(4, y - h - 10) : y + 16) + 'px';
  }
  function hide() { tip.hidden = true; }

  function number(v) {
    var a = Math.abs(v);
    return a >= 1000 ? Math.round(v).toLocaleString('en') : a > 0 && a < 0.001 ? v.toExponential(2) : String(Number(v.toPrecision(4)));
  }

  // The point whose x is nearest: x rises.
  function nearest(points, x) {
    var low = 0, high = points.length - 1;
    while (high - low > 1) {
      var middle = (low + high) >> 1;
      if (points[middle][0] < x) low = middle; else high = middle;
    }
    return Math.abs(points[low][0] - x) <= Math.abs(points[high][0] - x) ? low : high;
  }

  function chart(svg) {
    var c = JSON.parse(svg.dataset.chart), at = -1, layer = null, space = 'http://www.w3.org/2000/svg';
    var longest = c.series.reduce(function (a, b) { return b.p.length > a.p.length ? b : a; });
    var scale = c.log ? Math.log : function (v) { return v; };
    function px(x) { return c.box[0] + c.box[2] * (x - c.x[0]) / (c.x[1] - c.x[0]); }
    function py(y) { return c.box[1] + c.box[3] * (1 - (scale(y) - scale(c.y[0])) / (scale(c.y[1]) - scale(c.y[0]))); }
    function add(name, attributes) {
      var element = layer.appendChild(document.createElementNS(space, name));
      for (var key in attributes) element.setAttribute(key, attributes[key]);
    }
    function clear() {
      if (layer) layer.remove();
      layer = null;
      hide();
    }
    function mark(index, left, top) {
      at = index;
      var x = longest.p[index][0], r = svg.getBoundingClientRect(), lines = [[c.xname + ' ' + number(x)]];
      if (layer) layer.remove();
      layer = svg.appendChild(document.createElementNS(space, 'g'));
      add('path', {'class': 'cross', d: 'M' + px(x) + ' ' + c.box[1] + 'v' + c.box[3]});
      c.series.forEach(function (s) {
        var p = s.p[nearest(s.p, x)];
        add('circle', {'class': 'dot s' + s.c, cx: px(p[0]), cy: py(p[1]), r: 4});
        lines.push([s.name, number(p[1]) + c.unit, 's' + s.c]);
      });
      show(lines, left === undefined ? r.left + px(x) * r.width / c.size[0] : left, top === undefined ? r.top + r.height / 3 : top);
    }
    function pointed(event) {
      var r = svg.getBoundingClientRect();
      var x = c.x[0] + ((event.clientX - r.left) * c.size[0] / r.width - c.box[0]) / c.box[2] * (c.x[1] - c.x[0]);
      mark(nearest(longest.p, x), event.clientX, event.clientY);
    }
    svg.addEventListener('pointermove', pointed);
    svg.addEventListener('pointerdown', pointed);
    svg.addEventListener('pointerleave', clear);
    svg.addEventListener('blur', clear);
    svg.addEventListener('keydown', function (event) {
      var last = longest.p.length - 1, step = Math.max(1, Math.round(last / 50));
      var to = {ArrowLeft: at - step, ArrowRight: at + step, Home: 0, End: last}[event.key];
      if (event.key === 'Escape') clear();
      if (to === undefined) return;
      event.preventDefault();
      mark(Math.max(0, Math.min(last, to)));
    });
  }
  document.querySelectorAll('svg[data-chart]').forEach(chart);

  document.querySelectorAll('[data-tip]').forEach(function (element) {
    function tell(event) { show([[element.dataset.tip]], event.clientX, event.clientY); }
    element.addEventListener('pointermove', tell);
    element.addEventListener('pointerdown', tell);
    element.addEventListener('pointerleave', hide);
  });

  document.querySelectorAll('table.sortable').forEach(function (table) {
    var heads = Array.from(table.tHead.rows[0].cells), body = table.tBodies[0];
    heads.forEach(function (head, column) {
      var button = document.createElement('button');
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener('click', function () {
        var up = head.getAttribute('aria-sort') !== 'ascending';
        heads.forEach(function (other) { other.removeAttribute('aria-sort'); });
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        var rows = Array.from(body.rows).sort(function (a, b) {
          var x = a.cells[column], y = b.cells[column];
          var order = x.dataset.v ? x.dataset.v - y.dataset.v : x.textContent.localeCompare(y.textContent, 'en', {numeric: true});
          return up ? order : -order;
        });
        body.replaceChildren.apply(body, rows);
      });
    });
  });

  // A running training: load the page again, but not under the reader's hands. What was unfolded stays so.
  var folds = document.querySelectorAll('details'), live = document.querySelector('[data-reload]');
  function key(i) { return 'fold' + i + document.title; }
  try {
    folds.forEach(function (fold, i) {
      if (sessionStorage.getItem(key(i))) fold.open = true;
      fold.addEventListener('toggle', function () {
        if (fold.open) sessionStorage.setItem(key(i), '1'); else sessionStorage.removeItem(key(i));
      });
    });
  } catch (error) { /* a browser that keeps nothing for local files */ }
  if (live) {
    setInterval(function () {
      if (!document.hidden && Date.now() - touched > 5000) location.reload();
    }, 1000 * live.dataset.reload);
  }
})();)js";

}  // namespace vitrail::report
