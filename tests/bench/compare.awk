# Prints the table of compare.sh, from lines of: side, workload, threads, ms, spread, GFLOP/s,
# percent of the peak, note.
BEGIN {
    FS = "\t"
    split("documents 12 sst2 2.2 large 1.3 encoder-256 1.15 encoder-64 1.8 infer 3 gemm-64 0.9 gemm-128 1.05 " \
          "gemm-256 1.05 gemm-512 1.05 gemm-1024 1.05 gemm-2048 1.05 gemm-lstm 1.2 attention-4096 1 adam 1 adam-sparse 3 job 20", \
          words, " ")
    for (i = 1; i in words; i += 2) required[words[i]] = words[i + 1]
    # targets: percent of the peak on one thread
    required_share["sst2"] = 85
    required_share["large"] = 88
    required_share["encoder-256"] = 85
}

{
    row = $2 "\t" $3
    if (!(row in seen)) {
        seen[row] = 1
        order[++rows] = row
    }
    n = ++count[row, $1]
    ms[row, $1, n] = $4
    rate[row, $1, n] = $6
    share[row, n] = $1 == "ours" ? $7 : share[row, n]
    note[row, $1] = $8
}

# The median of a side's rounds in `values`; the side "" has values of one side only.
function median(values, row, side, n,    i, j, swap, sorted) {
    for (i = 1; i <= n; i++)
        sorted[i] = side == "" ? values[row, i] + 0 : values[row, side, i] + 0
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && sorted[j - 1] > sorted[j]; j--) {
            swap = sorted[j]
            sorted[j] = sorted[j - 1]
            sorted[j - 1] = swap
        }
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function figure(values, row, side, form,    n) {
    n = count[row, side]
    if (!n || values[row, side, 1] == "-") return "-"
    return sprintf(form, median(values, row, side, n))
}

# The target of gemm-128-nt is that of gemm-128.
function requirement(name) {
    if (name ~ /^gemm-/) sub(/-[a-z]+(-pack)?$/, "", name)
    return name in required ? required[name] : ""
}

function print_row(row,    key, ratio, wanted, part, verdict, peer) {
    split(row, key, "\t")
    ratio = "-"
    if (count[row, "ours"] && count[row, "theirs"])
        ratio = median(ms, row, "theirs", count[row, "theirs"]) / median(ms, row, "ours", count[row, "ours"])
    part = share[row, 1] == "" || share[row, 1] == "-" ? "-" : median(share, row, "", count[row, "ours"])
    wanted = requirement(key[1])
    verdict = ""
    if (ratio != "-" && wanted != "") verdict = ratio >= wanted ? "yes" : "no"
    if (key[1] in required_share && key[2] == 1 && part != "-")
        verdict = verdict "; " required_share[key[1]] " % of the peak: " \
            (part >= required_share[key[1]] ? "yes" : "no")
    if (part > 102) verdict = verdict "; disturbed by other work"
    peer = note[row, "theirs"]
    if (peer ~ /^OpenBLAS/) {
        openblas = peer
        peer = ""
    }
    printf "%-18s %4d %11s %11s %9s %9s %7s %8s %9s  %s%s%s\n", key[1], key[2], \
        figure(ms, row, "ours", "%.4g"), figure(ms, row, "theirs", "%.4g"), \
        figure(rate, row, "ours", "%.1f"), figure(rate, row, "theirs", "%.1f"), \
        part == "-" ? part : sprintf("%.1f", part), \
        ratio == "-" ? ratio : sprintf("%.2fx", ratio), \
        wanted == "" ? "-" : wanted "x", verdict, verdict != "" && peer != "" ? "; " : "", peer
    if (part != "-") parts[key[1], key[2]] = part
    if (count[row, "ours"]) our_ms[key[1], key[2]] = median(ms, row, "ours", count[row, "ours"])
}

# The target is the same time over T^2 from T = 2048 on.
function print_flatness(threads,    t, unit, low, high, longest) {
    for (t = 2048; ("attention-" t, threads) in our_ms; t *= 2) {
        unit = our_ms["attention-" t, threads] / t / t
        if (!low || unit < low) low = unit
        if (unit > high) high = unit
        longest = t
    }
    if (longest > 2048)
        printf "attention, %d thread(s): time over T^2 varies by %.0f %% from T = 2048 to %d " \
            "(target: 15)\n", threads, 100 * (high / low - 1), longest
}

END {
    printf "%-18s %4s %11s %11s %9s %9s %7s %8s %9s  %s\n", "workload", "thr.", "ours, ms", \
        "theirs, ms", "GFLOP/s", "theirs", "% peak", "ratio", "target", "reached"
    for (r = 1; r <= rows; r++) print_row(order[r])
    print ""
    print "The notes on PyTorch are those of its last round."
    if (openblas) print "gemm: " openblas "."
    if (parts["sst2", 1] && parts["sst2", 2])
        printf "sst2: two threads gain %.2f of what the FMA peak gains (target: 0.95)\n", \
            parts["sst2", 2] / parts["sst2", 1]
    if (our_ms["adam-sparse", 1])
        printf "adam: a sparse table is %.0f times as fast as a dense one (required: 20)\n", \
            our_ms["adam", 1] / our_ms["adam-sparse", 1]
    if (our_ms["job", 1]) printf "job: %.1f ms (required: below 50)\n", our_ms["job", 1]
    for (threads = 1; threads <= 2; threads++) print_flatness(threads)
}
