#!/bin/sh
set -eu

[ "$(sh actions/hello.sh Ada)" = "hello, Ada" ]
