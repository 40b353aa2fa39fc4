# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by scripts/run, scripts/test and scripts/fuzz: what they need from Debian, installed by apt where it is missing.

# What the server is built from.
# shellcheck disable=SC2034  # used by those that source this
fairshared_build_packages=(
	build-essential cmake ninja-build pkg-config
	libmicrohttpd-dev libjansson-dev libyajl-dev libinih-dev liblua5.4-dev uthash-dev libxxhash-dev libbsd-dev
	libsqlite3-dev libsystemd-dev libjs-chart.js
	curl ca-certificates
)

# What the tests need besides.
# shellcheck disable=SC2034
fairshared_test_packages=(libcriterion-dev sqlite3 libcurl4-openssl-dev libncurses-dev libseccomp-dev iproute2 systemd
	python3 python3-setuptools python3-wheel python3-yaml mypy pyflakes3 docker-compose prometheus)

# What the fuzz preset needs besides; llvm names the lines of a failure.
# shellcheck disable=SC2034
fairshared_fuzz_packages=(clang libclang-rt-dev llvm)

# What docker/build-test.sh needs: it makes images without an engine.
# shellcheck disable=SC2034
fairshared_image_packages=(buildah debootstrap jq curl iproute2 procps)

# fairshared_missing PACKAGE... prints the packages that are not installed, one a line.
fairshared_missing() {
	local package
	for package in "$@"; do
		# One line for each architecture; no pipe, whose reader may leave before dpkg has said all.
		grep -qx installed <<<"$(dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null)" || printf '%s\n' "$package"
	done
}

# fairshared_install PACKAGE... installs what is missing of them; needs neither root nor a network when nothing is.
fairshared_install() {
	local missing as_root=()

	if ! command -v dpkg >/dev/null || ! command -v apt-get >/dev/null; then
		echo "This is no Debian: install what these packages hold yourself: $*" >&2
		return 0
	fi
	mapfile -t missing < <(fairshared_missing "$@")
	if [[ ${#missing[@]} -eq 0 ]]; then
		return 0
	fi
	if [[ $(id -u) -ne 0 ]]; then
		if ! command -v sudo >/dev/null; then
			echo "Not root and no sudo. Run this as root, then this script again:" >&2
			echo "  apt-get update && apt-get install --no-install-recommends -y ${missing[*]}" >&2
			return 1
		fi
		as_root=(sudo)
	fi
	echo "Installing: ${missing[*]}" >&2
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -o DPkg::Lock::Timeout=300 update >&2 &&
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
			apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
			install --no-install-recommends "${missing[@]}" >&2
}
