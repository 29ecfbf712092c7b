# comments.awk: an input filter of Doxygen. The headers have plain comments, which it translates:
#   - The first comment of a file describes the file. That of tapegrad.h and its list of headers are
#     the front page.
#   - "---- words ----" begins a section.
#   - A comment on lines of its own describes the next declaration, and the functions that follow
#     without a blank line or a comment of their own.
#   - A comment after a declaration on the same line describes that declaration.
#   - Lines indented by four after a blank line are a listing, which is not changed.
# It preserves line numbers: the warnings of Doxygen name the right lines.

# A line of prose: escapes text that Doxygen would take for a command, prevents a full stop within a
# sentence from ending the brief description, and makes links of names of the library.
function prose(text) {
    gsub(/[<>#%&@\\]/, "\\\\&", text)
    gsub(/ \. /, " .\\ ", text)
    gsub(/tg_[a-z0-9_]+/, "#&", text)
    return text
}

# The name of the function that a line declares; otherwise "".
function declared(text) {
    if (text !~ /^(TG_EXPORT|static inline) [^(]*tg_[a-z0-9_]*\(/) return ""
    sub(/\(.*/, "", text)
    sub(/.*[ *]/, "", text)
    return text
}

function end_section(    text) {
    text = section ? "/** @} */ " : ""
    section = 0
    return text
}

FNR == 1 {
    sub(/^\/\* /, "")
    main = FILENAME ~ /tapegrad\.h$/
    printf main ? "/** @here The one header to include. */ /** @front " : "/** @here "
    in_comment = 1
}

# The front page ends with the list of headers.
main && !in_comment {
    if (/^#include/) { gsub(/^#include "|"|\/\*|\*\//, ""); print prose(" * - " $0); next }
    print /^#endif/ ? "*/" : ""
    next
}

# Sections.
!in_comment && /^\/\* ---- .* ----/ {
    title = $0
    sub(/^\/\* ---- /, "", title)
    rest = title
    sub(/ ----.*/, "", title)
    sub(/.* ----/, "", rest)
    if (rest ~ /\*\/$/) print end_section() "/** @name " title " */ /** @{ */"
    else { print end_section() "/** @name " title; in_comment = 1; opens = 1 }
    section = 1
    about = ""
    next
}

# A comment on lines of its own, to its end.
!in_comment && /^ *\/\*/ { sub(/\/\*/, "/**"); in_comment = 1; about = "" }
in_comment {
    end = $0 ~ /\*\/$/
    if (end) { in_comment = 0; sub(/\*\/$/, "") }
    indented = /^ \*     /
    listing = indented && (listing || blank)
    blank = /^ \*$/
    if (!listing) $0 = prose($0)
    if (indented && !listing) sub(/^ \*/, " * @gap")
    print $0 (end && !main ? "*/" (opens ? " /** @{ */" : "") : "")
    if (end) { commented = !opens; opens = 0 }
    next
}

/^$/ { about = ""; commented = 0 }
/^TG_END_DECLS/ { $0 = end_section() $0 }

# Declarations.
{
    name = declared($0)
    if (match($0, /[^ ] *\/\* /) && $0 !~ /^#include/) {
        tail = substr($0, RSTART + RLENGTH)
        head = substr($0, 1, RSTART)
        end = tail ~ /\*\/$/
        sub(/\*\/$/, "", tail)
        if (end && head ~ /;$/ && head ~ /,/ && head !~ /[()]/) # several fields
            $0 = "/** " prose(tail) "*/ " head
        else $0 = head " /**< " prose(tail) (end ? "*/" : "")
        in_comment = !end
    } else if (name && !commented && about) {
        $0 = "/** @copydoc " about " */ " $0
    }
    if (name && commented) about = name
    if (name || /;$/) commented = 0
    print
}
