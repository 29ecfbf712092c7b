#!/usr/bin/env python3
"""embed.py OUT.c NAME=FILE[+FILE] ...: files, one behind the other, as C arrays: `textclf_NAME` of
`textclf_NAME_size` bytes and a 0."""
import sys

with open(sys.argv[1], "w") as out:
    out.write("#include <stddef.h>\n\n")
    for name, paths in (argument.split("=", 1) for argument in sys.argv[2:]):
        data = b"".join(open(path, "rb").read() for path in paths.split("+"))
        out.write(f"extern const unsigned char textclf_{name}[];\n")
        out.write(f"extern const size_t textclf_{name}_size;\n")
        numbers = ",".join(map(str, data + bytes(1)))
        out.write(f"const unsigned char textclf_{name}[] = {{{numbers}}};\n")
        out.write(f"const size_t textclf_{name}_size = {len(data)};\n\n")
