#!/bin/sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)

[ "$("$here/execute.sh" Ada)" = "hello, Ada" ]
