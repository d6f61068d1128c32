#include "models/explain/page_look.h"

namespace vitrail::models::explain {

// The palette is that of Okabe and Ito, which people with any colour vision tell apart.
const char* const kPageStyle = R"css(
:root { --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #66707a; }
@media (prefers-color-scheme: dark) { :root { --c0: #56b4e9; --c1: #ff8d4d; --c2: #2fc79a; --c3: #98a2ac; } }
.s0 { --c: var(--c0); } .s1 { --c: var(--c1); } .s2 { --c: var(--c2); } .s3 { --c: var(--c3); }
h1 { margin: 0; } main p { max-width: 46rem; } .answer { font-size: 1.1rem; }
.maps, .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 1rem 1.4rem; }
.maps figure, .charts figure { margin: 0; min-width: 0; } figcaption { max-width: none; margin-top: .25rem; } figcaption b { color: var(--ink); }
.maps img { width: 100%; height: auto; max-height: 22rem; object-fit: contain; object-position: left top; background: none; border-radius: 3px; }
.charts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); margin-top: 1rem; }
svg.plot { width: 100%; max-width: 30rem; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: var(--faint); }
.grid { stroke: var(--line); stroke-width: 1; fill: none; } .line { fill: none; stroke: var(--c); stroke-width: 2; }
.line.dashed { stroke-dasharray: 5 3; } .dot { fill: var(--c0); fill-opacity: .55; }
.key { white-space: nowrap; margin-right: .9rem; } .key i { display: inline-block; width: 1.1em; border-top: 3px solid var(--c);
  margin-right: .35em; vertical-align: .25em; } .key i.dashed { border-top-style: dashed; }
.attend { display: grid; grid-template-columns: minmax(0, 25rem) minmax(0, 1fr); gap: 1rem 2rem; align-items: start; }
.stage { position: relative; touch-action: pan-y; cursor: crosshair; } .stage img { width: 100%; height: auto; display: block; }
.stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; }
.stage:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#query { position: absolute; border: 2px solid #fff; outline: 1px solid #000; pointer-events: none; }
#heads { width: 100%; image-rendering: pixelated; cursor: pointer; display: block; touch-action: manipulation; }
.controls { display: flex; flex-wrap: wrap; gap: .5rem .8rem; margin: .7rem 0; } .controls select, .controls button { font: inherit; color: inherit;
  background: var(--shade); border: 1px solid var(--line); border-radius: .35rem; padding: .3rem .6rem; min-height: 2.4rem; }
.controls button[aria-pressed=true] { border-color: var(--accent); color: var(--accent); } #says { min-height: 4.5em; margin: .4rem 0; }
.wide th, .wide td { overflow-wrap: normal; } .wide th.n { white-space: normal; } .wide td:first-child { white-space: nowrap; }
.wide td:last-child { min-width: 9rem; } .scale { display: inline-block; width: 6rem; height: .8em; vertical-align: -.05em; border-radius: 2px; }
.small img { max-width: 100%; height: auto; }
@media (max-width: 46rem) { body { padding: .9rem; } .maps { grid-template-columns: 1fr 1fr; } th, td { padding: .2rem .4rem; } .attend { grid-template-columns: minmax(0, 1fr); } }
)css";

const char* const kPageScript = R"js('use strict';
(function () {
  function element(id) { return document.getElementById(id); }
  var facts = JSON.parse(element('facts').textContent), text = element('attention') ? element('attention').textContent : '';
  var T = facts.tokens, P = facts.prefix.length, gh = facts.grid[0], gw = facts.grid[1], L = facts.layers.length, H = facts.heads;

  // 256 colours between those of the palette.
  var colours = [];
  for (var i = 0; i < 256; ++i) {
    var at = i / 255 * (facts.palette.length - 1), low = Math.min(Math.floor(at), facts.palette.length - 2), rest = at - low;
    colours.push([0, 1, 2].map(function (c) { return facts.palette[low][c] * (1 - rest) + facts.palette[low + 1][c] * rest; }));
  }
  document.querySelectorAll('.scale').forEach(function (scale) {
    scale.style.background = 'linear-gradient(to right,' + facts.palette.map(function (c) { return 'rgb(' + c.map(Math.round) + ')'; }) + ')';
  });
  if (!text) return;

  var values = new Uint8Array(128);
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.split('').forEach(function (letter, i) { values[letter.charCodeAt(0)] = i; });

  // What `token` attends to in a layer and head, both counted from 0; head -1: the mean of all.
  function row(layer, head, token) {
    var out = new Float32Array(T), first = head < 0 ? 0 : head, last = head < 0 ? H - 1 : head;
    for (var h = first; h <= last; ++h) {
      var from = ((layer * H + h) * T + token) * (T + 2);
      var m = (64 * values[text.charCodeAt(from)] + values[text.charCodeAt(from + 1)]) / 4095, scale = m * m / (last - first + 1) / 3969;
      for (var i = 0; i < T; ++i) {
        var q = values[text.charCodeAt(from + 2 + i)];
        out[i] += scale * q * q;
      }
    }
    return out;
  }

  var stage = element('stage'), over = element('over'), heads = element('heads'), query = element('query'), says = element('says');
  var layerSelect = element('layer'), headSelect = element('head');
  var token = P ? 0 : Math.floor(gh / 2) * gw + Math.floor(gw / 2), layer = L - 1, head = -1;
  over.width = gw, over.height = gh;
  heads.width = H * (gw + 1) + 1, heads.height = L * (gh + 1) + 1;
  heads.style.maxWidth = Math.min(640, heads.width * 6) + 'px';

  facts.layers.forEach(function (number, i) { layerSelect.add(new Option('layer ' + number, i)); });
  if (H > 1) headSelect.add(new Option('mean of the heads', -1));
  for (var h = 0; h < H; ++h) headSelect.add(new Option(facts.averaged ? 'mean of the heads' : 'head ' + (h + 1), h));
  if (H === 1) head = 0;
  var buttons = facts.prefix.map(function (name, i) {
    var button = element('tokens').appendChild(document.createElement('button'));
    button.type = 'button';
    button.textContent = name;
    button.addEventListener('click', function () { token = i; show(); });
    return button;
  });

  // The patches of a row into image data at x, y; `clear`: the colder, the less is covered.
  function paint(image, x, y, attention, clear) {
    var most = 1e-30, i, k;
    for (i = P; i < T; ++i) most = Math.max(most, attention[i]);
    for (i = 0; i < gh * gw; ++i) {
      var part = attention[P + i] / most, colour = colours[Math.round(255 * part)];
      k = 4 * ((y + Math.floor(i / gw)) * image.width + x + i % gw);
      image.data[k] = colour[0], image.data[k + 1] = colour[1], image.data[k + 2] = colour[2], image.data[k + 3] = clear ? 64 + 128 * part : 255;
    }
  }
  function frame(image, x, y, colour) {
    for (var j = 0; j <= gh + 1; ++j) for (var i = 0; i <= gw + 1; ++i) {
      if (j > 0 && j <= gh && i > 0 && i <= gw) continue;
      image.data.set(colour, 4 * ((y + j) * image.width + x + i));
    }
  }

  function percent(part) { return (100 * part).toFixed(part < 0.0995 ? 1 : 0) + ' %'; }
  function place(patch) { return 'row ' + (Math.floor(patch / gw) + 1) + ', column ' + (patch % gw + 1); }
  function describe(attention) {
    var best = P, to;
    for (var i = P; i < T; ++i) if (attention[i] > attention[best]) best = i;
    to = facts.prefix.map(function (name, i) { return name + ' ' + percent(attention[i]); });
    says.textContent = 'Layer ' + facts.layers[layer] + ', ' + headSelect.options[headSelect.selectedIndex].text + ': ' +
      (token < P ? 'the ' + facts.prefix[token] : 'the patch in ' + place(token - P)) + ' attends most to the patch in ' + place(best - P) +
      ' (' + percent(attention[best]) + ')' + (to.length ? '; ' + to.join(', ') : '') + '.';
  }

  function show() {
    layerSelect.value = layer, headSelect.value = head;
    var attention = row(layer, head, token), image = new ImageData(gw, gh);
    paint(image, 0, 0, attention, true);
    over.getContext('2d').putImageData(image, 0, 0);
    query.hidden = token < P;
    var patch = token - P;
    query.style.left = 100 * (patch % gw) / gw + '%', query.style.top = 100 * Math.floor(patch / gw) / gh + '%';
    query.style.width = 100 / gw + '%', query.style.height = 100 / gh + '%';
    buttons.forEach(function (button, i) { button.setAttribute('aria-pressed', i === token); });

    var all = new ImageData(heads.width, heads.height), accent = [230, 90, 0, 255];
    for (var l = 0; l < L; ++l) for (var h = 0; h < H; ++h) paint(all, 1 + h * (gw + 1), 1 + l * (gh + 1), row(l, h, token), false);
    for (h = 0; h < H; ++h) if (head < 0 || head === h) frame(all, h * (gw + 1), layer * (gh + 1), accent);
    heads.getContext('2d').putImageData(all, 0, 0);
    describe(attention);
  }

  function inside(event, of, columns, rows) {
    var r = of.getBoundingClientRect();
    var x = Math.floor((event.clientX - r.left) / r.width * columns), y = Math.floor((event.clientY - r.top) / r.height * rows);
    return x < 0 || y < 0 || x >= columns || y >= rows ? null : [y, x];
  }
  function pointed(event) {
    var at = inside(event, stage, gw, gh);
    if (!at || P + at[0] * gw + at[1] === token) return;
    token = P + at[0] * gw + at[1];
    show();
  }
  stage.addEventListener('pointermove', pointed);
  stage.addEventListener('pointerdown', pointed);
  stage.addEventListener('keydown', function (event) {
    var step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -gw, ArrowDown: gw}[event.key];
    if (step === undefined) return;
    event.preventDefault();
    var to = token < P ? P : token + step;
    if (to >= P && to < T) token = to;
    show();
  });
  heads.addEventListener('click', function (event) {
    var at = inside(event, heads, H, L);
    if (!at) return;
    layer = at[0], head = at[1];
    show();
  });
  layerSelect.addEventListener('change', function () { layer = Number(layerSelect.value); show(); });
  headSelect.addEventListener('change', function () { head = Number(headSelect.value); show(); });
  show();
})();)js";

}  // namespace vitrail::models::explain
