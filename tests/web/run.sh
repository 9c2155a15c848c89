#!/bin/sh
# The page in a real browser: ./run.sh [file...]. Bundles the page and tests it on a stand-in server; MADANG_URL names a
# running `madang serve` to test instead (what needs the stand-in's fixed words is skipped there). Needs node, npm and
# Chromium (CHROMIUM names it).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../web"
[ -d node_modules ] || npm ci --ignore-scripts
node build.mjs dist
cd "$here"
[ -d node_modules ] || npm ci --ignore-scripts
node_modules/.bin/tsc -p ../../web
[ $# -gt 0 ] || set -- *_test.mjs
# Playwright asks for a newer Node than Debian 12 has: the one in package.json, where it runs.
node=node_modules/.bin/node
[ -x "$node" ] || node=node
exec "$node" --test --test-reporter=spec --test-concurrency=1 "$@"
