# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# `quickstart test`, sourced by it: every build, every test, one closing line. A step that fails is counted and the
# next one runs: one run tells all there is to repair. Uses say, build_in, $top and $log of quickstart.

fuzz_seconds=${VTAX_FUZZ_SECONDS:-10} # for each fuzz target
system_seconds=1200                   # for all system tests together; each has its own, shorter limit
passed=0 failed=0 skipped=0

# count PASSED FAILED SKIPPED
count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
	say "  $1 passed, $2 failed, $3 skipped"
}

# meson_tests BUILD [MESON-TEST-OPTION...]
meson_tests() {
	local build=$1 testlog=$top/$1/meson-logs/testlog.json counts

	shift
	rm -f "$testlog"
	meson test -C "$top/$build" --no-rebuild --num-processes 1 "$@" >"$log" 2>&1 8>&- 9>&- </dev/null || true
	if [[ ! -s $testlog ]] || ! counts=$(/usr/bin/python3 "$top/tests/tally.py" meson "$testlog"); then
		tail -n 20 "$log" >&2
		counts='0 1 0'
	fi
	# shellcheck disable=SC2086 # three numbers
	count $counts
}

# step TITLE BUILD "MESON OPTIONS" [MESON-TEST-OPTION...]: builds, then runs its tests
step() {
	local title=$1 build=$2 options=$3

	shift 3
	say "$title"
	if build_in "$build" "$options"; then
		meson_tests "$build" "$@"
	else
		count 0 1 0
	fi
}

# Each fuzz target for a short time on its seeds; what it finds stays in build-fuzz/found.
fuzz() {
	local build=$top/build-fuzz source name work ok=0 bad=0

	say "fuzzing: each target $fuzz_seconds s with clang, ASan and UBSan"
	mkdir -p "$build/found"
	for source in "$top"/tests/fuzz/fuzz_*.c; do
		name=$(basename "$source" .c)
		work=$(mktemp -d "$build/found/.$name-XXXXXX")
		if ! CC=clang build_in build-fuzz '-Dfuzz=true' "tests/fuzz/$name"; then
			bad=$((bad + 1))
			say "  FAILED: $name cannot be built"
		elif timeout $((fuzz_seconds + 60)) "$build/tests/fuzz/$name" -max_total_time="$fuzz_seconds" \
				-timeout=10 -rss_limit_mb=2048 -artifact_prefix="$build/found/$name-" "$work" \
				"$top/tests/fuzz/corpus/${name#fuzz_}" >"$log" 2>&1 8>&- 9>&- </dev/null; then
			ok=$((ok + 1))
		else
			bad=$((bad + 1))
			say "  FAILED: $name"
			tail -n 30 "$log" | sed 's/^/    | /' >&2
		fi
		rm -rf "$work"
	done
	count $ok $bad 0
}

# system_tests TITLE BUILD [FILE...]: those files of tests/system, or all of them
system_tests() {
	local title=$1 build=$2 status=0 counts
	local -a tests

	shift 2
	tests=("${@/#/$top/tests/system/}")
	((${#tests[@]})) || tests=("$top/tests/system")
	say "$title"
	if [[ ! -x $top/$build/vtax || ! -x $top/$build/vtax-agent ]]; then
		say "  FAILED: $build/vtax or $build/vtax-agent is not there"
		count 0 1 0
		return
	fi
	VTAX_BUILD=$top/$build timeout --kill-after=30 $system_seconds /usr/bin/python3 -m pytest -p no:cacheprovider -ra --color=no \
		--rootdir="$top" "${tests[@]}" 2>&1 8>&- 9>&- </dev/null | tee "$log" >&2 || status=${PIPESTATUS[0]}
	counts=$(/usr/bin/python3 "$top/tests/tally.py" pytest "$log" "$status")
	# shellcheck disable=SC2086 # three numbers
	count $counts
}

run_all() {
	local began=$SECONDS

	step "style, and unit tests with gcc" build ''
	CC=clang step "unit tests with clang" build-clang '' --no-suite style
	export ASAN_OPTIONS=abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	step "unit tests with ASan and UBSan" build-asan '-Db_sanitize=address,undefined' --no-suite style
	system_tests "bad input and reports, with ASan and UBSan in the controller" build-asan test_cli.py test_bad_input.py \
		test_report.py
	unset ASAN_OPTIONS UBSAN_OPTIONS
	fuzz
	system_tests "system tests: real campaigns" build
	say "took $(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s"
	echo "$passed passed, $failed failed, $skipped skipped"
	((failed == 0))
}
