# shellcheck shell=bash
# Workflow commands, step outputs and input checks, for the scripts beside this file. Values of inputs are data here:
# they come in variables, are never evaluated, and reach the log only escaped.

# escape TEXT: TEXT as the message of a workflow command. Without this a line end in it could begin another command.
escape() {
    local text=${1//'%'/%25}
    text=${text//$'\r'/%0D}
    printf '%s' "${text//$'\n'/%0A}"
}

# fail TEXT: says why the step cannot go on, and ends it.
fail() {
    printf '::error::%s\n' "$(escape "$1")" >&2
    exit 1
}

# warn TEXT
warn() {
    printf '::warning::%s\n' "$(escape "$1")" >&2
}

# random_word: a word that nobody who wrote an input can have foreseen.
random_word() {
    printf 'x%s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
}

# emit NAME VALUE: sets a step output. The random end mark keeps a value's lines from becoming outputs.
emit() {
    local mark
    mark=$(random_word)
    printf '%s<<%s\n%s\n%s\n' "$1" "$mark" "$2" "$mark" >>"$GITHUB_OUTPUT"
}

# check_switch NAME VALUE: VALUE must be true or false.
check_switch() {
    [[ $2 == true || $2 == false ]] || fail "$1: '$2' is not true or false"
}

# epoch SECONDS TIMESTAMP: the one of the two that is given, as seconds since 1970.
epoch() {
    local seconds=$1 timestamp=$2
    local date='[0-9]{4}-[0-9]{2}-[0-9]{2}' time='[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?'
    local zone='(Z|[+-][0-9]{2}:[0-9]{2})?'
    if [[ -n $seconds && -n $timestamp ]]; then
        fail 'source_date_epoch and timestamp exclude each other; give one of them'
    elif [[ -n $seconds ]]; then
        [[ $seconds =~ ^[0-9]{1,12}$ ]] || fail "source_date_epoch: '$seconds' is no number of seconds since 1970"
    elif [[ -n $timestamp ]]; then
        [[ $timestamp =~ ^${date}([T ]${time}${zone})?$ ]] ||
            fail "timestamp: '$timestamp' is not like 2025-01-01T00:00:00Z"
        seconds=$(date -u --date="$timestamp" +%s) || fail "timestamp: '$timestamp' is no date"
        [[ $seconds != -* ]] || fail "timestamp: '$timestamp' lies before 1970"
    else
        fail 'no time is given, so the build cannot be reproduced; set source_date_epoch or timestamp'
    fi
    printf '%s' "$seconds"
}

# check_image NAME REFERENCE: REFERENCE must have the characters of an image reference only.
check_image() {
    [[ $2 =~ ^[A-Za-z0-9][A-Za-z0-9._/:@-]*$ ]] || fail "$1: '$2' is no image reference"
}
