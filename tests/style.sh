#!/bin/sh
# style.sh: checks the rules of style.awk on all C and C++ sources, prints one line per fault, and
# prints the number of statements in each folder. First it proves that style.awk finds planted
# faults.
set -eu
cd "$(dirname "$0")/.."
LC_ALL=C
export LC_ALL
rules=$PWD/tests/style.awk
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/planted.c" <<'END'
static const struct { int a, b; } right[] = {{1, 2}, {.a = 1, .b = 2}};
/* In a comment: x = 1, y = 2; a ? b : c ? d : e */
int seven(int a, int b, int c, int d, int e, int f, void (*g)(int, int, int));
TG_OP(a, b, c, d, e, f, g, h, "of a macro, not of a function");
enum { A = 1, B = 2 };
static int eight(int a, int b, int c, int d,
                 int e, int f, int g, int h)
{
    int x = 1, y = 2;
    for (x = 0, y = 1; x < y; x++, y--) f("x = 1, y = 2;", x ? 1 : 2, y ? ',' : '?');
    x = 1, y = 2;
    if (x) *p[x] = f(1, 2), q->y += 3;
    while (x) x++, y--;
    x = a ? b : c ? d : e;
    return f(a ? (b ? c : d) : e);
}
END
printf '/* %097d */\n' 0 >>"$work/planted.c"
cat >"$work/expected" <<'END'
planted.c:7: a function has 8 parameters
planted.c:11: a comma between two assignments: x = 1, y = 2
planted.c:12: a comma between two assignments: *p[] = f(), q->y += 3
planted.c:13: a comma between two assignments: x++, y--
planted.c:14: a conditional expression in another one
planted.c:15: a conditional expression in another one
planted.c:17: 103 columns
statements in the top folder: 14
END
(cd "$work" && awk -f "$rules" planted.c || true) | diff "$work/expected" - || {
    echo "the faults found (>) are not the planted ones (<): style.awk is wrong"
    exit 1
}

{
    find tapegrad.h core layers optim inspect examples tests \( -name '*.c' -o -name '*.h' \
        -o -name '*.cpp' -o -name '*.sh' -o -name '*.py' -o -name '*.awk' -o -name meson.build \)
    ls .ci/run .clang-tidy meson.build meson_options.txt
} | sort >"$work/files"
[ "$(wc -l <"$work/files")" -gt 200 ] || { echo "style.sh finds no sources"; exit 1; }

# These functions have more parameters than the others may have. The list may only get shorter.
cat >"$work/exceptions" <<'END'
layers/attention.c: a function has 8 parameters
layers/attention.h: a function has 8 parameters
layers/attention_op.c: a function has 8 parameters
layers/attention_op.h: a function has 8 parameters
END
tr '\n' '\0' <"$work/files" | xargs -0 awk -f "$rules" >"$work/found" || true
grep '^statements' "$work/found"
grep -v '^statements' "$work/found" >"$work/faults" || true
sed 's/:[0-9]*:/:/' "$work/faults" | sort | diff "$work/exceptions" - >"$work/new" || {
    echo "faults in the sources (>), or exceptions that are gone (<):"
    cat "$work/new" "$work/faults"
    exit 1
}
