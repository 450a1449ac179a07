#!/bin/sh
# A secret that is named like a variable (DASHSCOPE_API_KEY) becomes that variable, then the program takes over.
set -eu
for file in /run/secrets/[A-Z]*; do
    [ -f "$file" ] || continue
    export "$(basename "$file")=$(cat "$file")"
done
exec "$@"
