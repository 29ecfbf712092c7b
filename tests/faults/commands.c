/* The commands of textclf that are run, on small files. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "../../examples/support/failure.h"
#include "faults.h"

int textclf_main(int argc, char **argv);

#define TRAIN(...) "train", "--embedding", "4", "--hidden", "3", "--lr", "0.1", __VA_ARGS__
#define EVERYTHING                                                                           \
    TRAIN("rows.tsv", "--valid", "few.tsv", "--test", "few.tsv", "--vectors", "vectors.txt", \
          "--stopwords", "stop.txt", "--encoder", "none", "--ngrams", "2", "--buckets", "7", \
          "--max-pool", "--average", "16", "--class-weight", "balanced", "--epochs", "2",    \
          "--checkpoint", "run.ck", "-o", "new.st")

const command commands[] = {
    {.what = "train",
     .words = {TRAIN("rows.tsv", "--epochs", "2", "--batch-size", "4", "-o", "new.st")},
     .output = {"new.st"}},
    {.what = "train with everything",
     .words = {EVERYTHING, "--report", "new.html"},
     .output = {"new.st", "new.html"}},
    {.what = "train --resume", .words = {EVERYTHING, "--resume"}, .output = {"new.st"}},
    {.what = "train --checkpoint",
     .words = {TRAIN("rows.tsv", "--encoder", "none", "--attention", "none", "--epochs", "1",
                     "--checkpoint", "run.ck", "--checkpoint-interval", "0", "-o", "new.st")},
     .output = {"new.st"}},
    {.what = "train, another model",
     .words = {TRAIN("rows.csv", "--encoding", "latin1", "--encoder", "transformer", "--attention",
                     "multihead", "--vectors", "vectors.bin", "--freeze-embedding", "--epochs", "1",
                     "--seeds", "2", "-o", "new.st")},
     .output = {"new.st"}},
    {.what = "compare",
     .words = {"compare", "rows.tsv", "--valid", "few.tsv", "--encoder", "none", "--epochs", "1",
               "--embedding", "4", "--hidden", "3", "--seeds", "1"}},
    {.what = "check", .words = {"check", "rows.tsv", "few.tsv"}},
    {.what = "eval", .words = {"eval", "model.st", "few.tsv"}},
    {.what = "eval --json", .words = {"eval", "--json", "model.st", "few.tsv"}},
    {.what = "predict",
     .words = {"predict", "--top", "2", "model.st", "a good film", "trop mauvais"}},
    {.what = "predict --json", .words = {"predict", "--json", "model.st", "a good film"}},
    {.what = "predict, lines",
     .words = {"predict", "model.st"},
     .input = "a good film\n\nunknown words\n"},
    {.what = "attend, a page",
     .words = {"attend", "model.st", "a good film", "bad", "-o", "new.html"},
     .output = {"new.html"}},
    {.what = "attend, a picture",
     .words = {"attend", "model.st", "good film!", "-o", "new.png"},
     .output = {"new.png"},
     .picture = true},
    {.what = "explain",
     .words = {"explain", "model.st", "a good film", "-o", "new.html"},
     .output = {"new.html"}},
    {.what = "step",
     .words = {"step", "model.st", "good film", "-o", "new.html"},
     .output = {"new.html"}},
    {.what = "tape",
     .words = {"tape", "model.st", "good film", "-o", "new.dot"},
     .output = {"new.dot"}},
};

int command_count(void) { return (int)COUNT(commands); }

/* ---- files ---- */

static void write_text(const char *name, const char *text)
{
    test_write_file(name, text, strlen(text));
}

static void copy(const char *from, const char *to)
{
    size_t size;
    char *bytes = test_read_file(from, &size);
    test_write_file(to, bytes, size);
    free(bytes);
}

static bool same(const char *a, const char *b)
{
    size_t x, y;
    if (access(a, F_OK) || access(b, F_OK)) return false;
    char *p = test_read_file(a, &x), *q = test_read_file(b, &y);
    const bool result = x == y && !memcmp(p, q, x);
    free(p);
    free(q);
    return result;
}

static const char rows[] =
    "a good film\tgood\nvery good, caf\xC3\xA9!\tgood\nnot "
    "bad\tgood\n\xE5\xBE\x88\xE5\xA5\xBD\xE5\x90\x83\tgood\n"
    "a bad film\tbad\nTROP MAUVAIS\tbad\nnot good\tbad\nvery, very bad\tbad\n";
static const char latin1[] = "text,label\n\"good, tr\xE8s good\",good\ncaf\xE9,good\n\"a "
                             "\"\"bad\"\" film\",bad\nmauvais,bad\n";

static void write_binary_vectors(void)
{
    const float row[4] = {0.25f, -0.5f, 1, 0};
    char bytes[64] = "2 4\ngood ";
    size_t size = strlen(bytes);
    memcpy(bytes + size, row, sizeof row);
    size += sizeof row;
    memcpy(bytes + size, "\nbad ", 5);
    memcpy(bytes + size + 5, row, sizeof row);
    test_write_file("vectors.bin", bytes, size + 5 + sizeof row);
}

static int home;

void world_begin(void)
{
    home = open(".", O_RDONLY);
    ck_assert_int_eq(chdir(test_folder_begin()), 0);
    write_text("rows.tsv", rows);
    write_text("few.tsv", "good film\tgood\nbad, bad\tbad\nbad, bad\tbad\n");
    write_text("rows.csv", latin1);
    write_text("stop.txt", "a very");
    write_text("vectors.txt", "good 0.5 0.25 -1 2\nbad -0.5 1e-3 0 1\nelsewhere 1 2 3 4\n");
    write_binary_vectors();
    write_text("old.html", "<!DOCTYPE html>old\n");
    write_text("old.png", "an older picture");
    write_text("old.dot", "digraph { older }\n");
    const command model = {.what = "a model",
                           .words = {
                               TRAIN("few.tsv", "--epochs", "1", "--seed", "9", "-o", "old.st")}};
    ck_assert_int_eq(run(&model).status, 0);
    const command other = {.what = "another",
                           .words = {TRAIN("rows.tsv", "--epochs", "1", "--attention", "dot",
                                           "--max-pool", "-o", "model.st")}};
    ck_assert_int_eq(run(&other).status, 0);
    /* Makes a checkpoint: Ctrl-C arrives while it is saved for the second time. */
    const command stopped = {.what = "a training that is stopped",
                             .words = {EVERYTHING, "--checkpoint-interval", "0"}};
    fault_begin("rename", CTRL_C, 0, 2);
    const outcome o = run(&stopped);
    ck_assert_msg(fault_end() && o.status == 130, "%s", o.errors);
    ck_assert_int_eq(rename("run.ck", "under_way.ck"), 0);
    unlink("new.st");
}

void world_end(void)
{
    ck_assert_int_eq(fchdir(home), 0);
    close(home);
    test_folder_end();
}

/* The word with the extension of a name: "old.st" for new.st and "old". */
static const char *other_name(const char *name, const char *word)
{
    static char text[64];
    snprintf(text, sizeof text, "%s%s", word, strrchr(name, '.'));
    return text;
}

/* ---- running commands ---- */

static int redirect(int descriptor, const char *path, int flags)
{
    const int original = dup(descriptor), file = open(path, flags, 0600);
    ck_assert(original >= 0 && file >= 0);
    dup2(file, descriptor);
    close(file);
    return original;
}

static void restore(int descriptor, int original)
{
    dup2(original, descriptor);
    close(original);
}

outcome run(const command *c)
{
    outcome o = {0};
    char *words[48] = {(char *)"textclf"};
    int count = 1;
    for (; c->words[count - 1]; count++) words[count] = (char *)c->words[count - 1];
    for (int i = 0; i < 3 && c->output[i]; i++) copy(other_name(c->output[i], "old"), c->output[i]);
    unlink("run.ck");
    if (!strcmp(words[count - 1], "--resume")) copy("under_way.ck", "run.ck");
    write_text("stdin", c->input ? c->input : "");
    fflush(stdout);
    const int in = redirect(STDIN_FILENO, "stdin", O_RDONLY),
              out = redirect(STDOUT_FILENO, "stdout", O_CREAT | O_TRUNC | O_WRONLY),
              err = redirect(STDERR_FILENO, "stderr", O_CREAT | O_TRUNC | O_WRONLY);
    rewind(stdin);
    optind = 0; /* as a program finds things when it starts: getopt, and no failure */
    ex_failure_clear();
    fault_arm(true);
    o.status = textclf_main(count, words);
    fault_arm(false);
    fflush(stdout);
    clearerr(stdout);
    clearerr(stdin);
    restore(STDIN_FILENO, in);
    restore(STDOUT_FILENO, out);
    restore(STDERR_FILENO, err);
    size_t size;
    char *errors = test_read_file("stderr", &size);
    snprintf(o.errors, sizeof o.errors, "%s", errors);
    free(errors);
    return o;
}

/* Whether the output is the expected one. That of a training is not compared: it contains times. */
static bool output_is_right(const command *c)
{
    return !strcmp(c->words[0], "train") || !strcmp(c->words[0], "compare") ||
           same("stdout", "wanted.stdout");
}

/* If a font cannot be read, another font replaces it: the picture is complete but looks different.
 * If there is no other font, a message says so, and the picture lacks the letters. */
static bool has_other_letters(const command *c, const outcome *o, const char *when,
                              const char *name)
{
    if (!c->picture || o->status || access(name, F_OK)) return false;
    if (strstr(o->errors, "no font found")) return true;
    size_t size;
    char *bytes = test_read_file(name, &size);
    const bool complete = size > 20 && !memcmp(bytes, "\x89PNG", 4) &&
                          !memcmp(bytes + size - 8, "IEND", 4);
    free(bytes);
    return complete && (!strncmp(when, "fopen ", 6) || !strncmp(when, "fread ", 6));
}

static void check_files(const command *c, const outcome *o, const char *when)
{
    for (int i = 0; i < 3 && c->output[i]; i++) {
        const char *name = c->output[i];
        const bool new = same(name, other_name(name, "wanted")) ||
                         has_other_letters(c, o, when, name);
        ck_assert_msg(new || (o->status && same(name, other_name(name, "old"))),
                      "%s: %s: %s is %s: %s", c->what, when, name,
                      o->status ? "neither the old nor the new one" : "not the new one", o->errors);
    }
    DIR *folder = opendir(".");
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL)
        ck_assert_msg(!strstr(entry->d_name, ".partial"), "%s: %s: %s is left", c->what, when,
                      entry->d_name);
    closedir(folder);
}

void remove_partial_files(void)
{
    DIR *folder = opendir(".");
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL)
        if (strstr(entry->d_name, ".partial")) unlink(entry->d_name);
    closedir(folder);
}

void check_outcome(const command *c, const outcome *o, const char *when)
{
    const char *last = o->errors + strlen(o->errors);
    ck_assert_msg(o->status == 0 || o->status == 1, "%s: %s: the status is %d: %s", c->what, when,
                  o->status, o->errors);
    while (last > o->errors && (!*last || last[-1] != '\n')) last--;
    ck_assert_msg(!o->status || (!strncmp(last, "textclf: ", 9) && strchr(last, '\n')),
                  "%s: %s: the last line is not an error message: %s", c->what, when, o->errors);
    ck_assert_msg(o->status || output_is_right(c), "%s: %s: the output is not the expected one",
                  c->what, when);
    check_files(c, o, when);
}
