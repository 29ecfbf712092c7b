# Sourced by run.sh, analyse.sh and elsewhere.sh here and by examples/quickstart.sh, with the repository's root as the working
# folder: installs what is missing, builds, and runs tests. Debian and Ubuntu are known; elsewhere it says what is needed.

# have KIND NAME: whether a command, a pkg-config module, a file or a font file is there
have() {
    case $1 in
        command) command -v "$2" >/dev/null 2>&1 ;;
        module) pkg-config --exists "$2" 2>/dev/null ;;
        file) [ -e "$2" ] ;;
        font) [ -e "/usr/share/fonts/truetype/$2" ] ;;
    esac
}

# missing_packages KIND NAME PACKAGE ...: the packages of what is not there
missing_packages() {
    while [ $# -ge 3 ]; do
        have "$1" "$2" || printf ' %s' "$3"
        shift 3
    done
}

# install KIND NAME PACKAGE ...: installs the packages of what is missing, or prints the command and gives up
install() {
    packages=$(missing_packages "$@")
    [ -n "$packages" ] || return 0
    if ! have command apt-get; then
        echo "Missing here, under their Debian names:$packages" >&2
        echo "Install them with your system's package manager, then run this again." >&2
        exit 1
    fi
    as_root=
    if [ "$(id -u)" != 0 ]; then
        # Asks for a password only where there is someone to ask.
        if have command sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            as_root=sudo
        else
            echo "Missing here:$packages. Run this as root, then come back:" >&2
            echo "    apt-get update && apt-get install -y --no-install-recommends$packages" >&2
            exit 1
        fi
    fi
    echo "Installing:$packages"
    # shellcheck disable=SC2086 -- a list of words
    if ! { $as_root apt-get update && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y --no-install-recommends $packages; } >install.log 2>&1; then
        tail -n 5 install.log >&2
        echo "Installing failed (see install.log). By hand, as root:" >&2
        echo "    apt-get update && apt-get install -y --no-install-recommends$packages" >&2
        exit 1
    fi
    rm -f install.log
}

# build FOLDER OPTION ...: configures, or configures again, and builds (with $ONLY: that target alone)
build() {
    folder=$1
    shift
    again=
    [ -f "$folder/build.ninja" ] && again=--reconfigure
    if ! meson setup $again "$folder" "$@" >setup.log 2>&1 || ! ninja -C "$folder" ${ONLY:-} >build.log 2>&1; then
        tail -n 30 setup.log build.log >&2
        exit 1
    fi
    grep -n 'warning:' build.log >&2 && echo "(warnings above)" >&2
    rm -f setup.log build.log
}

BUILD_TOOLS="command cc gcc command cc libc6-dev command pkg-config pkg-config command ninja ninja-build command meson meson"
LIBRARIES="module jansson libjansson-dev module libutf8proc libutf8proc-dev module stb libstb-dev"
FONTS="font dejavu/DejaVuSans.ttf fonts-dejavu-core font droid/DroidSansFallbackFull.ttf fonts-droid-fallback"

# run_tests FOLDER [OPTION ...]: runs a build's tests, as `meson test` understands OPTION; prints a line for each and the sums
run_tests() {
    folder=$1
    status=0
    shift
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@" || status=$?
    # meson's own sums, in one line that tools can read
    awk '/^Ok:/ { ok = $2 } /^(Fail|Timeout|Unexpected Pass):/ { failed += $NF } /^Skipped:/ { skipped = $2 }
         END { printf "%d passed, %d failed, %d skipped\n", ok, failed, skipped }' "$folder/meson-logs/testlog.txt"
    return $status
}

# each_kind SCRIPT KINDS [KIND ...]: runs SCRIPT_KIND for each KIND of a list of KINDS, or for all of that
each_kind() {
    script=$1
    kinds=$2
    shift 2
    # shellcheck disable=SC2086 -- a list of words
    [ $# -gt 0 ] || set -- $kinds
    for kind in "$@"; do
        case " $kinds " in
            *" $kind "*) ;;
            *) echo "$script.sh: what is $kind?" >&2; exit 2 ;;
        esac
        echo "== $kind"
        "${script}_$kind"
    done
}
