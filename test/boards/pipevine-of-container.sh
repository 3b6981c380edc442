#!/bin/sh
exec /usr/bin/node-of-pipevine /usr/lib/pipevine.cjs "$@"
