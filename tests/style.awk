# style.awk: checks the rules of style that a program can check, prints one line per fault, and
# prints the number of statements (semicolons outside comments and literals) in each folder.
# style.sh runs it. The rules:   - A line has at most 100 columns.   - An assignment is a statement
# of its own: not "a = 1, b = 2;", except in the head of a for loop.   - A conditional expression is
# not part of another one.   - A function has at most seven parameters. It reads C sources character
# by character. Comments and literals are removed first. The text of a statement is collected
# without the contents of its brackets, then compared with patterns. Of preprocessor lines it checks
# only the columns, and counts the statements.

BEGIN {
    MAX_COLUMNS = 100
    MAX_PARAMETERS = 7
    NAME = "[A-Za-z_][A-Za-z0-9_]*"
    # the text before a list of parameters: a type and a name, or a pointer to a function
    PARAMETERS = "(" NAME "[ *]+" NAME "|\\(\\))$"
    # the text before the first expression of a statement
    PREFIX = "^((if|for|while|switch|START_TEST) ?\\(\\)|else|do|case [^:?]*:|default ?:|" \
        "[a-z_]+ ?:) ?"
    # an lvalue or a call, at most one assignment to it, and a comma
    LVALUE = "^[*(+-]*" NAME "(\\[\\]|\\(\\)|->" NAME "|[.]" NAME ")*(\\+\\+|--)?"
    COMMA = LVALUE "( *[-+*/%&|^<>]*=[^=][^,]*)?,"
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

# A conditional expression extends to a comma or to the end of its statement or brackets.
function question(    d) {
    for (d = depth; d > 0 && kinds[d] != "block" && !conditions[d]; d--) {}
    if (conditions[d]) report("a conditional expression in another one")
    conditions[depth]++
}

# Whether the present block belongs to a function, not to a file, a struct or a namespace.
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
    if (c == ")" && parameters > MAX_PARAMETERS && statement ~ PARAMETERS && !in_function())
        report("a function has " parameters " parameters")
    statement = statement (c == ")" ? "()" : c == "]" ? "[]" : "{}")
}

function end_statement() {
    gsub(/[ \t]+/, " ", statement)
    sub(/^ /, "", statement)
    while (sub(PREFIX, "", statement)) {}
    if (statement ~ COMMA || statement ~ /^return .*,/)
        report("a comma between two assignments: " statement)
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

# The line without comments, and with 0 for each literal. A comment may span several lines.
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
    gsub(/[\200-\277]/, "", line) # the second and later bytes of characters in UTF-8
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
