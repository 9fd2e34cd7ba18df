#!/bin/sh
# Moves FILE to FILE.1 and so on, and keeps COPIES of them.
set -eu

file=${1:?"usage: execute.sh FILE [COPIES]"}
copies=${2:-5}

number=$copies
while [ "$number" -gt 1 ]; do
    before=$((number - 1))
    if [ -e "$file.$before" ]; then
        mv -- "$file.$before" "$file.$number"
    fi
    number=$before
done
if [ -e "$file" ]; then
    mv -- "$file" "$file.1"
fi
: > "$file"
