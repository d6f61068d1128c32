#!/bin/sh
# Are the libraries that Vitrail needs installed? Installs what is missing where it may, else prints the one line to type.
set -u

# The compiler first: GCC 11 or clang 14, for C++20.
compiler=${CXX:-g++}
if ! command -v ${compiler%% *} >/dev/null 2>&1; then
  echo "There is no compiler $compiler. Type: apt-get install g++ (or make CXX=NAME for another one)." >&2
  exit 1
fi
version=$($compiler -dM -E -x c++ /dev/null 2>/dev/null | awk '$2 == "__GNUC__" { gnu = $3 } $2 == "__clang_major__" { clang = $3 } END { print clang ? "clang " clang : "g++ " gnu }')
case "$version" in
  "g++ "[0-9] | "g++ 10") needed="GCC 11" ;;
  "clang "[0-9] | "clang 1"[0-3]) needed="clang 14" ;;
  *) needed="" ;;
esac
if [ -n "$needed" ]; then
  echo "Vitrail needs GCC 11 or clang 14 (C++20): $compiler is $version. Type: apt-get install g++-12, then make CXX=g++-12." >&2
  exit 1
fi

packages="libblis-openmp-dev nlohmann-json3-dev doctest-dev libjpeg62-turbo-dev libpng-dev libwebp-dev zlib1g-dev libcli11-dev"

have_header() { [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] || ls /usr/include/*-linux-gnu/"$1" >/dev/null 2>&1; }
missing=""
need() { have_header "$2" || missing="$missing $1"; }
need libblis-openmp-dev blis.h
need nlohmann-json3-dev nlohmann/json.hpp
need doctest-dev doctest/doctest.h
need libjpeg62-turbo-dev jpeglib.h
need libpng-dev png.h
need libwebp-dev webp/decode.h
need zlib1g-dev zlib.h
need libcli11-dev CLI/CLI.hpp
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "Missing libraries:$missing (Debian's names). Install them with your system's package manager and run make again." >&2
  exit 1
fi
# Ubuntu names the JPEG headers differently.
if [ -z "$(apt-cache policy libjpeg62-turbo-dev 2>/dev/null)" ] && grep -qi ubuntu /etc/os-release 2>/dev/null; then
  missing=$(echo "$missing" | sed 's/libjpeg62-turbo-dev/libjpeg-turbo8-dev/')
fi
install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
  sudo=""
elif sudo -n true 2>/dev/null; then
  sudo="sudo -n"
else
  echo "Vitrail needs a few libraries. Type this once, then run make again:" >&2
  echo "  sudo apt-get update && sudo $install" >&2
  exit 1
fi
echo "Installing:$missing"
log=$(mktemp)
if ! { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive $install; } >"$log" 2>&1; then
  tail -5 "$log" >&2
  echo "Could not install:$missing. Type: apt-get update && $install" >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"
