# setup.sh: shell functions to install packages, to build and to run tests. run.sh, analyse.sh,
# elsewhere.sh and examples/quickstart.sh read it, in the repository's root. Packages are installed
# on Debian and Ubuntu; elsewhere it names them.

# have KIND NAME: true if this command, pkg-config module, file or font is present
have() {
    case $1 in
        command) command -v "$2" >/dev/null 2>&1 ;;
        module) pkg-config --exists "$2" 2>/dev/null ;;
        file) [ -e "$2" ] ;;
        font) [ -e "/usr/share/fonts/truetype/$2" ] ;;
    esac
}

# missing_packages KIND NAME PACKAGE ...: prints the PACKAGE of each NAME that is missing
missing_packages() {
    while [ $# -ge 3 ]; do
        have "$1" "$2" || printf ' %s' "$3"
        shift 3
    done
}

# install KIND NAME PACKAGE ...: installs missing packages. Without permission to install, it prints
# the command to run and exits.
install() {
    packages=$(missing_packages "$@")
    [ -n "$packages" ] || return 0
    command="apt-get update && apt-get install -y --no-install-recommends$packages"
    if ! have command apt-get; then
        echo "These packages are missing (names as in Debian):$packages" >&2
        echo "Install them with your package manager, then run this script again." >&2
        exit 1
    fi
    as_root=
    if [ "$(id -u)" != 0 ]; then
        # sudo may ask for a password only if there is a terminal to ask on.
        if have command sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            as_root=sudo
        else
            echo "These packages are missing:$packages" >&2
            echo "Run this as root, then run this script again:" >&2
            echo "    $command" >&2
            exit 1
        fi
    fi
    echo "Updating the list of packages (apt-get update)"
    if $as_root apt-get update >install.log 2>&1; then
        echo "Installing missing packages (apt-get install):$packages"
        # shellcheck disable=SC2086 -- a list of words
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y \
            --no-install-recommends $packages >>install.log 2>&1 &&
            rm -f install.log && return
    fi
    tail -n 5 install.log >&2
    echo "apt-get failed; its output is in install.log." \
        "To install the packages yourself, run as root:" >&2
    echo "    $command" >&2
    exit 1
}

# compile FOLDER [TARGET ...]: builds the targets, or everything, and prints how far it is. The
# output is in build.log.
compile() {
    folder=$1
    shift
    printf 'Compiling (ninja):'
    rm -f build.done
    { NINJA_STATUS='[%p] ' ninja -C "$folder" "$@" 2>&1 && : >build.done; } | {
        next=10
        : >build.log
        while IFS= read -r line; do
            printf '%s\n' "$line" >>build.log
            case $line in '['*'%] '*) ;; *) continue ;; esac
            percent=${line%%\%*}
            percent=${percent#[}
            while [ "${percent##* }" -ge $next ]; do
                printf ' %d%%' $next
                next=$((next + 10))
            done
        done
        [ $next -gt 10 ] && echo || echo " nothing has changed"
    }
    [ -e build.done ] && rm build.done
}

# build FOLDER OPTION ...: configures FOLDER, or configures it again, and builds it. If ONLY is set,
# it builds only those targets.
build() {
    folder=$1
    shift
    again=
    [ -f "$folder/build.ninja" ] && again=--reconfigure
    echo "Configuring $folder/ (meson setup)"
    if ! meson setup $again "$folder" "$@" >setup.log 2>&1; then
        tail -n 30 setup.log >&2
        exit 1
    fi
    # shellcheck disable=SC2086 -- a list of words
    if ! compile "$folder" ${ONLY:-}; then
        tail -n 30 build.log >&2
        exit 1
    fi
    grep -n 'warning:' build.log >&2 && echo "(these are warnings of the compiler)" >&2
    rm -f setup.log build.log
}

BUILD_TOOLS="command cc gcc command cc libc6-dev command pkg-config pkg-config \
command ninja ninja-build command meson meson"
LIBRARIES="module jansson libjansson-dev module libutf8proc libutf8proc-dev module stb libstb-dev"
FONTS="font dejavu/DejaVuSans.ttf fonts-dejavu-core \
font droid/DroidSansFallbackFull.ttf fonts-droid-fallback"

# run_tests FOLDER [OPTION ...]: runs the tests of a build, with options of `meson test`. Prints a
# line for each test, and totals.
run_tests() {
    folder=$1
    status=0
    shift
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@" || status=$?
    # meson's totals, in one line that a program can read
    awk '/^Ok:/ { ok = $2 } /^(Fail|Timeout|Unexpected Pass):/ { failed += $NF } /^Skipped:/ {
        skipped = $2 }
         END { printf "%d passed, %d failed, %d skipped\n", ok, failed, skipped }' \
             "$folder/meson-logs/testlog.txt"
    return $status
}

# each_kind SCRIPT KINDS [KIND ...]: calls SCRIPT_KIND for each KIND given, or for all KINDS
each_kind() {
    script=$1
    kinds=$2
    shift 2
    # shellcheck disable=SC2086 -- a list of words
    [ $# -gt 0 ] || set -- $kinds
    for kind in "$@"; do
        case " $kinds " in
            *" $kind "*) ;;
            *) echo "$script.sh: $kind is not one of: $kinds" >&2; exit 2 ;;
        esac
        echo "== $kind"
        "${script}_$kind"
    done
}
