#!/bin/sh
set -eu

echo "hello, ${1:?"usage: execute.sh WHOM"}"
