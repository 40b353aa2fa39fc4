#!/bin/bash
# SPDX-License-Identifier: MIT
# Proves docker/Dockerfile where no Docker engine runs: debootstrap makes the base image, buildah builds the Dockerfile as
# it is, and the container is run as it is configured and once more with a read-only root. Needs root, apt and 1 GiB in
# $TMPDIR; takes one to four minutes. It leaves nothing behind but the packages it installs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly LAYERS_MAX=15000000    # bytes that we add to the base, as files
readonly PATIENCE=100           # tenths of a second that anything may take

# What this starts and mounts is in namespaces of its own and ends with them; its files are in one folder.
outside() {
	# shellcheck source=scripts/deps.sh
	source scripts/deps.sh
	if [[ $(id -u) -ne 0 ]]; then
		echo "docker/build-test.sh: run this as root: debootstrap and buildah need it" >&2
		exit 2
	fi
	fairshared_install "${fairshared_image_packages[@]}"
	work=$(mktemp -d)
	trap 'kill -KILL "$inside" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	unshare --mount --pid --fork --kill-child --mount-proc bash docker/build-test.sh --inside "$work" &
	inside=$!
	wait "$inside"
}

step() {
	printf '%4d s  %s\n' "$SECONDS" "$*"
}

fail() {
	echo "FAILED: $*" >&2
	if [[ -s $work/server.log ]]; then
		cat "$work/server.log" >&2
	fi
	exit 1
}

# quiet COMMAND... shows what it said only when it fails.
quiet() {
	"$@" >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		fail "$*"
	}
}

buildah() {
	command buildah --storage-driver vfs --root "$work/store" --runroot "$work/run" "$@"
}

# base makes what stands for debian:bookworm-slim: the same packages, without documents, and apt that keeps no copies.
base() {
	local base=$work/base container

	quiet debootstrap --variant=minbase bookworm "$base"
	printf 'path-exclude /usr/share/%s/*\n' doc info lintian linda locale man >"$base/etc/dpkg/dpkg.cfg.d/docker"
	cat >"$base/etc/apt/apt.conf.d/docker-clean" <<-'END'
		DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
		Dir::Cache::pkgcache "";
		Dir::Cache::srcpkgcache "";
	END
	rm -rf "$base"/usr/share/{doc,info,locale,man}/* "$base"/var/cache/apt/archives/*.deb "$base"/var/lib/apt/lists/*
	container=$(buildah from scratch)
	tar -C "$base" -cf "$base.tar" .
	quiet buildah add "$container" "$base.tar" /
	quiet buildah config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
	quiet buildah commit --rm --format docker "$container" localhost/debian:bookworm-slim
	rm -rf "$base" "$base.tar"
}

# of_image FILTER prints what jq's filter finds in the configuration of the image.
of_image() {
	jq -r "$1" "$work/image.json"
}

# is FILTER VALUE compares, as compact JSON.
is() {
	local found
	found=$(jq -c "$1" "$work/image.json")
	[[ $found == "$2" ]] || fail "the image has $1 = $found, not $2"
}

look_at_image() {
	local layers layer base

	buildah inspect --type image fairshared | jq .Docker >"$work/image.json"
	is .config.User '"65532:65532"'
	is .config.Entrypoint '["fairshared"]'
	is .config.Cmd '["--listen","0.0.0.0:8080"]'
	is .config.StopSignal '"SIGTERM"'
	is .config.Volumes '{"/var/lib/fairshared":{}}'
	is .config.ExposedPorts '{"8080/tcp":{}}'
	is .config.Healthcheck.Test '["CMD","fairshared","--healthcheck"]'
	is '.config.Labels["org.opencontainers.image.title"]' '"fairshared"'
	is '.config.Labels["org.opencontainers.image.licenses"]' '"MIT"'

	quiet buildah push --format v2s2 fairshared "dir:$work/pushed"
	mapfile -t base < <(buildah inspect --type image localhost/debian:bookworm-slim | jq -r '.Docker.rootfs.diff_ids[]')
	layers=$(jq -r '.layers[].digest | sub("sha256:"; "")' "$work/pushed/manifest.json" | tail -n "+$((${#base[@]} + 1))")
	packed=0 unpacked=0
	for layer in $layers; do
		packed=$((packed + $(stat -c %s "$work/pushed/$layer")))
		unpacked=$((unpacked + $(zcat "$work/pushed/$layer" | wc -c)))
	done
	rm -rf "$work/pushed"
	[[ $unpacked -gt 0 && $unpacked -le $LAYERS_MAX ]] || fail "our layers have $unpacked bytes"
}

look_at_files() {
	local path
	for path in usr/bin/fairshare usr/local/bin/fairshare usr/bin/cc usr/bin/cmake usr/include/microhttpd.h src; do
		[[ ! -e $root/$path ]] || fail "the image has /$path"
	done
	[[ -s $root/usr/share/doc/fairshared/copyright ]] || fail "the licence is missing"
	[[ -z $(find "$root/var/lib/apt/lists" -type f) ]] || fail "the lists of apt are left"
}

# ---- the container, in a network of its own ----

# as_configured runs a command as the image says: its user, its environment, its folder.
as_configured() {
	buildah run --isolation chroot --volume "$work/volume:/var/lib/fairshared" "$container" -- "$@"
}

# read_only does what an engine does for --read-only --cap-drop ALL --security-opt no-new-privileges.
read_only() {
	local environment
	mapfile -t environment < <(of_image '.config.Env[]')
	# shellcheck disable=SC2016  # the inner shell expands it
	unshare --mount bash -euc '
		root=$1 volume=$2
		shift 2
		mount --bind "$root" "$root"
		mount -t proc proc "$root/proc"
		mount --bind "$volume" "$root/var/lib/fairshared"
		mount -o remount,bind,ro "$root"
		exec chroot "$root" "$@"
	' bash "$root" "$work/volume" setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --inh-caps=-all \
		--bounding-set=-all env -i -C "$(of_image .config.WorkingDir)" "${environment[@]}" "$@"
}

# until COMMAND... waits until it is true.
wait_until() {
	local tries
	for ((tries = 0; tries < PATIENCE; tries++)); do
		if "$@" >/dev/null 2>&1; then
			return
		fi
		sleep 0.1
	done
	fail "in vain waited for: $*"
}

healthy() {
	mapfile -t test < <(of_image '.config.Healthcheck.Test[1:][]')
	"$way" "${test[@]}"
}

# up starts the server by the image's own command and waits until it is healthy.
up() {
	local command
	mapfile -t command < <(of_image '.config.Entrypoint[], .config.Cmd[]')
	"$way" "${command[@]}" >>"$work/server.log" 2>&1 &
	job=$!
	wait_until healthy
	server=$(pgrep -x fairshared)
}

# ask STATUS METHOD PATH [BODY] prints the body of the answer, which must have that status.
ask() {
	local status
	status=$(curl -s -m 10 -o "$work/body" -w '%{http_code}' -X "$2" ${4:+-d "$4"} "http://127.0.0.1:8080$3") || true
	[[ $status == "$1" ]] || fail "$2 $3: $status, not $1: $(cat "$work/body")"
	cat "$work/body"
}

# left STATUS waits for the server's end.
left() {
	local status=0
	wait "$job" || status=$?
	[[ $status == "$1" ]] || fail "the server left with $status, not $1"
}

# is_shut_in looks whether read_only is what it says.
is_shut_in() {
	if nsenter --target "$server" --mount --root touch /var/lib/written 2>/dev/null; then
		fail "the root can be written"
	fi
	grep -q '^CapBnd:[[:space:]]*0*$' "/proc/$server/status" || fail "the server has capabilities"
	grep -q '^NoNewPrivs:[[:space:]]*1$' "/proc/$server/status" || fail "the server may gain rights"
}

drains() {
	[[ $(ask 503 POST /leases '{"tenant_id":"alice"}' | jq -r .code) == draining ]]
}

story() {
	local id

	way=$1
	mkdir "$work/volume"
	chown 65532:65532 "$work/volume"
	: >"$work/server.log"
	up
	[[ $(stat -c %u:%g "/proc/$server") == 65532:65532 ]] || fail "the server runs as $(stat -c %u:%g "/proc/$server")"
	[[ $(stat -c %u "$work/volume/fairshared.db") == 65532 ]] || fail "the state is not in the volume"
	ask 201 POST /tenants '{"tenant_id":"alice"}' >"$work/tenant"
	id=$(ask 201 POST /leases '{"tenant_id":"alice","ttl_seconds":600,"label":"in a box"}' | jq -r .id)
	ask 204 GET "/check?lease=$id"
	[[ $(ask 200 GET /stats | jq .total_active_slots) == 1 ]] || fail "/stats does not count the lease"
	[[ $(ask 200 GET /) == '<!doctype html>'* ]] || fail "there is no page"
	if [[ $way == read_only ]]; then
		is_shut_in
	fi

	kill -KILL "$server"
	wait "$job" || true
	up
	[[ $(ask 200 GET "/leases/$id" | jq -r .label) == "in a box" ]] || fail "the lease did not outlive the container"

	kill -TERM "$server"
	wait_until drains
	healthy || fail "the server is not healthy while it drains"
	ask 204 DELETE "/leases/$id"
	left 0
	if healthy 2>/dev/null; then
		fail "healthy, and nobody is there"
	fi
	rm -rf "$work/volume"
}

stories() {
	ip link set lo up
	# A low limit that may be raised, as an engine gives it.
	container=$(buildah from --ulimit "nofile=1024:$(ulimit -Hn)" --pull-never fairshared)
	root=$(buildah mount "$container")
	look_at_files
	story as_configured
	step "runs as it is configured"
	[[ $(stat -c %u:%g "$root/var/lib/fairshared") == 65532:65532 ]] || fail "a new volume would not be the server's"
	story read_only
	step "runs with a read-only root and without rights"
}

inside() {
	base
	step "base image"
	quiet buildah bud --isolation chroot --format docker --pull-never -f docker/Dockerfile -t fairshared .
	step "docker/Dockerfile builds"
	look_at_image
	step "the image is as it should be; our layers have $unpacked bytes, $packed packed"
	unshare --net bash docker/build-test.sh --stories "$work" "$SECONDS"
}

case ${1-} in
--inside)
	work=$2
	inside
	;;
--stories)
	work=$2 SECONDS=$3
	stories
	;;
*) outside ;;
esac
