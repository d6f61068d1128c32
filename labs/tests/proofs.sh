#!/bin/sh
# The proofs are proven: each is broken in a copy of the tree, and must then fail for the reason that is named here.
# Started by `make labs-proofs`, which sets LABTOOL and LAB_*.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Not every checkout has its history.
{ git ls-files -z 2>/dev/null || find . -path ./build -prune -o -path ./mine -prune -o -type f -print0; } | xargs -0 cp --parents -t "$work"
ln -s "$PWD/build" "$work/build"
case "$LABTOOL" in /*) ;; *) LABTOOL=$PWD/$LABTOOL ;; esac
export LAB_BUILD=objects
mkdir -p "$work/objects/common" "$work/objects/lab1"
cp "$LAB_COMMON"/main.o "$LAB_COMMON"/lab.o "$work/objects/common/"
cp -r "$work/labs/lab1" "$work/lab1.kept"
cp "$work/tensor/shape.cpp" "$work/shape.kept"
cd "$work" || exit 1
passed=0
failed=0

prove() {  # arguments of labtool prove; the tests are compiled as they are now
  sh -c "$LAB_TEST_COMPILE -c labs/lab1/tests.cpp -o objects/lab1/tests.o" >log 2>&1 && "$LABTOOL" prove --labs 1 "$@" >>log 2>&1
}
restore() {
  rm -rf labs/lab1 docs/leak.md && cp -r lab1.kept labs/lab1 && cp shape.kept tensor/shape.cpp
}
red() {  # name, what the output must hold, command...
  name=$1 telling=$2
  shift 2
  if "$@"; then
    failed=$((failed + 1))
    echo "  FAILED  $name: nobody noticed"
  elif grep -qF -- "$telling" log; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "  FAILED  $name: noticed, but not for its reason ($telling):"
    tail -3 log
  fi
  restore
}

if prove --ex 1.1; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "  FAILED  the unbroken tree is proven"; tail -3 log; fi

sed -i '/== 1.1 column-major/,/== 1.1 extents/s/for (int i = 0;.*/for (int i = 0; i < shape.siz(); ++i) {/' labs/lab1/mistakes.txt
red "a mistake that no longer compiles" "column-major (mistakes.txt" prove --ex 1.1

sed -i '/== 1.1 column-major/,/== 1.1 extents/s/for (int i = shape.size() - 1; i >= 0; --i) {/for (int i = shape.size() - 2; i >= 0; --i) {/' labs/lab1/mistakes.txt
red "a mistake whose text is no longer in the region" "does not occur exactly once" prove --ex 1.1

sed -i '/== 1.1 column-major/,/== 1.1 extents/s/for (int i = 0;.*/for (int i = shape.size() - 1; i >= 0; i -= 1) {/' labs/lab1/mistakes.txt
red "a mistake that is none" "it PASSES" prove --ex 1.1

awk '/^== /{drop = ($2 == "1.1" && ++n > 2)} !drop' labs/lab1/mistakes.txt >kept && mv kept labs/lab1/mistakes.txt
red "fewer than three mistakes" "1.1 has three known mistakes" prove --ex 1.1

sed -i '/LAB 1.1 /d' tensor/shape.cpp
red "an exercise without a region" "exercise 1.1 has no region" prove --ex 1.1

sed -i 's|// LAB 1.1 END|// LAB 1.1 ENDE|' tensor/shape.cpp
red "a lost mark in the framework" "begins" prove --ex 1.1

sed -i 's|^TEST_SUITE("1.1") {|&\n  TEST_CASE("cannot fail") { CHECK(true); }|' labs/lab1/tests.cpp
red "a test that cannot fail" "blank, every test of 1.1 fails" prove --ex 1.1

sed -i 's|^TEST_SUITE("1.1") {|&\n  TEST_CASE("any exception will do") { CHECK_THROWS(contiguous_strides({-1})); }|' labs/lab1/tests.cpp
red "a test that a blank passes by its exception" "blank, every test of 1.1 fails" prove --ex 1.1

sed -i 's|^TEST_SUITE("1.1") {|&\n  TEST_CASE("too slow") { for (volatile int64_t i = 0; i < 100000000000; i = i + 1) {} CHECK(contiguous_strides({2}) == Shape{1}); }|' labs/lab1/tests.cpp
red "a test over its limit" "ran past" prove --ex 1.1

sed -i 's|^TEST_SUITE("1.1") {|&\n  TEST_CASE("needs another") { CHECK(broadcast_shapes(contiguous_strides({2}), {1}, "x") == Shape{1}); }|' labs/lab1/tests.cpp
red "an undeclared need" "1.1 does not need 1.4" prove --ex 1.1

sed -i 's|"needs": \["1.1"\]|"needs": ["1.1", "1.2"]|' labs/lab1/lab.json
red "a need that is none" "1.5 needs 1.2" prove --ex 1.5

sed -i 's|"hints": \["The last axis[^"]*"|"hints": [" "|' labs/lab1/lab.json
red "an empty hint" "a hint is empty" prove --ex 1.1

sed -i 's|"points": 10, "minutes": 15|"points": 0, "minutes": 15|' labs/lab1/lab.json
red "an exercise without points" "points" prove --ex 1.1

sed -i 's|^\(LAB_PROBE("1.1").*\){ return .*|\1{ return cat(contiguous_strides({7})); }|' labs/lab1/tests.cpp
red "probes that do not tell mistakes apart" "1.1" prove --ex 1.1

awk '/TEST_CASE\("a scalar has none/{drop = 1} !drop; /^  }$/{drop = 0}' labs/lab1/tests.cpp >kept && mv kept labs/lab1/tests.cpp
red "a lost test" "checks.json tells the checks of 1.1" prove --ex 1.1

sed -i 's/an axis jumps over what follows it/an axis jumps/' labs/lab1/fingerprints.json
red "a stale fingerprint" "fingerprints.json is what the mistakes give" prove

sed -i 's/(lab1.png)/(lab9.png)/' labs/lab1/README.md
red "a missing picture" "lab9.png is missing" prove

sed -i 's/!\[[^]]*\](/![x](/' labs/lab1/README.md
red "a picture without a text" "has no text that tells what it shows" prove

sed -i 's/10 points, about 15 minutes/10 points, about 5 minutes/' labs/lab1/README.md
red "a stale inserted line" "has stale parts" prove

# A tree for students: files that git tracks.
printf '/objects/\n/build\n/lab1.kept/\n/log\n/shape.kept\n/exported/\n' >.gitignore
git init -q . && git add -A >/dev/null 2>&1
export_tree() {
  rm -rf exported
  git add -A >/dev/null 2>&1
  "$LABTOOL" export --out exported --solved 0 >log 2>&1
}
if export_tree; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "  FAILED  the unbroken tree is exported"; tail -3 log; fi

echo 'So write    stride *= std::max<int64_t>(shape[i], 1);    and you are done.' >docs/leak.md
red "a line of a solution that a document quotes" "quotes a line of 1.1" export_tree

sed -n '/LAB 1.3 BEGIN/,/LAB 1.3 END/p' tensor/view.cpp | grep -v LAB >labs/lab1/notes.md
red "lines of a solution in a lab's folder" "holds a line of 1.3" export_tree

echo "$passed proofs noticed what broke them, $failed failed"
[ "$failed" = 0 ]
