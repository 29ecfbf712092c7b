#!/usr/bin/env python3
"""join.py OUT PAGE: the page, with the file of that name, beside it, in the place of each line
"@FILE@"."""
import pathlib, sys

page = pathlib.Path(sys.argv[2])
lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
with open(sys.argv[1], "w", encoding="utf-8") as out:
    for line in lines:
        named = line.startswith("@") and line.rstrip().endswith("@")
        out.write((page.parent / line.strip()[1:-1]).read_text(encoding="utf-8") if named else line)
