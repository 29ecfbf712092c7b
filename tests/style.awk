# style.awk: the rules of the house style that a program can check, one finding a line, and the
# number of statements (semicolons outside comments and literals) of each folder. Run by style.sh.
#   - a line has at most 100 columns
#   - an assignment is a statement of its own: not "a = 1, b = 2;", except in the head of a for loop
#   - a conditional expression stands in no other one
#   - a function has at most seven parameters
# Of a C file it reads one character after the other: comments, literals and preprocessor lines are
# left out, and the text of a statement is collected without the contents of its brackets. The bodies
# of macros are counted, and not checked.

BEGIN {
    MAX_COLUMNS = 100
    MAX_PARAMETERS = 7
    NAME = "[A-Za-z_][A-Za-z0-9_]*"
    # an lvalue or a call, with at most one assignment, and a comma after it
    COMMA = "^[*(+-]*" NAME "(\\[\\]|\\(\\)|->" NAME "|[.]" NAME ")*(\\+\\+|--)?( *[-+*/%&|^<>]*=[^=][^,]*)?,"
}

function report(what) {
    print FILENAME ":" FNR ": " what
    found = 1
}

function push(kind) {
    depth++
    kinds[depth] = kind
    before[depth] = statement
    commas[depth] = conditions[depth] = empty[depth] = 0
    if (kind == "block") statement = ""
}

# A conditional expression is open until a comma or the end of what it stands in.
function question(    d) {
    for (d = depth; d > 0 && kinds[d] != "block" && !conditions[d]; d--) {}
    if (conditions[d]) report("a conditional expression in another one")
    conditions[depth]++
}

# Whether a block is that of a function: neither a file, a struct nor a namespace.
function in_function(    d) {
    for (d = depth; d > 0; d--)
        if (kinds[d] == "block" && before[d] !~ /(struct|union|namespace|extern)[^()=]*$/) return 1
    return 0
}

function open_bracket(c) {
    if (c != "{") push(c)
    else if (kinds[depth] != "block" || statement ~ /=|^ *return|^ *(typedef +)?enum/) push("list")
    else push("block")
}

function close_bracket(c,    parameters) {
    if (depth == 0) return
    parameters = commas[depth] + 1
    if (kinds[depth] == "block") {
        statement = before[depth] ~ /(struct|union)[^()=]*$/ ? before[depth] "{}" : ""
        depth--
        return
    }
    depth--
    if (kinds[depth] != "block") return
    if (c == ")" && parameters > MAX_PARAMETERS && statement ~ ("(" NAME "[ *]+" NAME "|\\(\\))$") && !in_function())
        report("a function has " parameters " parameters")
    statement = statement (c == ")" ? "()" : c == "]" ? "[]" : "{}")
}

function end_statement() {
    gsub(/[ \t]+/, " ", statement)
    sub(/^ /, "", statement)
    while (sub(/^((if|for|while|switch|START_TEST) ?\(\)|else|do|case [^:?]*:|default ?:|[a-z_]+ ?:) ?/, "", statement)) {}
    if (statement ~ COMMA || statement ~ /^return .*,/) report("a comma between two assignments: " statement)
    statement = ""
    conditions[depth] = 0
}

function read_code(c) {
    if (c == ";") {
        statements[folder]++
        conditions[depth] = 0
    }
    if (c ~ /[({[]/) open_bracket(c)
    else if (c ~ /[)}\]]/) close_bracket(c)
    else if (c == "?") question()
    else if (c == ",") {
        commas[depth]++
        conditions[depth] = 0
    }
    if (kinds[depth] != "block") return
    if (c == ";") end_statement()
    else if (c !~ /[][(){}]/) statement = statement c
}

# The line without comments and literals, whose ends may stand on other lines.
function code_of(line,    code, at, end) {
    code = ""
    while (line != "") {
        if (in_comment) {
            end = index(line, "*/")
            if (!end) return code
            line = substr(line, end + 2)
            in_comment = 0
            continue
        }
        if (!match(line, /\/\*|\/\/|["']/)) return code line
        at = substr(line, RSTART, RLENGTH)
        code = code substr(line, 1, RSTART - 1)
        line = substr(line, RSTART + RLENGTH)
        if (at == "//") return code
        if (at == "/*") in_comment = 1
        else {
            if (at == "'") match(line, /^([^'\\]|\\.)*'/)
            else match(line, /^([^"\\]|\\.)*"/)
            line = substr(line, RLENGTH + 1)
            code = code "0"
        }
    }
    return code
}

FNR == 1 {
    folder = FILENAME ~ /\// ? FILENAME : "the top folder"
    sub(/\/.*/, "", folder)
    depth = in_comment = in_directive = 0
    kinds[0] = "block"
    statement = ""
}

{
    line = $0
    gsub(/[\200-\277]/, "", line) # bytes within a character of UTF-8
    if (length(line) > MAX_COLUMNS) report(length(line) " columns")
}

FILENAME ~ /\.([ch]|cpp)$/ {
    code = code_of($0)
    if (in_directive || code ~ /^ *#/) {
        in_directive = code ~ /\\$/
        statements[folder] += gsub(/;/, "", code)
        next
    }
    for (i = 1; i <= length(code); i++) read_code(substr(code, i, 1))
    if (kinds[depth] == "block") statement = statement " "
}

END {
    for (folder in statements) print "statements in " folder ": " statements[folder] | "sort"
    close("sort")
    exit found
}
