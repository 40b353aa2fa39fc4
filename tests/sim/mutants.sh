#!/bin/sh
# SPDX-License-Identifier: MIT
# mutants.sh [CC [DIR]]: builds the core in DIR (this repository's) once for each fault in mutants/*.patch; the simulator must catch each.
set -eu

cc=${1:-cc}
here=$(cd "$(dirname "$0")" && pwd)
flags="-std=gnu11 -O1 -D_GNU_SOURCE"
steps=400000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A copy: the core may be edited meanwhile.
core=$work/core
cp -r "${2:-$here/../../core}" "$core"

missed=0
applied=0

# build OUT: links the simulator from the sources in $work/tree/core; only what a mutant changed is compiled anew.
build()
{
	objects=
	for source in "$work"/tree/core/*.c; do
		object=$work/clean/$(basename "$source" .c).o
		if [ ! -e "$object" ]; then
			# shellcheck disable=SC2086
			"$cc" $flags -I "$core" -c "$source" -o "$object"
		elif ! cmp -s "$source" "$core/$(basename "$source")"; then
			object=$work/mutant-$(basename "$source" .c).o
			# shellcheck disable=SC2086
			"$cc" $flags -I "$work/tree/core" -c "$source" -o "$object"
		fi
		objects="$objects $object"
	done
	# shellcheck disable=SC2086
	"$cc" $objects "$work"/clean/sim/*.o -o "$1"
}

tree()
{
	rm -rf "$work/tree"
	mkdir -p "$work/tree"
	cp -r "$core" "$work/tree/core"
}

mkdir -p "$work/clean/sim"
for name in simulator model policy disk; do
	# shellcheck disable=SC2086
	"$cc" $flags -I "$core" -c "$here/$name.c" -o "$work/clean/sim/$name.o"
done
tree
build "$work/simulator"
if ! timeout 120 "$work/simulator" --seed 1 --steps $steps >"$work/log"; then
	cat "$work/log"
	echo "mutants: the core itself fails"
	exit 1
fi

for patch in "$here"/mutants/*.patch; do
	name=$(basename "$patch" .patch)
	tree
	if ! patch -d "$work/tree" -p1 -s -F0 --no-backup-if-mismatch <"$patch"; then
		echo "mutants: $name does not apply any more: write it anew against core/"
		exit 1
	fi
	build "$work/simulator"
	if timeout 60 "$work/simulator" --seed 1 --steps $steps >"$work/log" 2>&1; then
		echo "mutants: MISSED $name: $(head -n 1 "$patch")"
		missed=$((missed + 1))
	else
		echo "mutants: caught $name: $(grep -m 1 'step ' "$work/log" || echo 'fair_check')"
	fi
	applied=$((applied + 1))
done

echo "mutants: $applied faults, $missed missed"
[ "$applied" -ge 12 ] && [ "$missed" -eq 0 ]
