#!/usr/bin/env python3
"""embed.py OUT.c NAME=FILE ...: files as C arrays, `textclf_NAME` of `textclf_NAME_size` bytes."""
import sys

with open(sys.argv[1], "w") as out:
    out.write("#include <stddef.h>\n\n")
    for name, path in (argument.split("=", 1) for argument in sys.argv[2:]):
        data = open(path, "rb").read()
        out.write(f"extern const unsigned char textclf_{name}[];\nextern const size_t textclf_{name}_size;\n")
        out.write(f"const unsigned char textclf_{name}[] = {{{','.join(map(str, data))}}};\n")
        out.write(f"const size_t textclf_{name}_size = {len(data)};\n\n")
