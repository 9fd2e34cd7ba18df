#!/bin/sh
set -eu
[ "$(sh actions/restart.sh one)" = "restarting the network of one" ]
