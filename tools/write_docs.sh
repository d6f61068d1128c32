#!/bin/sh
# Fills in what documents take from the sources: the examples of docs/extend.md, and the student's path of README.md.
#   tools/write_docs.sh           writes
#   tools/write_docs.sh --check   fails, naming the document, if one is stale
set -u
cd "$(dirname "$0")/.." || exit 1
mode=${1:-}
new=$(mktemp)
trap 'rm -f "$new"' EXIT
status=0
put() {  # document: compares or replaces it by what is in $new
  if cmp -s "$1" "$new"; then return; fi
  if [ "$mode" = --check ]; then
    echo "$1 is stale: run tools/write_docs.sh" >&2
    diff "$1" "$new" | head -10 >&2
    status=1
  else
    cp "$new" "$1"
  fi
}

# Between "<!-- file: PATH -->" and "<!-- end -->" stands the file.
awk '/^<!-- file: / { print; path = $3; print "```cpp"; while ((getline line < path) > 0) print line; print "```"; skip = 1; next }
     /^<!-- end -->/ { skip = 0 }
     !skip' docs/extend.md >"$new"
put docs/extend.md

# Between "<!-- path -->" and "<!-- end -->" stands the table of the files of tools/student_path.txt with their lines.
path_table() {
  echo "| | file | lines | what it shows |"
  echo "|---|---|---|---|"
  sum=0
  number=1
  while IFS='|' read -r file what; do
    [ -f "$file" ] || { echo "tools/student_path.txt names $file, which is not there" >&2; exit 1; }
    lines=$(grep -vc '^ *// LAB ' "$file")  # the marks of the labs are nothing to read
    sum=$((sum + lines))
    echo "| $number | \`$file\` | $lines | $what |"
    number=$((number + 1))
  done <tools/student_path.txt
  echo "| | together | $sum | |"
  [ "$sum" -le 1600 ] || { echo "the student's path has $sum lines; at most 1600" >&2; exit 1; }
}
table=$(path_table) || exit 1
awk -v table="$table" '/^<!-- path -->/ { print; print table; skip = 1; next } /^<!-- end -->/ { skip = 0 } !skip' README.md >"$new"
put README.md
exit $status
