#!/bin/sh
# Rotates three times and looks at what is kept.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for line in one two three; do
    echo "$line" > "$folder/app.log"
    "$here/execute.sh" "$folder/app.log" 2
done

[ "$(cat "$folder/app.log.1")" = three ]
[ "$(cat "$folder/app.log.2")" = two ]
[ ! -e "$folder/app.log.3" ]
