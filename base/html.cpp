#include "base/html.h"

#include <fstream>

#include "base/error.h"

#include "base/text.h"

namespace vitrail {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1b1f24; --faint: #66707a; --line: #d7dce1; --shade: #f3f5f7;
  --accent: #0072b2; --good: #00785a; --bad: #b34700; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171a; --ink: #e4e7ea; --faint: #98a2ac; --line: #363c43; --shade: #1e2328; --accent: #56b4e9;
    --good: #35c79b; --bad: #ff9455; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 72rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin-bottom: .3rem; } a { color: var(--accent); } code, pre { font-family: ui-monospace, monospace; }
.faint { color: var(--faint); } .good { color: var(--good); } .bad { color: var(--bad); }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { background: var(--shade); } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
img { image-rendering: pixelated; background: var(--shade); vertical-align: top; }
figure { display: inline-block; margin: 0 .6rem .6rem 0; } figcaption { font-size: .8rem; color: var(--faint); max-width: 12rem; }
summary { cursor: pointer; color: var(--accent); }
)css";

// The content security policy: only what is inside the page itself may be loaded.
std::string security_policy(bool script) {
  const std::string inline_script = script ? "; script-src 'unsafe-inline'" : "";
  return "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'" +
         inline_script + "\">\n";
}

}  // namespace

std::string html_escaped(std::string_view view) {
  const std::string text(view);
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text, at) == 0 ? 1 : utf8_length(text, at);
    switch (text[at]) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      case '\n':
      case '\t': out += text[at]; break;
      default: out += escaped(text.substr(at, length));
    }
    at += length;
  }
  return out;
}

std::string base64(std::span<const uint8_t> bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t have = bytes.size() - at;  // bytes left; each three make four characters
    const uint32_t group = static_cast<uint32_t>(bytes[at]) << 16 |
                           (have > 1 ? static_cast<uint32_t>(bytes[at + 1]) << 8 : 0u) |
                           (have > 2 ? static_cast<uint32_t>(bytes[at + 2]) : 0u);
    out += kAlphabet[group >> 18];
    out += kAlphabet[group >> 12 & 63];
    out += have > 1 ? kAlphabet[group >> 6 & 63] : '=';
    out += have > 2 ? kAlphabet[group & 63] : '=';
  }
  return out;
}

std::string png_data_uri(std::span<const uint8_t> png) { return "data:image/png;base64," + base64(png); }

std::string html_page(std::string_view title, std::string_view body, std::string_view extra_css, std::string_view script) {
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  page += security_policy(!script.empty());
  page += "<title>" + html_escaped(title) + "</title>\n<style>" + kStyle;
  page.append(extra_css).append("</style>\n</head>\n<body>\n").append(body);
  if (!script.empty()) page.append("\n<script>\n").append(script).append("\n</script>");
  return page + "\n</body>\n</html>\n";
}

void check_page_target(const char* op, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char start[2] = {};
  if (!file || !file.read(start, sizeof start)) return;  // not there, or nothing in it
  check(start[0] == '<' && start[1] == '!', ErrorKind::kValue, op, escaped_path(path),
        ": this file is there already and is no HTML page. Hint: another name for the page.");
}

}  // namespace vitrail
