#!/bin/sh
set -eu

echo "hello, ${1:?"usage: hello.sh WHOM"}"
