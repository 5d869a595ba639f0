#!/bin/sh
# debian.sh: the Debian packages, from what `make` has built to their removal. It needs root, for a
# chroot, and a mirror of Debian; no file of the checkout changes.
#
# Builds the packages in a copy of the checkout, checks them with lintian, installs those of the
# runtime alone in a minimal Debian, then libdas3-dev with compilers, runs debian/tests with each,
# and removes all: no file may be left. The minimal Debian is kept in .build/debian.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || exec sudo "$0"
# Neither a virtual environment nor a Swift: packages are made with what Debian has.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH DEBIAN_FRONTEND=noninteractive

fail() { echo "debian.sh: $*" >&2; exit 1; }
[ -e build/das3-run.1 ] || fail "found no build/das3-run.1; run make first"
for program in debootstrap dh dh_python3 dpkg-scanpackages lintian; do
  command -v $program >/dev/null || fail "found no $program; apt-get install debootstrap" \
    "debhelper dh-python dpkg-dev fakeroot lintian pybuild-plugin-pyproject python3-hatchling"
done

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
minimal=$PWD/.build/debian/$suite-$(dpkg --print-architecture).tar
scratch=$PWD/.build/debian/scratch
source=$scratch/libdas3 root=$scratch/root log=$scratch/log

# Nothing is ever mounted below scratch but in a namespace that has ended.
remove_scratch() { rm -rf --one-file-system "$scratch"; }
remove_scratch
trap remove_scratch EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$source"

began=$(date +%s)
step() { printf '\n-- %s (after %d s)\n' "$*" $(($(date +%s) - began)); }

# Runs what is only of interest if it fails.
quietly() { "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; fail "this failed: $*"; }; }

# A container may forbid mounts; debootstrap and the library do without /proc, das3-run does not.
private=
unshare --mount true 2>/dev/null && private="unshare --mount"

# Runs a command in the minimal Debian.
inside() {
  $private sh -c '[ -z "$0" ] || mount -t proc proc "$1/proc" || :; exec chroot "$@"' "$private" \
    "$root" env -i PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    OMP_WAIT_POLICY=passive http_proxy="${http_proxy-}" https_proxy="${https_proxy-}" "$@"
}
install() { quietly inside apt-get install --yes --no-install-recommends "$@"; }

# What a test of debian/tests needs.
needs() { sed -n "/^Tests: $1\$/,/^\$/s/^Depends: //p" debian/tests/control | tr -d ,; }

# Runs one as autopkgtest does: in the source package, with a folder for its files.
run() {
  echo "debian/tests/$1:"
  inside sh -c 'cd /source; AUTOPKGTEST_TMP=$(mktemp -d); export AUTOPKGTEST_TMP; status=0
    debian/tests/"$0" 2>&1 || status=$?; rm -r "$AUTOPKGTEST_TMP"; exit $status' "$1" ||
    fail "debian/tests/$1 failed"
}

# All files of the minimal Debian but the records of apt and dpkg, logs and caches.
files() {
  (cd "$root" && find . \( -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./var/log -o \
    -path ./var/cache -o -path ./proc -o -path ./source -o -path ./packages \) -prune -o -print) |
    LC_ALL=C sort
}

added() { files | LC_ALL=C comm -13 "$scratch/before" - | wc -l; }

step "dpkg-buildpackage, with what make has built"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp -P --parents -t "$source"
cp -P --parents -t "$source" build/das3-run* build/libdas3.so*
# gzip instead of xz: seconds instead of a minute.
export DPKG_DEB_COMPRESSOR_TYPE=gzip DPKG_DEB_COMPRESSOR_LEVEL=1
(cd "$source" && quietly dpkg-buildpackage --unsigned-source --unsigned-changes --build=full \
  --no-pre-clean)
grep '^mIoU' "$log" # of the build's own test
(cd "$scratch" && ls -sh -- *.deb *.tar.xz)

step "lintian, which fails on errors and warnings"
lintian --allow-root --fail-on error,warning --show-overrides "$scratch"/*.changes ||
  fail "lintian found something"

step "a minimal $suite, by debootstrap"
sources() {
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Identifier: Packages' 'Origin: Debian' | sort -u
}
[ -n "$(sources)" ] || quietly apt-get update
mirror=$(sources | awk -v suite="$suite" '$3 == suite && $4 == "main" { print $2; exit }')
[ -n "$mirror" ] || fail "apt has no source of Debian's $suite main; add one to /etc/apt"
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
if [ ! -e "$minimal" ]; then
  http_proxy="${http_proxy-}" https_proxy="${https_proxy-}" \
    quietly $private debootstrap --variant=minbase "$suite" "$root" "$mirror"
  rm -f "$root"/var/cache/apt/archives/*.deb
  tar -C "$root" --one-file-system -cf "$minimal.part" . && mv "$minimal.part" "$minimal"
  rm -rf --one-file-system "$root"
fi
mkdir "$root" && tar -C "$root" -xf "$minimal"
cp /etc/resolv.conf /etc/hosts "$root/etc"
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
apt-config dump | grep '^Acquire::Check-' >"$root/etc/apt/apt.conf.d/90check" || :
mkdir "$root/packages" "$root/source"
cp -r debian examples "$root/source"
cp "$scratch"/*.deb "$root/packages"
(cd "$root/packages" && dpkg-scanpackages . >Packages 2>"$log") || fail "$(cat "$log")"
{ sources; echo "deb [trusted=yes] file:/packages ./"; } >"$root/etc/apt/sources.list"
quietly inside apt-get update
quietly inside apt-get upgrade --yes
inside apt-mark showmanual | sort >"$scratch/manual"
files >"$scratch/before"
echo "$(inside cat /etc/debian_version), $(wc -l <"$scratch/before") files, from $mirror"

step "the runtime alone: no Swift, no compiler"
install libdas3-0 $(needs das3-run) $(needs python)
echo "$(added) files, with all that the packages need"
for program in swift cc gcc c++ clang ld; do
  ! inside sh -c "command -v $program" || fail "the runtime packages bring $program"
done
if inside test -e /proc/self; then
  run das3-run
else
  echo "skipped debian/tests/das3-run: Swift reads arguments in /proc, which cannot be mounted here"
fi
run python

step "libdas3-dev and compilers"
install $(needs c-segment)
run c-segment
install $(needs cmake)
run cmake

step "purged: what is left?"
installed=$(added)
quietly inside apt-get purge --yes --auto-remove \
  $(inside apt-mark showmanual | sort | comm -13 "$scratch/manual" -)
files | diff "$scratch/before" - || fail "the packages leave files, or take some (< before, > now)"
echo "nothing of the $installed files that the packages and what they need have added"
step "done"
