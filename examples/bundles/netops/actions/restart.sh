#!/bin/sh
echo "restarting the network of ${1:?which node?}"
